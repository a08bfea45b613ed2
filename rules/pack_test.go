package rules

import "testing"

func TestPackPassesItsOwnTests(t *testing.T) {
	set, err := Load(Starter(), "pack")
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range set.Test() {
		if !result.Passed {
			t.Errorf("%s:%d: %s: %s: %s", result.Path, result.Line, result.Rule, result.Name, result.Detail)
		}
	}
}
