package rules

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sundew"
)

// grabs has a parameter, so that it can be swept.
const grabs = `apiVersion: sundew/v1
kind: Rule
id: grabs
title: Grabs files
owner: team
severity: low
status: shadow
description: for tests
entity: ip
params:
  rate: { type: double, value: 10, min: 0, max: 1000 }
when: ip.requests_1m >= params.rate
score: { add: 40 }
`

func filesOf(texts map[string]string) fstest.MapFS {
	files := fstest.MapFS{}
	for name, text := range texts {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// twenty are three rounds of requests of addresses that ask 0 to 19 times a minute.
func twenty() []sundew.Score {
	scores := crowd(20, 3, "/")
	for i := range scores {
		scores[i].Features[sundew.Requests1m] = float64(i % 20)
	}
	return scores
}

func labelled(scores []sundew.Score, abusers int) []sundew.Label {
	var labels []sundew.Label
	for i := range 20 {
		label := sundew.Label{Time: start, Entity: scores[i].Entity, Verdict: sundew.VerdictLegitimate, By: "test"}
		if i >= 20-abusers {
			label.Verdict = sundew.VerdictAbuse
		}
		labels = append(labels, label)
	}
	return labels
}

func TestBacktestReport(t *testing.T) {
	scores := twenty()
	scores[12].Features[sundew.TenuredDevices24h] = 1 // its first request
	files := filesOf(map[string]string{"p.yaml": strictPolicy, "grabs.yaml": grabs, "few.yaml": ruleText("few", "ip.requests_1m >= 18.0", "score: { add: 40 }\n")})
	b, err := NewBacktest(BacktestConfig{
		Files: files, Proposal: Proposal{Rule: "grabs"}, Limits: DefaultConfig(), Labels: labelled(scores, 12),
		Sweep: "rate", Values: []string{"5", "15"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(scores, 7) {
		if ds := b.Decide(part); len(ds) != 0 {
			t.Fatalf("a backtest decides: %v", ds)
		}
	}
	r := b.Report()
	// Ten addresses ask ten times or more; on two of them another rule acts already. The twelve that ask eight times or
	// more are the abusers.
	if r.Identity.AgainstStatus != StatusShadow || r.Identity.From != start || r.Identity.To != start.Add(2*time.Second) {
		t.Errorf("identity %+v", r.Identity)
	}
	if r.Volume.Evaluations != 60 || r.Volume.Matches != 30 || r.Volume.Entities != 10 {
		t.Errorf("volume %+v", r.Volume)
	}
	if d := r.Delta; d.New.Entities != 8 || d.Lost.Entities != 0 || d.Unchanged.Entities+d.Changed.Entities != 2 {
		t.Errorf("delta %+v", d)
	}
	one := 1.0
	recall := 10.0 / 12
	if want := (QualityReport{10, 0, 2, 8, &one, &recall}); !reflect.DeepEqual(r.Quality, want) {
		t.Errorf("quality %+v", r.Quality)
	}
	if f := r.ProbableFP; f.Entities != 1 || f.Examples[0].Entity != scores[12].Entity || f.Examples[0].Signs[0] != "1 devices of some age behind it" {
		t.Errorf("probable false positives %+v", f)
	}
	if want := []OverlapReport{{"few", 2, 0.2}}; !reflect.DeepEqual(r.Overlap, want) {
		t.Errorf("overlap %+v", r.Overlap)
	}
	// After its first request each of the ten is held twice, and each of the two.
	if r.Held.Proposed != (HeldReport{20, 0}) || r.Held.Current != (HeldReport{4, 0}) {
		t.Errorf("held %+v", r.Held)
	}
	if len(r.Sweep) != 2 || r.Sweep[0].Entities != 15 || r.Sweep[1].Entities != 5 || r.Sweep[0].Quality.FalsePositives != 3 || r.Sweep[1].Quality.Precision != nil {
		t.Errorf("sweep %+v", r.Sweep)
	}
	if len(r.Series) != 1 || r.Series[0].Requests != 60 || r.Series[0].Proposed <= r.Series[0].Current {
		t.Errorf("series %+v", r.Series)
	}
}

// TestBacktestOfAChange compares a file with the version that acts: who is lost, and what the brake would have stopped.
func TestBacktestOfAChange(t *testing.T) {
	active := filesOf(map[string]string{"p.yaml": strictPolicy, "r.yaml": ruleText("r", "ip.requests_1m >= 10.0", "score: { add: 95 }\n")})
	for name, test := range map[string]struct {
		when      string
		new, lost int
		braked    bool
	}{
		"as it is":  {"ip.requests_1m >= 10.0", 0, 0, false},
		"narrower":  {"ip.requests_1m >= 15.0", 0, 5, false},
		"wider":     {"ip.requests_1m >= 5.0", 5, 0, false},
		"elsewhere": {"ip.requests_1m < 5.0", 5, 10, false},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := NewBacktest(BacktestConfig{
				Files: active, Limits: DefaultConfig(),
				Proposal: Proposal{Rule: "r", Text: []byte(ruleText("r", test.when, "score: { add: 95 }\n"))},
			})
			if err != nil {
				t.Fatal(err)
			}
			b.Decide(twenty())
			r := b.Report()
			if r.Delta.New.Entities != test.new || r.Delta.Lost.Entities != test.lost || (len(r.Brake) > 0) != test.braked {
				t.Errorf("new %d, lost %d, brake %v", r.Delta.New.Entities, r.Delta.Lost.Entities, r.Brake)
			}
		})
	}
	b, err := NewBacktest(BacktestConfig{
		Files: active, Limits: DefaultConfig(), Proposal: Proposal{Rule: "r", Text: []byte(ruleText("r", "ip.requests_1m >= 0.0", "score: { add: 95 }\n"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Decide(crowd(200, 1, "/"))
	if r := b.Report(); len(r.Brake) != 1 || r.Volume.Entities != ruleGuardrail().least {
		t.Errorf("brake %v, %d entities", r.Brake, r.Volume.Entities)
	}
}

func TestBacktestRefuses(t *testing.T) {
	files := filesOf(map[string]string{"p.yaml": strictPolicy, "grabs.yaml": grabs, "d.yaml": strings.Replace(ruleText("d", "device.requests_1m > 1.0", "score: { add: 40 }\n"), "entity: ip", "entity: device", 1)})
	for want, c := range map[string]BacktestConfig{
		`backtest: there is no rule "graps": sundew rules coverage names the rules there are`:                                                 {Proposal: Proposal{Rule: "graps"}},
		`backtest: rule d is about entities of kind device, for which there is no policy`:                                                     {Proposal: Proposal{Rule: "d"}},
		`backtest: rule grabs has no parameter "rates"`:                                                                                       {Proposal: Proposal{Rule: "grabs"}, Sweep: "rates"},
		"backtest: rate=5000: grabs.yaml:11:32: 5000 is above the greatest allowed, 1000\ngrabs.yaml:12:25: undeclared reference to 'params'": {Proposal: Proposal{Rule: "grabs"}, Sweep: "rate", Values: []string{"5000"}},
		"grabs.yaml:1:1: the file has no kind: open the file with apiVersion: sundew/v1 and kind: Rule, Policy or List":                       {Proposal: Proposal{Rule: "grabs", Text: []byte("a: b\n")}},
	} {
		c.Files = files
		if _, err := NewBacktest(c); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestParseValues(t *testing.T) {
	for text, want := range map[string][]string{
		"5": {"5"}, "1, 2,5": {"1", "2", "5"}, "10..50/20": {"10", "30", "50"}, "0.1..0.3/0.1": {"0.1", "0.2", "0.3"},
		"": nil, ",": nil, "1..x/1": nil, "1..2": nil, "nan..2/1": nil, "1..inf/1": nil, "5..1/1": nil, "0..1/0": nil, "0..1000000/1": nil,
	} {
		got, err := ParseValues(text)
		if (err == nil) != (want != nil) || (err == nil && !slices.Equal(got, want)) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
