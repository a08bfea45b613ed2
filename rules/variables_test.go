package rules

import (
	"strconv"
	"testing"

	"sundew"
)

// TestVariablesReadWhatTheySet goes through the whole vocabulary: a variable wired to a neighbour's field shows here.
func TestVariablesReadWhatTheySet(t *testing.T) {
	words := map[string]string{
		"client.address": "192.0.2.77", "auth.outcome": "failure", "attestation.status": "expired",
		"signature.status": "replayed", "edge.action": "tarpit",
	}
	all := vocabulary(sundew.KindDevice)
	s := testScore(sundew.KindDevice)
	want := make([]string, len(all))
	for i, v := range all {
		want[i] = strconv.Itoa(i + 1)
		if word, special := words[v.name]; special {
			want[i] = word
		}
		if err := v.set(&s, want[i]); err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
	}
	view := newView(&Set{})
	view.look(&s)
	for i, v := range all {
		got := formatValue(&v, view)
		if v.text != nil {
			got = v.text(&s)
		}
		if got != want[i] {
			t.Errorf("%s is %q, was set to %q", v.name, got, want[i])
		}
		if v.set(&s, "no such word") == nil && v.text == nil {
			t.Errorf("%s takes text for a number", v.name)
		}
	}
}

func TestUnknownIsTold(t *testing.T) {
	event := sundew.NewEvent()
	s := sundew.Score{Event: &event}
	for _, v := range requestVariables() {
		switch v.name {
		case "http.server.request.duration", "device.age", "captcha.score":
			if got := v.number(&s); got != -1 {
				t.Errorf("%s is %v where unknown, want -1", v.name, got)
			}
		case "http.request.body.size", "http.response.body.size":
			if got := v.integer(&s); got != -1 {
				t.Errorf("%s is %v where unknown, want -1", v.name, got)
			}
		}
	}
}
