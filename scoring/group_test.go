package scoring

import (
	"fmt"
	"testing"
	"time"

	"sundew"
)

var fingerprint = sundew.Entity{Kind: sundew.KindFingerprint, Key: "t13d"}

// login is an attempt from the n-th of many addresses with one fingerprint.
func login(i, n int, failed bool) sundew.Event {
	return request(time.Duration(i)*time.Second, fmt.Sprintf("203.0.%d.%d", n/200, 1+n%200), func(e *sundew.Event) {
		e.Method, e.Path, e.JA4, e.Auth = "POST", "/v1/login", fingerprint.Key, sundew.OutcomeSuccess
		if failed {
			e.Auth = sundew.OutcomeFailure
		}
	})
}

var system = sundew.Entity{Kind: sundew.KindASN, Key: "64500"}

// TestGroupsSeeWrites has two hundred addresses, each of which tries two vouchers, and people who mistype.
func TestGroupsSeeWrites(t *testing.T) {
	events := func(n int, refused func(i int) bool) (events []sundew.Event) {
		for i := range n {
			events = append(events, request(time.Duration(i)*time.Second, fmt.Sprintf("203.%d.%d.7", i/2%200, i/400), func(e *sundew.Event) {
				e.Method, e.Path, e.Status, e.ASN, e.JA4 = "POST", "/v1/vouchers", 200, 64500, fingerprint.Key
				if refused(i) {
					e.Status = 404
				}
			}))
		}
		return events
	}
	score := func(refused func(i int) bool, of sundew.Entity) (sundew.Score, float64) {
		return last(newEngine(t, 2).Score(sundew.Batch{Events: events(400, refused)}), of)
	}
	for _, group := range []sundew.Entity{fingerprint, system} {
		if got, most := score(func(i int) bool { return i%40 != 0 }, group); most < 90 {
			t.Errorf("%s reached %.1f points by vouchers that are tried out; reasons %v", group, most, got.Evidence)
		}
		if got, most := score(func(i int) bool { return i%9 == 0 }, group); most > 2 {
			t.Errorf("%s reached %.1f points by typing errors; reasons %v", group, most, got.Evidence)
		}
	}
}

// TestSystemsAreScoredWhereTheySaySomething leaves plain requests out.
func TestSystemsAreScoredWhereTheySaySomething(t *testing.T) {
	for method, want := range map[string]bool{"GET": false, "POST": true} {
		found := false
		for _, score := range newEngine(t, 1).Score(sundew.Batch{Events: []sundew.Event{
			request(0, client, func(e *sundew.Event) { e.Method, e.ASN = method, 64500 }),
		}}) {
			found = found || score.Entity == system
		}
		if found != want {
			t.Errorf("%s: scored %v, want %v", method, found, want)
		}
	}
}

func TestFingerprintIsAGroup(t *testing.T) {
	for _, test := range []struct {
		name            string
		n               int
		event           func(i int) sundew.Event
		atLeast, atMost float64
	}{
		{
			"a tool tries leaked passwords, one at each of many addresses", 200,
			func(i int) sundew.Event { return login(i, i, i%50 != 0) },
			90, 100,
		},
		{
			"the tool has 40 addresses and goes round", 200,
			func(i int) sundew.Event { return login(i, i%40, i%50 != 0) },
			90, 100,
		},
		{
			"forged signatures, one from each of many addresses", 200,
			func(i int) sundew.Event {
				e := login(i, i, false)
				e.Auth, e.Path, e.Signature = sundew.OutcomeNone, "/v1/feed", sundew.ProofInvalid
				return e
			},
			90, 100,
		},
		{
			"people mistype", 2000,
			func(i int) sundew.Event { return login(i, i, i%7 == 0) },
			0, 2,
		},
		{
			"three addresses stuff with the software that everybody has", 2000,
			func(i int) sundew.Event {
				if i%2 == 0 {
					return login(i, i, i%7 == 0)
				}
				return login(i, i%3, true)
			},
			0, 2,
		},
		{
			"an outage turns away the tenured devices of an app", 500,
			func(i int) sundew.Event {
				e := login(i, i, true)
				e.Device, e.DeviceAge = fmt.Sprint("d-", i), 30*24*time.Hour
				return e
			},
			0, 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var events []sundew.Event
			for i := range test.n {
				events = append(events, test.event(i))
			}
			score, most := last(newEngine(t, 2).Score(sundew.Batch{Events: events}), fingerprint)
			if most < test.atLeast || most > test.atMost {
				t.Errorf("the fingerprint reached %.1f points, want %v to %v; reasons %v", most, test.atLeast, test.atMost, score.Evidence)
			}
		})
	}
}

// TestAThousandAddressesAreFoundWithin200Requests has each address try leaked passwords once or twice, while people with
// tenured devices log in from the same autonomous system, one attempt in ten of theirs failing. What all of the attack has
// in common is its software, or its network where no software is logged.
func TestAThousandAddressesAreFoundWithin200Requests(t *testing.T) {
	const addresses, allowed = 1000, 200
	for name, test := range map[string]struct {
		attack, people string // TLS fingerprints
		group          sundew.Entity
	}{
		"a tool of its own":          {"t13d-tool", "t13d-app", sundew.Entity{Kind: sundew.KindFingerprint, Key: "t13d-tool"}},
		"the software of the people": {"t13d-app", "t13d-app", sundew.Entity{Kind: sundew.KindFingerprint, Key: "t13d-app"}},
		"no software is logged":      {"", "", system},
	} {
		t.Run(name, func(t *testing.T) {
			e, sent := newEngine(t, 2), 0
			for i := range 2 * addresses {
				at := time.Duration(i) * time.Second
				people := request(at, fmt.Sprintf("198.51.100.%d", 1+i%200), func(e *sundew.Event) {
					e.Method, e.Path, e.JA4, e.ASN, e.Auth = "POST", "/v1/login", test.people, 64500, sundew.OutcomeSuccess
					e.Device, e.DeviceAge, e.AuthUsername = fmt.Sprint("d-", i%200), 30*24*time.Hour, fmt.Sprint("u-", i%200)
					if i%10 == 0 {
						e.Auth = sundew.OutcomeFailure
					}
				})
				attack := request(at, fmt.Sprintf("203.%d.%d.7", i%addresses/250, i%250), func(e *sundew.Event) {
					e.Method, e.Path, e.JA4, e.ASN, e.Auth = "POST", "/v1/login", test.attack, 64500, sundew.OutcomeFailure
					e.AuthUsername = fmt.Sprint("leaked-", i)
					if i%50 == 0 {
						e.Auth = sundew.OutcomeSuccess
					}
				})
				sent++
				if score, _ := last(e.Score(sundew.Batch{Events: []sundew.Event{people, attack}}), test.group); score.Points >= 95 {
					break
				}
			}
			t.Logf("%s found after %d requests", test.group, sent)
			if sent > allowed {
				t.Errorf("%s was found after %d requests, want at most %d", test.group, sent, allowed)
			}
		})
	}
}
