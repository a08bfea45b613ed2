package store

import (
	"testing"
	"time"
)

// testRuleVersions is what every engine that remembers rules must do.
func testRuleVersions(t *testing.T, open func(t *testing.T) Store) {
	s := open(t)
	t.Cleanup(func() { _ = s.Close() })
	kept := s.(RuleVersionStore)
	load := func(after time.Duration, loaded ...RuleVersion) {
		t.Helper()
		if err := kept.RecordRuleVersions(t.Context(), loaded, at(after)); err != nil {
			t.Fatal(err)
		}
	}
	one := RuleVersion{ID: "guess", Version: "a1", Status: "shadow", Kind: "ip", Title: `Guesses "codes"`, Owner: "jane"}
	two := RuleVersion{ID: "probe", Version: "b1", Status: "active", Kind: "device"}
	changed, promoted := one, one
	changed.Version, promoted.Status = "a2", "active"
	load(0, one, two, one)
	load(time.Hour, promoted, two)
	load(2*time.Hour, changed, two)
	load(time.Hour) // nothing
	load(-time.Hour, two)

	got, err := kept.RuleVersions(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	changed.First, changed.Last = at(2*time.Hour), at(2*time.Hour)
	two.First, two.Last = at(-time.Hour), at(2*time.Hour)
	promoted.First, promoted.Last = at(time.Hour), at(time.Hour)
	one.First, one.Last = at(0), at(0)
	equal(t, "versions", got, []RuleVersion{changed, two, promoted, one})
	got, err = kept.RuleVersions(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the newest", got, []RuleVersion{changed})
}

func TestRuleVersionsInDuckDB(t *testing.T) {
	testRuleVersions(t, func(t *testing.T) Store { return openDuckDB(t, "") })
}
