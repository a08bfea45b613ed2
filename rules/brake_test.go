package rules

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"sundew"
)

const strictPolicy = `apiVersion: sundew/v1
kind: Policy
id: p
entity: ip
ladder:
  - { at: 30, do: tarpit, delay: 1s, ttl: 10m }
  - { at: 90, do: block, ttl: 1h }
`

// crowd is requests of n addresses in turn, one request each per second of rounds.
func crowd(n, rounds int, path string) []sundew.Score {
	var scores []sundew.Score
	for round := range rounds {
		for i := range n {
			addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			s := request(time.Duration(round)*time.Second, path)
			s.Event.Client = addr
			s.Entity.Key = addr.String()
			s.Features[sundew.Requests1h] = float64(round + 1)
			scores = append(scores, s)
		}
	}
	return scores
}

// enforced plays decisions as an edge does, and returns who was ever acted on and who still is at the end.
func enforced(ds []sundew.Decision, end time.Time) (ever, still map[sundew.Entity]bool) {
	ever, still = map[sundew.Entity]bool{}, map[sundew.Entity]bool{}
	standing, version := map[string]sundew.Decision{}, map[string]int64{}
	for _, d := range ds {
		if d.Shadow || d.Version <= version[d.Key()] {
			continue
		}
		standing[d.Key()], version[d.Key()] = d, d.Version
		if d.Action.Enforces() {
			ever[d.Entity] = true
		}
	}
	for _, d := range standing {
		if d.Action.Enforces() && d.InForce(end) {
			still[d.Entity] = true
		}
	}
	return ever, still
}

// TestTerribleRuleIsBraked is the worst that an analyst can do: a rule that holds for everybody and blocks at once.
func TestTerribleRuleIsBraked(t *testing.T) {
	files := map[string]string{
		"p.yaml":        strictPolicy,
		"terrible.yaml": ruleText("terrible", "ip.requests_1m >= 0.0", "score: { add: 100 }\n"),
		"good.yaml":     ruleText("good", `url.path == "/.env"`, "score: { add: 95 }\n"),
		"partners.yaml": "apiVersion: sundew/v1\nkind: List\nid: partners\nowner: team\npurpose: allow\nentries:\n  - { entity: \"prefix:10.0.0.0/29\", reason: a partner, expires: 2030-01-01 }\n",
	}
	engine := NewEngine(setOf(t, files), DefaultConfig())
	scores := crowd(2000, 3, "/")
	ds := decideAll(engine, scores, 100)
	ever, still := enforced(ds, scores[len(scores)-1].Time)
	if len(ever) != ruleGuardrail().least || len(still) != 0 {
		t.Errorf("%d entities were acted on, %d still are; want %d and 0", len(ever), len(still), ruleGuardrail().least)
	}
	for e := range ever {
		if engine.Allowed(e, start) {
			t.Errorf("%s is protected and was acted on", e)
		}
	}
	trips := engine.Trips()
	if len(trips) != 1 || trips[0].Entities != 16 || trips[0].Withdrawn != 15 || trips[0].Reason != "more than 33% of the entities in 10 minutes" {
		t.Errorf("trips %+v", trips)
	}
	shadows := 0
	for _, d := range ds {
		if d.Shadow && d.RuleID() == "terrible" {
			shadows++
		}
	}
	if shadows < 1900 {
		t.Errorf("%d decisions in the shadow: the rule should go on there", shadows)
	}

	// The other rules go on.
	if ds := engine.Decide(crowd(1, 1, "/.env")); len(ds) != 0 {
		t.Errorf("a protected address: %v", decisions(ds))
	}
	bad := crowd(20, 1, "/.env")[19:]
	if ds := engine.Decide(bad); len(ds) != 1 || ds[0].RuleID() != "good" || ds[0].Action != sundew.ActionBlock {
		t.Errorf("got %v", decisions(ds))
	}

	// The trip outlives a restart, and ends with another version of the rule.
	state := engine.AppendState(nil)
	again := NewEngine(setOf(t, files), DefaultConfig())
	if err := again.RestoreState(state); err != nil || !bytes.Equal(again.AppendState(nil), state) {
		t.Fatalf("restored: %v", err)
	}
	if got := again.Trips(); len(got) != 1 || got[0] != trips[0] {
		t.Errorf("restored trips %+v", got)
	}
	files["terrible.yaml"] += "false_positives: [everybody]\n"
	changed := NewEngine(setOf(t, files), DefaultConfig())
	if err := changed.RestoreState(state); err != nil || len(changed.Trips()) != 0 {
		t.Errorf("changed rule: %v, trips %v", err, changed.Trips())
	}
}

// TestRulesThatHitFewAreNotBraked: fifteen attackers may be most of a small site.
func TestRulesThatHitFewAreNotBraked(t *testing.T) {
	engine := NewEngine(setOf(t, map[string]string{"p.yaml": strictPolicy, "good.yaml": ruleText("good", `url.path == "/.env"`, "score: { add: 95 }\n")}), DefaultConfig())
	ever, _ := enforced(engine.Decide(crowd(15, 3, "/.env")), start)
	if len(ever) != 15 || len(engine.Trips()) != 0 {
		t.Errorf("%d acted on, trips %v", len(ever), engine.Trips())
	}
}

func TestGuardrails(t *testing.T) {
	for name, test := range map[string]struct {
		guardrail string
		attackers int // of 1000
		rounds    int
		ever      int
		reason    string // "" for no trip
	}{
		"so many entities":    {"{ entities_per_10m: 10 }", 50, 1, 10, "more than 10 entities in 10 minutes"},
		"a share of entities": {"{ entity_share: 5%, least: 5 }", 100, 1, 47, "more than 5% of the entities in 10 minutes"},
		"a share of requests": {"{ entity_share: 100%, traffic_share: 8%, least: 5 }", 150, 3, 150, "more than 8% of the requests in 10 minutes"},
		"below all of them":   {"{ entities_per_10m: 100, entity_share: 20%, traffic_share: 20% }", 100, 3, 100, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"p.yaml": strictPolicy, "r.yaml": ruleText("r", `url.path == "/.env"`, "score: { add: 95 }\naction: { guardrail: "+test.guardrail+" }\n")}
			engine := NewEngine(setOf(t, files), DefaultConfig())
			scores := crowd(1000, test.rounds, "/")
			for i := range scores {
				if i%1000 >= 1000-test.attackers {
					scores[i].Event.Path = "/.env"
				}
			}
			ds := engine.Decide(scores)
			ever, still := enforced(ds, scores[len(scores)-1].Time)
			tripped := ""
			for _, trip := range engine.Trips() {
				tripped = trip.Reason
			}
			if got := len(ever); math.Abs(float64(got-test.ever)) > float64(test.ever)/20 || tripped != test.reason {
				t.Errorf("%d acted on, tripped %q; want %d, %q", got, tripped, test.ever, test.reason)
			}
			if left := len(still); (left == 0) != (test.reason != "") {
				t.Errorf("%d still acted on", left)
			}
		})
	}
}

// TestPolicyBrakeHoldsRulesTogether: ten rules that each stay below their cap do not add up to everybody, and the next
// interval starts over.
func TestPolicyBrakeHoldsRulesTogether(t *testing.T) {
	files := map[string]string{"p.yaml": strictPolicy}
	for i := range 10 {
		id := fmt.Sprintf("r%d", i)
		files[id+".yaml"] = ruleText(id, fmt.Sprintf(`client.address.endsWith("%d")`, i), "score: { add: 40 }\n")
	}
	engine := NewEngine(setOf(t, files), DefaultConfig())
	ever, still := enforced(engine.Decide(crowd(2000, 1, "/")), start)
	trips := engine.Trips()
	if len(trips) != 1 || trips[0].Name[:2] != "p@" || len(still) != len(ever) || math.Abs(float64(len(ever))-1000) > 1000 {
		t.Fatalf("%d acted on, %d still, trips %+v", len(ever), len(still), trips)
	}
	next := crowd(2000, 1, "/")[1999:]
	next[0].Time = start.Add(brakeInterval)
	if engine.Decide(next); len(engine.Trips()) != 0 {
		t.Errorf("the next interval: %+v", engine.Trips())
	}
}

// TestScoresAreNotBraked: whoever brings many addresses must not be rid of the calibrated score.
func TestScoresAreNotBraked(t *testing.T) {
	scores := crowd(500, 1, "/")
	for i := range scores {
		scores[i].Points, scores[i].Nats = 95, 20
	}
	engine := NewEngine(setOf(t, map[string]string{"p.yaml": strictPolicy}), DefaultConfig())
	if ever, _ := enforced(engine.Decide(scores), start); len(ever) != 500 {
		t.Errorf("%d acted on", len(ever))
	}
}

// TestAgreementIsNotBraked: a rule about those whom the score convicts, too, may act on all of them.
func TestAgreementIsNotBraked(t *testing.T) {
	scores := crowd(500, 1, "/")
	for i := range scores {
		scores[i].Points, scores[i].Nats = 35, 3
	}
	files := map[string]string{"p.yaml": strictPolicy, "r.yaml": ruleText("r", "ip.requests_1m >= 0.0", "score: { add: 95 }\n")}
	engine := NewEngine(setOf(t, files), DefaultConfig())
	if ever, _ := enforced(engine.Decide(scores), start); len(ever) != 500 || len(engine.Trips()) != 0 {
		t.Errorf("%d acted on, trips %v", len(ever), engine.Trips())
	}
}

// TestCanaryActsOnItsShare: about the share, the same entities whenever asked, and all of them again when the share grows.
func TestCanaryActsOnItsShare(t *testing.T) {
	acted := func(percent int) map[sundew.Entity]bool {
		rule := fmt.Sprintf("status: canary\nrollout: { percent: %d }\n", percent)
		files := map[string]string{"p.yaml": strictPolicy + "guardrail: { entity_share: 100% }\n", "r.yaml": canaryText(rule)}
		engine := NewEngine(setOf(t, files), DefaultConfig())
		ds := engine.Decide(crowd(4000, 1, "/"))
		ever, _ := enforced(ds, start)
		shadows := 0
		for _, d := range ds {
			if d.Shadow {
				shadows++
				if ever[d.Entity] {
					t.Fatalf("%s is acted on and in the shadow", d.Entity)
				}
			}
		}
		if len(ever)+shadows != 4000 {
			t.Errorf("%d acted on, %d in the shadow", len(ever), shadows)
		}
		return ever
	}
	five, quarter := acted(5), acted(25)
	if n := len(five); n < 150 || n > 250 {
		t.Errorf("%d of 4000 at 5%%", n)
	}
	if n := len(quarter); n < 900 || n > 1100 {
		t.Errorf("%d of 4000 at 25%%", n)
	}
	for e := range five {
		if !quarter[e] {
			t.Errorf("%s was in at 5%% and is out at 25%%", e)
		}
	}
	if n := len(acted(100)); n != 4000 {
		t.Errorf("%d of 4000 at 100%%", n)
	}
}

// TestCensusCounts holds the estimate against an exact count.
func TestCensusCounts(t *testing.T) {
	for _, n := range []int{1, 31, 1000, 50_000} {
		var c census
		exact := map[string]bool{}
		for i := range 2 * n {
			key := fmt.Sprintf("192.0.2.%d", i%n)
			c.see(key)
			exact[key] = true
		}
		if got := c.estimate(); math.Abs(float64(got-len(exact))) > 1+0.05*float64(n) || c.requests != 2*n {
			t.Errorf("%d entities: estimate %d, %d requests", n, got, c.requests)
		}
	}
}

// canaryText is a rule that holds for everybody; head has its status.
func canaryText(head string) string {
	return `apiVersion: sundew/v1
kind: Rule
id: r
title: Everybody
owner: team
severity: low
` + head + `description: for tests
entity: ip
when: ip.requests_1m >= 0.0
score: { add: 95 }
action: { guardrail: { entity_share: 100% } }
`
}
