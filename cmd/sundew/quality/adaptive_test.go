package quality

import (
	"net/netip"
	"testing"

	"sundew"
)

func TestAttackersReact(t *testing.T) {
	attacker, person := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.18.0.2")
	planned := func() []sundew.Event {
		var events []sundew.Event
		for i := range 64 {
			e := sundew.NewEvent()
			e.Client, e.Device, e.Account = attacker, "device", "account"
			if i%2 == 0 {
				e.Client = person
			}
			events = append(events, e)
		}
		return events
	}
	campaignOf := func(e *sundew.Event) string {
		if e.Client == attacker {
			return "attack"
		}
		return ""
	}
	rs := reactions{}
	count := func() (own, others int, last sundew.Event) {
		for _, e := range rs.send(planned(), campaignOf) {
			if e.Client == person {
				others++
			} else {
				own++
				last = e
			}
		}
		return own, others, last
	}
	if own, others, _ := count(); own != 32 || others != 32 {
		t.Fatalf("before anything happened %d and %d are sent, want 32 and 32", own, others)
	}
	for _, want := range []int{16, 8, 4, 2, 1, 1} {
		rs.learn("attack", hit{any: sundew.ActionTarpit})
		if own, others, _ := count(); own != want || others != 32 {
			t.Fatalf("slowed: %d and %d are sent, want %d and 32", own, others, want)
		}
	}
	seen := map[netip.Addr]bool{attacker: true}
	for range 3 {
		rs.learn("attack", hit{any: sundew.ActionTarpit})
		rs.learn("attack", hit{any: sundew.ActionBlock})
		own, _, e := count()
		if own != 1 || seen[e.Client] || e.Device == "device" || e.Account != "account" {
			t.Fatalf("refused: %d are sent, the last as %v, %s, %s", own, e.Client, e.Device, e.Account)
		}
		seen[e.Client] = true
		if _, _, again := count(); again.Client != e.Client {
			t.Fatalf("moved from %v to %v without a reason", e.Client, again.Client)
		}
	}
}

// TestAdaptiveAttackersAreMeasured: attackers who react send fewer requests, and the same legitimate clients are there.
func TestAdaptiveAttackersAreMeasured(t *testing.T) {
	c := Config{Seeds: 1, Clients: 40, Days: 1, Rate: 40, Intensities: []float64{.5}}
	requests := map[bool]int{}
	legitimate := map[bool]int{}
	for _, adaptive := range []bool{false, true} {
		c.Adaptive = adaptive
		report, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range report.Attacks {
			requests[adaptive] += a.Requests
		}
		legitimate[adaptive] = report.Segments[len(report.Segments)-1].Requests
	}
	if legitimate[true] != legitimate[false] || requests[true] > requests[false]/2 {
		t.Errorf("attackers who react send %d requests and others %d, beside %d and %d legitimate ones",
			requests[true], requests[false], legitimate[true], legitimate[false])
	}
}
