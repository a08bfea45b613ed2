package sim_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sundew"
	"sundew/sim"
)

// requests are those of one campaign.
type requests []labelled

// share returns which part of the requests is as asked.
func (r requests) share(is func(e labelled) bool) float64 {
	n := 0
	for _, e := range r {
		if is(e) {
			n++
		}
	}
	return float64(n) / float64(len(r))
}

// distinct counts the different values of a field, "" apart.
func (r requests) distinct(field func(e labelled) string) int {
	seen := make(map[string]bool)
	for _, e := range r {
		if value := field(e); value != "" {
			seen[value] = true
		}
	}
	return len(seen)
}

func address(e labelled) string  { return e.Client.String() }
func username(e labelled) string { return e.AuthUsername }
func object(e labelled) string   { return e.Object }
func device(e labelled) string   { return e.Device }
func account(e labelled) string  { return e.Account }
func ja4(e labelled) string      { return e.JA4 }

func status(codes ...int) func(e labelled) bool {
	return func(e labelled) bool {
		return slices.Contains(codes, e.Status)
	}
}

func onRoute(route string) func(e labelled) bool {
	return func(e labelled) bool { return e.Route == route }
}

func failedLogin(e labelled) bool { return e.Auth == sundew.OutcomeFailure && e.Status == 401 }

// TestAttacksLookLikeWhatTheyAre holds each attack of the catalogue against the marks by which an analyst would know it.
func TestAttacksLookLikeWhatTheyAre(t *testing.T) {
	marks := map[string]func(r requests) map[string]bool{
		"credential-stuffing": func(r requests) map[string]bool {
			return map[string]bool{
				"one address":            r.distinct(address) == 1,
				"every user name once":   r.distinct(username) > len(r)*95/100,
				"nearly all logins fail": r.share(failedLogin) > 0.9,
			}
		},
		"distributed-credential-stuffing": func(r requests) map[string]bool {
			return map[string]bool{
				"many addresses":         r.distinct(address) >= 40,
				"one fingerprint":        r.distinct(ja4) == 1,
				"every user name once":   r.distinct(username) > len(r)*95/100,
				"nearly all logins fail": r.share(failedLogin) > 0.9,
			}
		},
		"password-brute-force": func(r requests) map[string]bool {
			return map[string]bool{"one user name": r.distinct(username) == 1, "all logins fail": r.share(failedLogin) == 1}
		},
		"scraping": func(r requests) map[string]bool {
			return map[string]bool{
				"product after product": r.distinct(object) > len(r)*9/10,
				"most are served":       r.share(status(200)) > 0.95,
			}
		},
		"object-enumeration": func(r requests) map[string]bool {
			return map[string]bool{
				"one account":         r.distinct(account) == 1,
				"no order twice":      r.distinct(object) == len(r),
				"ids count up":        ascending(r),
				"most are not theirs": r.share(status(403, 404)) > 0.6,
			}
		},
		"vulnerability-scan": func(r requests) map[string]bool {
			return map[string]bool{
				"hardly anything is there": r.share(status(400, 403, 404)) == 1,
				"many paths":               r.distinct(func(e labelled) string { return e.Path }) >= min(150, len(r)/5),
				"mostly no route":          r.share(func(e labelled) bool { return e.Route == "" }) > 0.7,
			}
		},
		"token-cracking": func(r requests) map[string]bool {
			return map[string]bool{
				"one account":           r.distinct(account) == 1,
				"code after code":       r.distinct(object) == len(r),
				"hardly any is genuine": r.share(status(404)) > 0.9,
			}
		},
		"fake-accounts": func(r requests) map[string]bool {
			return map[string]bool{
				"each a new device":  r.distinct(device) == len(r) && r.share(func(e labelled) bool { return e.DeviceAge == 0 }) == 1,
				"each a new account": r.distinct(account) == len(r),
				"one network":        r.distinct(func(e labelled) string { return netip.PrefixFrom(e.Client, 64).Masked().String() }) == 1,
				"many addresses":     r.distinct(address) > 5,
			}
		},
		"flood": func(r requests) map[string]bool {
			return map[string]bool{
				"one route": r.distinct(func(e labelled) string { return e.Route }) == 1,
				"slow":      r.share(func(e labelled) bool { return e.Duration > 500*time.Millisecond }) > 0.9,
				"no cache":  r.distinct(func(e labelled) string { return e.Query }) == len(r),
			}
		},
		"replayed-device": func(r requests) map[string]bool {
			return map[string]bool{"one device": r.distinct(device) == 1, "many addresses": r.distinct(address) >= 10}
		},
		"forged-signatures": func(r requests) map[string]bool {
			return map[string]bool{
				"no valid signature": r.share(func(e labelled) bool {
					return e.Signature == sundew.ProofInvalid || e.Signature == sundew.ProofMissing
				}) == 1,
				"all refused": r.share(status(401)) == 1,
			}
		},
		"botnet-credential-stuffing": func(r requests) map[string]bool {
			return map[string]bool{
				"hundreds of addresses":  r.distinct(address) >= min(1000, len(r)/4),
				"one fingerprint":        r.distinct(ja4) == 1,
				"every user name once":   r.distinct(username) > len(r)*95/100,
				"nearly all logins fail": r.share(failedLogin) > 0.9,
			}
		},
		"carding": func(r requests) map[string]bool {
			return map[string]bool{
				"one account":       r.distinct(account) == 1,
				"every card once":   r.distinct(object) == len(r),
				"most are declined": r.share(status(402)) > 0.7,
			}
		},
		"card-cracking": func(r requests) map[string]bool {
			return map[string]bool{"one card": r.distinct(object) == 1, "all are refused": r.share(status(422)) == 1}
		},
		"scalping": func(r requests) map[string]bool {
			return map[string]bool{
				"one product":        r.distinct(object) == 1,
				"one account":        r.distinct(account) == 1,
				"a third are orders": r.share(onRoute("/v1/orders")) > 0.3,
			}
		},
		"inventory-hoarding": func(r requests) map[string]bool {
			return map[string]bool{"only into the cart": r.share(onRoute("/v1/cart/items")) == 1, "most are reserved": r.share(status(201)) > 0.8}
		},
		"review-spam": func(r requests) map[string]bool {
			return map[string]bool{"product after product": r.distinct(object) > len(r)*9/10, "one account": r.distinct(account) == 1}
		},
		"account-aggregation": func(r requests) map[string]bool {
			return map[string]bool{
				"one address":          r.distinct(address) == 1,
				"many accounts":        r.distinct(account) >= 5,
				"one in three logs in": r.share(func(e labelled) bool { return e.Auth == sundew.OutcomeSuccess }) > 0.3,
				"none fails":           r.share(failedLogin) == 0,
			}
		},
		"sms-pumping": func(r requests) map[string]bool {
			return map[string]bool{"number after number": r.distinct(object) == len(r), "nearly all are sent": r.share(status(202)) > 0.75}
		},
		"password-reset-flood": func(r requests) map[string]bool {
			return map[string]bool{"user name after user name": r.distinct(username) > len(r)*6/10, "nobody logs in": r.share(func(e labelled) bool {
				return e.Auth == sundew.OutcomeNone
			}) == 1}
		},
		"api-discovery": func(r requests) map[string]bool {
			return map[string]bool{
				"nothing is there":   r.share(status(401, 404, 405)) == 1,
				"no route":           r.share(onRoute("")) == 1,
				"path after path":    r.distinct(func(e labelled) string { return e.Path }) > len(r)/4,
				"method after other": r.distinct(func(e labelled) string { return e.Method }) >= 5,
			}
		},
		"admin-probing": func(r requests) map[string]bool {
			return map[string]bool{"one account": r.distinct(account) == 1, "most is forbidden": r.share(status(403)) > 0.7}
		},
		"parameter-injection": func(r requests) map[string]bool {
			return map[string]bool{
				"something in each query": r.share(func(e labelled) bool { return e.Query != "" }) == 1,
				"inner servers":           r.share(func(e labelled) bool { return strings.HasPrefix(e.Query, "url=") }) > 0.15,
				"most are refused":        r.share(status(400, 500)) > 0.5,
			}
		},
	}
	for _, attack := range sim.Catalogue() {
		known, described := marks[attack.Name]
		if !described {
			t.Errorf("%s: no marks are written down for it", attack.Name)
			continue
		}
		for _, intensity := range []float64{0.2, 1} {
			t.Run(fmt.Sprintf("%s at %g", attack.Name, intensity), func(t *testing.T) {
				made := alone(t, attack, intensity)
				for mark, holds := range known(made) {
					if !holds {
						t.Errorf("%d requests: %q does not hold", len(made), mark)
					}
				}
			})
		}
	}
}

// alone returns the requests of 20 minutes of the attack.
func alone(t *testing.T, attack sim.Attack, intensity float64) requests {
	t.Helper()
	c := sim.DefaultConfig()
	c.Duration, c.Clients = 20*time.Minute, 10
	attack.After, attack.Lasts, attack.Intensity = 0, c.Duration, intensity
	c.Attacks = []sim.Attack{attack}
	var made requests
	for _, e := range all(t, begin(t, c)) {
		if e.Campaign != "" {
			made = append(made, e)
		}
	}
	if len(made) < 50 {
		t.Fatalf("only %d requests in %s", len(made), c.Duration)
	}
	return made
}

func ascending(r requests) bool {
	for i := 1; i < len(r); i++ {
		if r[i].Object <= r[i-1].Object { // all ids have eight digits
			return false
		}
	}
	return true
}

// TestBlatantIsFasterAndBarer compares the two ends of the scale.
func TestBlatantIsFasterAndBarer(t *testing.T) {
	appAgent := func(e labelled) bool { return strings.HasPrefix(e.UserAgent, "Tern/") }
	for _, attack := range sim.Catalogue() {
		t.Run(attack.Name, func(t *testing.T) {
			stealthy, blatant := alone(t, attack, 0.1), alone(t, attack, 1)
			if len(blatant) < 5*len(stealthy) {
				t.Errorf("%d requests when blatant, %d when stealthy", len(blatant), len(stealthy))
			}
			if stealthy.share(appAgent) != 1 || blatant.share(appAgent) != 0 {
				t.Errorf("the app's user agent on %.2f of the stealthy and %.2f of the blatant requests", stealthy.share(appAgent), blatant.share(appAgent))
			}
		})
	}
}

func TestCatalogueExplainsItself(t *testing.T) {
	names := make(map[string]bool)
	for _, attack := range sim.Catalogue() {
		if names[attack.Name] {
			t.Errorf("%s is in the catalogue twice", attack.Name)
		}
		names[attack.Name] = true
		if !strings.HasSuffix(attack.Sentence, ".") || len(attack.OWASP) == 0 {
			t.Errorf("%s: sentence %q, OWASP %q", attack.Name, attack.Sentence, attack.OWASP)
		}
		for _, id := range attack.OWASP {
			if !strings.HasPrefix(id, "OAT-0") && !strings.HasSuffix(id, ":2023") {
				t.Errorf("%s: %q is no OWASP id", attack.Name, id)
			}
		}
	}
}
