package rules

import (
	"strings"
	"testing"
	"time"
)

func TestWithStatusLeavesTheRest(t *testing.T) {
	plain := "# head\nid: a\nstatus: draft # for now\ntitle: A\n"
	canary := "id: a\nrollout:\n  percent: 5\nstatus: canary\ntitle: A # kept\n"
	for _, test := range []struct {
		text, status string
		percent      float64
		want         string
	}{
		{plain, StatusShadow, 0, "# head\nid: a\nstatus: shadow\ntitle: A\n"},
		{plain, StatusCanary, 2.5, "# head\nid: a\nstatus: canary\nrollout: { percent: 2.5 }\ntitle: A\n"},
		{canary, StatusCanary, 25, "id: a\nstatus: canary\nrollout: { percent: 25 }\ntitle: A # kept\n"},
		{canary, StatusActive, 0, "id: a\nstatus: active\ntitle: A # kept\n"},
		{"id: a\nstatus: draft", StatusActive, 0, "id: a\nstatus: active\n"},
	} {
		got, err := WithStatus([]byte(test.text), test.status, test.percent)
		if err != nil || string(got) != test.want {
			t.Errorf("%s of %q: %v\ngot  %q\nwant %q", test.status, test.text, err, got, test.want)
		}
	}
	for _, test := range []struct {
		text, status string
		percent      float64
		want         string
	}{
		{plain, "on", 0, `status "on": want one of disabled, draft, shadow, canary, active`},
		{plain, StatusCanary, 0, "a canary acts on more than 0 and at most 100 percent of the entities, not on 0"},
		{"id: a\n", StatusShadow, 0, "the rule has no status"},
		{"{id: a, status: draft}\n", StatusShadow, 0, "a rule is a mapping with a key on each line"},
		{"a: [\n", StatusShadow, 0, "yaml"},
	} {
		if _, err := WithStatus([]byte(test.text), test.status, test.percent); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %s", test.text, err, test.want)
		}
	}
}

// TestBodyIsWhatAPromotionLeaves: all statuses of a text share a body, and every other change makes another.
func TestBodyIsWhatAPromotionLeaves(t *testing.T) {
	body := func(text []byte) string {
		b, err := Body(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := body([]byte(minimalRule))
	for _, status := range Statuses() {
		text, err := WithStatus([]byte(minimalRule), status, 5)
		if err != nil || body(text) != first {
			t.Errorf("%s: %v, body %s, want %s", status, err, body(text), first)
		}
		if status != StatusActive && Version(text) == Version([]byte(minimalRule)) {
			t.Errorf("%s: the version is the same", status)
		}
	}
	if body([]byte(strings.Replace(minimalRule, "10.0", "11.0", 1))) == first {
		t.Error("another condition has the same body")
	}
}

func TestObstacles(t *testing.T) {
	const tests = `false_positives: [nobody]
tests:
  - { name: many, features: { ip.requests_1m: 11 }, expect: { match: true } }
  - { name: few, features: { ip.requests_1m: 9 }, expect: { match: false } }
`
	set := setOf(t, map[string]string{"p.yaml": strictPolicy, "sample.yaml": minimalRule + tests})
	bare := setOf(t, map[string]string{"p.yaml": strictPolicy, "sample.yaml": minimalRule + strings.Replace(tests, "9 }", "12 }", 1)})
	made := start.Add(-time.Hour)
	good := Candidate{Rule: "sample", Status: StatusActive, Body: "b", Shadow: start.Add(-48 * time.Hour), Backtest: &Report{Made: made, Identity: Identity{Body: "b"}}, Now: start}
	for name, test := range map[string]struct {
		set    *Set
		change func(*Candidate)
		want   string // "" for none
	}{
		"all there":       {set, func(*Candidate) {}, ""},
		"down is free":    {bare, func(c *Candidate) { c.Status, c.Backtest = StatusShadow, nil }, ""},
		"test fails":      {bare, func(*Candidate) {}, `test "few" fails: match is true`},
		"no backtest":     {set, func(c *Candidate) { c.Backtest = nil }, "there is no backtest: sundew rules backtest --json"},
		"of another text": {set, func(c *Candidate) { c.Body = "c" }, "the backtest is one of another text of the rule"},
		"old backtest":    {set, func(c *Candidate) { c.Backtest = &Report{Made: start.Add(-8 * day), Identity: Identity{Body: "b"}} }, "the backtest is older than 7 days"},
		"braked": {set, func(c *Candidate) {
			c.Backtest = &Report{Made: made, Identity: Identity{Body: "b"}, Brake: []Trip{{Reason: "all"}}}
		}, "the brake would have stopped it in the backtest: it acts on all"},
		"never in the shadow": {set, func(c *Candidate) { c.Shadow = time.Time{} }, "it has not run in the shadow for 24h"},
		"an hour of shadow":   {set, func(c *Candidate) { c.Shadow, c.Status = start.Add(-time.Hour), StatusCanary }, "it has not run in the shadow for 24h"},
		"unknown rule":        {set, func(c *Candidate) { c.Rule = "simple" }, `there is no rule "simple"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			if got := strings.Join(test.set.Obstacles(c), "; "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
