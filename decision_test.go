package sundew_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"sundew"
)

func decision() sundew.Decision {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	entity := sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"}
	return sundew.Decision{
		ID: sundew.DecisionID("ip-default@abc", entity, 7), Time: at, Entity: entity,
		And:    []sundew.Entity{{Kind: sundew.KindDevice, Key: "d"}},
		Action: sundew.ActionTarpit, Delay: 1500 * time.Millisecond, Score: 55.5, Rule: "ip-default@abc",
		Evidence: []sundew.Evidence{{Channel: "outcome_auth", Nats: 12, Observed: 20, Expected: 2, Window: 10 * time.Minute, Sentence: "20 of 20 failed"}},
		Expires:  at.Add(time.Hour), Version: 7, Basis: sundew.BasisScore, Sentence: "why", Pseudonyms: true,
	}
}

// TestDecisionRecord keeps the field names and forms that other software reads.
func TestDecisionRecord(t *testing.T) {
	d := decision()
	line, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"` + d.ID + `","time":"2026-03-01T10:00:00Z","entity":{"kind":"ip","key":"192.0.2.1"},"and":[{"kind":"device","key":"d"}],` +
		`"action":"tarpit","delay_ms":1500,"score":55.5,"rule":"ip-default@abc",` +
		`"evidence":[{"channel":"outcome_auth","nats":12,"observed":20,"expected":2,"window":"10m0s","sentence":"20 of 20 failed"}],` +
		`"expires":"2026-03-01T11:00:00Z","shadow":false,"version":7,"basis":"score","sentence":"why","pseudonyms":true}`
	if string(line) != want {
		t.Errorf("got\n%s\nwant\n%s", line, want)
	}
	var back sundew.Decision
	if err := json.Unmarshal(line, &back); err != nil || !reflect.DeepEqual(back, d) {
		t.Errorf("read back %+v, %v", back, err)
	}
}

func TestDecisionWithoutEvidenceHasAnEmptyArray(t *testing.T) {
	d := decision()
	d.Evidence = nil
	if line, err := json.Marshal(d); err != nil || !strings.Contains(string(line), `"evidence":[]`) {
		t.Errorf("%s, %v", line, err)
	}
}

func TestUnfitDecisionsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*sundew.Decision){
		"no id":                  func(d *sundew.Decision) { d.ID = "" },
		"no entity":              func(d *sundew.Decision) { d.Entity = sundew.Entity{} },
		"no action":              func(d *sundew.Decision) { d.Action = sundew.ActionNone },
		"no rule":                func(d *sundew.Decision) { d.Rule = "" },
		"never expires":          func(d *sundew.Decision) { d.Expires = time.Time{} },
		"expired at its start":   func(d *sundew.Decision) { d.Expires = d.Time },
		"tarpit without a delay": func(d *sundew.Decision) { d.Delay = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			d := decision()
			change(&d)
			if d.Validate() == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestDecisionIDTellsDecisionsApart(t *testing.T) {
	ip := sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"}
	ids := map[string]bool{}
	for _, id := range []string{
		sundew.DecisionID("a@1", ip, 1), sundew.DecisionID("a@1", ip, 2), sundew.DecisionID("a@2", ip, 1),
		sundew.DecisionID("a@1", sundew.Entity{Kind: sundew.KindDevice, Key: ip.Key}, 1),
	} {
		ids[id] = true
	}
	if len(ids) != 4 {
		t.Errorf("%d different ids of 4 decisions", len(ids))
	}
	if again := sundew.DecisionID("a@1", ip, 1); !ids[again] {
		t.Errorf("the same decision has another id, %s", again)
	}
}

func TestANewRuleVersionReplacesTheOld(t *testing.T) {
	old, next := decision(), decision()
	next.Rule = "ip-default@def"
	if old.Key() != next.Key() {
		t.Error("two versions of a rule act on an entity side by side")
	}
	next.Rule = "other@def"
	if old.Key() == next.Key() {
		t.Error("two rules replace each other")
	}
}

func TestCursor(t *testing.T) {
	c := sundew.Cursor{Epoch: "k3", Seq: 12}
	if back, err := sundew.ParseCursor(c.String()); err != nil || back != c {
		t.Errorf("%s came back as %v, %v", c, back, err)
	}
	for _, text := range []string{"", "k3", ".1", "k3.", "k3.x", "k3.-1"} {
		if c, err := sundew.ParseCursor(text); err == nil {
			t.Errorf("%q is read as %v", text, c)
		}
	}
}
