package rules

import (
	"fmt"
	"strings"
	"testing"

	"sundew"
)

// BenchmarkDecideNoMatch is the pack on an ordinary request of an app: the case that nearly all scores are.
func BenchmarkDecideNoMatch(b *testing.B) {
	engine := NewEngine(starter(b), DefaultConfig())
	scores := []sundew.Score{ordinary(), ordinary()}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if ds := engine.Decide(scores[i%2 : i%2+1]); len(ds) > 0 {
			b.Fatal("an ordinary request was decided on")
		}
	}
}

func ordinary() sundew.Score {
	s := request(0, "/v1/accounts/8412/orders")
	s.Event.Query = "page=2&sort=created&limit=50"
	s.Event.UserAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
	s.Features[sundew.Requests1m] = 4
	s.Features[sundew.Requests10m] = 21
	s.Features[sundew.Requests1h] = 60
	s.Features[sundew.DistinctPaths1h] = 12
	return s
}

// fourClauses is a condition as most rules have one.
const fourClauses = `ip.requests_1m > 50.0 && ip.client_error_ratio_10m > 0.6 && ip.distinct_paths_1h >= 20.0 && http.response.status_code == 404`

// BenchmarkCondition is one condition of four clauses that all hold, as a closure and as the CEL program that it stands for.
func BenchmarkCondition(b *testing.B) {
	set := setOf(b, map[string]string{"r.yaml": ruleText("r", fourClauses, "score: { add: 40 }\n")})
	s := ordinary()
	s.Event.Status = 404
	s.Features[sundew.Requests1m], s.Features[sundew.ClientErrorRatio10m], s.Features[sundew.DistinctPaths1h] = 60, 0.7, 30
	v := newView(set)
	v.look(&s)
	r := set.rules[0]
	v.at(r)
	if r.when.fast == nil {
		b.Fatal("the condition has no closure")
	}
	for name, run := range map[string]func() (bool, error){
		"closure": func() (bool, error) { return r.when.holds(v) },
		"cel":     func() (bool, error) { return r.when.interpret(v) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if holds, err := run(); !holds || err != nil {
					b.Fatal(holds, err)
				}
			}
		})
	}
}

// manyRules are active rules of four clauses with numbers of their own; rest is added to each.
func manyRules(n int, rest string) map[string]string {
	files := map[string]string{"p.yaml": policyText}
	for i := range n {
		id := fmt.Sprintf("r%d", i)
		when := strings.Replace(fourClauses, "50.0", fmt.Sprintf("%d.0", 50+i), 1)
		files[id+".yaml"] = ruleText(id, when, "score: { add: 40 }\n"+rest)
	}
	return files
}

// BenchmarkDecideRules is an ordinary request under no rule, under 200 active ones, and under 200 whose scope is another
// route.
func BenchmarkDecideRules(b *testing.B) {
	for name, files := range map[string]map[string]string{
		"0":                manyRules(0, ""),
		"200":              manyRules(200, ""),
		"200-out-of-scope": manyRules(200, "scope: { routes: [\"POST /v1/login\"] }\n"),
	} {
		b.Run(name, func(b *testing.B) {
			engine := NewEngine(setOf(b, files), DefaultConfig())
			scores := []sundew.Score{ordinary(), ordinary()}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if ds := engine.Decide(scores[i%2 : i%2+1]); len(ds) > 0 {
					b.Fatal("an ordinary request was decided on")
				}
			}
		})
	}
}

// BenchmarkLoad1000 reads, checks and compiles a thousand rules.
func BenchmarkLoad1000(b *testing.B) {
	files := filesOf(manyRules(1000, ""))
	for b.Loop() {
		if _, err := Load(files, ""); err != nil {
			b.Fatal(err)
		}
	}
}
