package rules

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sundew"
)

// TestGuards names the clauses that conditions cannot do without.
func TestGuards(t *testing.T) {
	for when, want := range map[string][]guard{
		`ip.requests_1m > 50.0`: {{sundew.Requests1m, 50}},
		`http.response.status_code == 404 && ip.requests_1m >= 50.0 && ip.not_found_10m > 3.0`: {{sundew.Requests1m, 50}},
		`ip.requests_1m > 50.0 || ip.not_found_10m > 3.0`:                                      {{sundew.Requests1m, 50}, {sundew.NotFound10m, 3}},
		`ip.requests_1m > 50.0 || http.response.status_code == 404`:                            nil,
		`ip.requests_1m < 50.0`:                                   nil,
		`(!(ip.requests_1m > 50.0))`:                              nil,
		`ip.requests_1m > ip.not_found_10m`:                       nil,
		`score.points > 50.0`:                                     nil,
		`http.response.status_code == 404`:                        nil,
		`ip.requests_1m * 2.0 > 50.0`:                             nil,
		`ip.requests_1m > 50.0 && (true || ip.requests_1m > 1.0)`: {{sundew.Requests1m, 50}},
	} {
		set := setOf(t, map[string]string{"p.yaml": policyText, "r.yaml": ruleText("r", when, "score: { add: 40 }\n")})
		if got := set.rules[0].guards; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
}

// TestCandidatesChangeNothing decides on random scores of few entities with gates and with every rule asked every time.
func TestCandidatesChangeNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	files := map[string]string{"p.yaml": policyText}
	for i := range 80 {
		clause := func() string {
			name := []string{"requests_1m", "not_found_10m", "distinct_paths_1h"}[rng.IntN(3)]
			return fmt.Sprintf("ip.%s %s %d.0", name, []string{">", ">=", "<"}[rng.IntN(3)], rng.IntN(20))
		}
		when := clause()
		for range rng.IntN(3) {
			when = fmt.Sprintf("(%s) %s %s", when, []string{"&&", "||"}[rng.IntN(2)], clause())
		}
		rest := "score: { add: 8, half_life: 2m }\n"
		if i%4 == 0 {
			rest += "for: 20s\n"
		}
		if i%5 == 0 {
			rest += "scope: { status: [404] }\n"
		}
		id := fmt.Sprint("r", i)
		files[id+".yaml"] = ruleText(id, when, rest)
	}
	gated, all := setOf(t, files), setOf(t, files)
	for kind := range all.running {
		for i := range all.running[kind].rules {
			all.running[kind].rules[i].guards = nil
		}
		all.running[kind].arrange()
	}
	fast, slow := NewEngine(gated, DefaultConfig()), NewEngine(all, DefaultConfig())
	decisions := 0
	for n := range 4000 {
		s := request(time.Duration(n)*time.Second, "/a")
		s.Entity.Key = fmt.Sprint("192.0.2.", rng.IntN(5))
		s.Event.Status = []int{200, 404}[rng.IntN(2)]
		for _, f := range []sundew.Feature{sundew.Requests1m, sundew.NotFound10m, sundew.DistinctPaths1h} {
			s.Features[f] = float64(rng.IntN(22) * rng.IntN(2))
			if rng.IntN(50) == 0 {
				s.Features[f] = math.NaN()
			}
		}
		got, want := fast.Decide([]sundew.Score{s}), slow.Decide([]sundew.Score{s})
		if len(got) != len(want) {
			t.Fatalf("score %d: %d decisions, want %d", n, len(got), len(want))
		}
		for i := range got {
			if got[i].ID != want[i].ID || got[i].Action != want[i].Action || got[i].Sentence != want[i].Sentence || !got[i].Expires.Equal(want[i].Expires) {
				t.Fatalf("score %d:\ngot  %+v\nwant %+v", n, got[i], want[i])
			}
		}
		decisions += len(got)
	}
	if string(fast.AppendState(nil)) != string(slow.AppendState(nil)) {
		t.Error("the states differ")
	}
	if decisions < 50 || fast.stats.Evaluations*4 > slow.stats.Evaluations*3 {
		t.Errorf("%d decisions, %d conditions run instead of %d: this shows little", decisions, fast.stats.Evaluations, slow.stats.Evaluations)
	}
}
