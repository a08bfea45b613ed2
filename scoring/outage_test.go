package scoring

import (
	"fmt"
	"testing"

	"sundew"
)

// TestFingerprintsInAnOutage has browsers without devices, of which one is far more common than the others.
func TestFingerprintsInAnOutage(t *testing.T) {
	browser := func(i int) string { return fmt.Sprint("browser ", [...]int{0, 1, 0, 2, 0, 3, 0, 4}[i%8]) }
	tool := func(i int) string {
		if i >= 800 && i%2 == 0 {
			return fingerprint.Key
		}
		return browser(i)
	}
	for _, test := range []struct {
		name            string
		ja4             func(i int) string
		failed          func(i int) bool
		of              string
		atLeast, atMost float64
	}{
		{
			"every login fails for a while", browser,
			func(i int) bool { return i%10 == 0 || (i > 800 && i < 1200) },
			browser(0), 0, 10,
		},
		{
			"every login with one tool fails", tool,
			func(i int) bool { return i%10 == 1 || tool(i) == fingerprint.Key },
			fingerprint.Key, 90, 100,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var events []sundew.Event
			for i := range 1600 {
				e := login(i, i, test.failed(i))
				e.JA4 = test.ja4(i)
				events = append(events, e)
			}
			scores := newEngine(t, 1).Score(sundew.Batch{Events: events})
			network := sundew.Entity{Kind: sundew.KindPrefix, Key: "203.0.5.0/24"}
			if _, most := last(scores, network); most > 10 && test.atMost <= 10 {
				t.Errorf("%s reached %.1f points, want at most 10", network, most)
			}
			entity := sundew.Entity{Kind: sundew.KindFingerprint, Key: test.of}
			if s, most := last(scores, entity); most < test.atLeast || most > test.atMost {
				t.Errorf("%s reached %.1f points, want %v to %v; reasons %v", entity, most, test.atLeast, test.atMost, s.Evidence)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	const a, b, c = 1, 2, 3
	var o outage
	say := func(hash uint64, second uint32, failed bool) (out bool) {
		for range loginsWatched {
			out = o.add(hash, second, failed)
		}
		return out
	}
	if say(a, 10, true) || say(a, 20, true) {
		t.Error("a fingerprint alone makes an outage")
	}
	if say(b, 30, true) {
		t.Error("one other fingerprint makes an outage")
	}
	if !say(c, 40, false) {
		t.Error("no outage, though both others fail")
	}
	if say(a, 50, true) {
		t.Error("an outage, though one of two others gets in")
	}
	if say(c, 50+outageMemory, false) {
		t.Error("an outage that nobody remembers")
	}
	for hash := range uint64(fingerprintsWatched) {
		say(100+hash, 60+outageMemory, false)
	}
	if o.add(a, 60+outageMemory, false) || o[0].Known != 1 || o[0].Hash != a {
		t.Errorf("a fingerprint that others displaced begins with %+v", o[0])
	}
}
