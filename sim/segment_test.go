package sim_test

import (
	"testing"
	"time"

	"sundew"
	"sundew/sim"
)

// TestUncommonSegmentsAreWhatTheirSentencesSay looks at a day of those segments that are a hundredth or less.
func TestUncommonSegmentsAreWhatTheirSentencesSay(t *testing.T) {
	c := sim.DefaultConfig()
	c.Clients, c.Attacks = 300, nil
	devices, clients := make(map[string]map[string]bool), make(map[string]map[string]bool) // of an account
	failures := make(map[string]int)                                                       // of a user name
	countries := make(map[string]map[string]bool)                                          // of a device
	of := make(map[string]requests)
	for _, e := range all(t, begin(t, c)) {
		of[e.Segment] = append(of[e.Segment], e)
		switch e.Segment {
		case "family":
			if e.Account != "" {
				add(devices, e.Account, e.Device)
				add(clients, e.Account, e.UserAgent)
			}
		case "app-forgetful":
			if e.Auth == sundew.OutcomeFailure {
				failures[e.AuthUsername]++
			}
		case "app-traveller":
			add(countries, e.Device, e.Country)
		}
	}
	if len(devices) != 2 {
		t.Errorf("6 clients are %d families", len(devices))
	}
	most := 0
	for account, with := range devices {
		most = max(most, len(with))
		if len(with) > 3 || len(clients[account]) > 3 {
			t.Errorf("account %s has %d devices, the browser one of them", account, len(with))
		}
	}
	if most != 3 {
		t.Errorf("the family with most devices has %d", most)
	}
	for name, n := range failures {
		if n < 3 || n > 25 {
			t.Errorf("%d logins of %s fail", n, name)
		}
	}
	if len(failures) != 3 {
		t.Errorf("%d of 3 people have an old password", len(failures))
	}
	abroad := 0
	for _, in := range countries {
		if len(in) > 1 {
			abroad++
		}
	}
	if abroad == 0 {
		t.Errorf("none of %d travellers leaves the country", len(countries))
	}
	steady(t, "monitor", of["monitor"], 10*time.Second)
	steady(t, "partner-poller", of["partner-poller"], 15*time.Second)
}

// steady checks that the requests come on a timer, all day and from one address.
func steady(t *testing.T, segment string, r requests, every time.Duration) {
	t.Helper()
	if want := int(24 * time.Hour / every); len(r) < want-10 || len(r) > want+10 || r.distinct(address) != 1 {
		t.Errorf("%s: %d requests from %d addresses, want one each %s", segment, len(r), r.distinct(address), every)
	}
	for i := 1; i < len(r); i++ {
		if gap := r[i].Time.Sub(r[i-1].Time); gap < every*9/10 || gap > every*11/10 {
			t.Fatalf("%s: %s between two requests", segment, gap)
		}
	}
}
