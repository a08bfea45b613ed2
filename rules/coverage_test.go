package rules

import (
	"testing"

	"sundew"
)

// TestPackCoversWhatLogsShow: a rule with passing tests for every threat that is strongly visible, and for those that
// partly are, but the one whose deadline no log has.
func TestPackCoversWhatLogsShow(t *testing.T) {
	for _, row := range starter(t).Coverage() {
		want := row.Grade != GradeOut && row.ID != "OAT-013"
		if got := len(row.Rules) > 0; got != want {
			t.Errorf("%s %s: covered %t, want %t", row.ID, row.Title, got, want)
		}
		for _, r := range row.Rules {
			if r.Failed > 0 || r.Passed < 2 {
				t.Errorf("%s by %s: %d passed, %d failed", row.ID, r.ID, r.Passed, r.Failed)
			}
		}
	}
}

func TestCoverageCountsFailedTests(t *testing.T) {
	set := setOf(t, map[string]string{"sample.yaml": minimalRule + `references: { owasp_api: [API4:2023] }
tests:
  - { name: many, features: { ip.requests_1m: 11 }, expect: { match: true } }
  - { name: wrong, features: { ip.requests_1m: 9 }, expect: { match: true } }
`})
	for _, row := range set.Coverage() {
		want := 0
		if row.ID == "API4:2023" {
			want = 1
		}
		if len(row.Rules) != want {
			t.Errorf("%s: %v", row.ID, row.Rules)
		}
		for _, r := range row.Rules {
			if r != (CoveringRule{"sample", "Sample", StatusActive, 1, 1}) {
				t.Errorf("%s: %+v", row.ID, r)
			}
		}
	}
}

// TestFeaturesAreWhatConditionsMayAsk compiles a condition on each, and looks at one of each type.
func TestFeaturesAreWhatConditionsMayAsk(t *testing.T) {
	features, err := Features(sundew.KindAccount)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]FeatureInfo{
		"account.requests_10m": {"account.requests_10m", "double", "10m", "requests", "0.0", 2, sundew.Catalogue[sundew.Requests10m].Help},
		"device.age":           {"device.age", "double", "", "seconds", "-1.0", 2, "time since the device registered, -1 unknown"},
		"client.as.number":     {"client.as.number", "int", "", "", "0", 2, "autonomous system, 0 unknown"},
		"client.address":       {"client.address", "string", "", "", `""`, 2, "address of the client"},
		"evidence":             {"evidence", "map(string, double)", "", "nats", "0.0", 3, `evidence of a channel: evidence["rate"]`},
	}
	for _, f := range features {
		if f.Help == "" || f.Cost == 0 || f.Type == "" {
			t.Errorf("%+v", f)
		}
		if w, asked := want[f.Name]; asked && f != w {
			t.Errorf("got  %+v\nwant %+v", f, w)
		}
		delete(want, f.Name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	if n := len(vocabulary(sundew.KindAccount)) + 1; len(features) != n {
		t.Errorf("%d features, want %d", len(features), n)
	}
}
