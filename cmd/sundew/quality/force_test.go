package quality

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"sundew"
)

var noon = time.Date(2026, time.January, 5, 12, 0, 0, 0, time.UTC)

func request(after time.Duration, device string) *sundew.Event {
	e := sundew.NewEvent()
	e.Time, e.Client, e.Device = noon.Add(after), netip.MustParseAddr("198.18.0.1"), device
	return &e
}

func decision(rule string, action sundew.Action, basis sundew.Basis) sundew.Decision {
	return sundew.Decision{
		Time: noon, Entity: sundew.Entity{Kind: sundew.KindIP, Key: "198.18.0.1"}, Action: action, Rule: rule,
		Basis: basis, Expires: noon.Add(time.Minute),
	}
}

func TestDecisionActsAfterTheEventThatMadeItUntilItExpires(t *testing.T) {
	f := newForce()
	f.expect([]sundew.Decision{decision("ladder@1", sundew.ActionTarpit, sundew.BasisScore), decision("scan@1", sundew.ActionBlock, sundew.BasisPoints)})
	for _, test := range []struct {
		after time.Duration
		want  hit
	}{
		{0, hit{}},
		{time.Second, hit{sundew.ActionBlock, sundew.ActionTarpit, sundew.ActionBlock, "scan"}},
		{time.Minute, hit{}},
	} {
		if got := f.on(request(test.after, "")); got != test.want {
			t.Errorf("after %s: %+v, want %+v", test.after, got, test.want)
		}
	}
}

func TestLaterDecisionOfTheSameRuleReplaces(t *testing.T) {
	f := newForce()
	milder := decision("ladder@2", sundew.ActionObserve, sundew.BasisScore)
	milder.Time = noon.Add(time.Second)
	f.expect([]sundew.Decision{decision("ladder@1", sundew.ActionBlock, sundew.BasisScore), milder})
	if got := f.on(request(2*time.Second, "")); got.any != sundew.ActionObserve {
		t.Errorf("%+v", got)
	}
}

func TestShadowAndNarrowedDecisionsSpareOthers(t *testing.T) {
	f := newForce()
	shadow, narrow := decision("trial@1", sundew.ActionBlock, sundew.BasisScore), decision("crowd@1", sundew.ActionTarpit, sundew.BasisScore)
	shadow.Shadow = true
	narrow.And = []sundew.Entity{{Kind: sundew.KindDevice, Key: "d"}}
	f.expect([]sundew.Decision{shadow, narrow})
	if got := f.on(request(time.Second, "other")); got != (hit{}) {
		t.Errorf("another device: %+v", got)
	}
	if got := f.on(request(time.Second, "d")); got.any != sundew.ActionTarpit {
		t.Errorf("the device: %+v", got)
	}
}

func TestCampaignTallyStopsCountingAtTheFirstEnforcement(t *testing.T) {
	c := &campaignTally{through: map[netip.Addr]int{}}
	c.count(request(0, ""), hit{})
	c.count(request(time.Second, ""), hit{any: sundew.ActionObserve})
	c.count(request(3*time.Second, ""), hit{any: sundew.ActionTarpit})
	c.count(request(4*time.Second, ""), hit{any: sundew.ActionBlock})
	c.count(request(5*time.Second, ""), hit{})
	if !c.enforced || c.before != 2 || c.seconds != 3 || c.requests != 5 || c.through[netip.MustParseAddr("198.18.0.1")] != 3 {
		t.Errorf("%+v", c)
	}
}

func TestQuantileCountsTheNeverEnforced(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		values []float64
		p      float64
		want   float64
	}{
		{[]float64{3, inf, 1}, .5, 3},
		{[]float64{inf, inf, 1}, .5, -1},
		{[]float64{4, 3, 2, 1}, .5, 2},
		{nil, .5, -1},
	} {
		if got := quantile(test.values, test.p); got != test.want {
			t.Errorf("quantile %g of %v is %g, want %g", test.p, test.values, got, test.want)
		}
	}
}

func TestRulesThatHitTheLegitimateAreNamed(t *testing.T) {
	tally := &clientTally{segment: "web"}
	tally.count(hit{})
	tally.count(hit{any: sundew.ActionTarpit, rule: "logins"})
	tally.count(hit{any: sundew.ActionBlock, rule: "logins"})
	tally.count(hit{any: sundew.ActionObserve, rule: "watch"})
	if len(tally.byRule) != 1 || tally.byRule["logins"] != 2 || tally.delayed != 1 || tally.refused != 1 || tally.requests != 4 {
		t.Errorf("%+v", tally)
	}
}

func TestEvidenceFollowsFromPointsWhereItIsNotWrittenDown(t *testing.T) {
	// 100 to 1 for abuse against a prior of 1 in 10,000 are about 0.99 points.
	odds := 100 * 1e-4 / (1 - 1e-4)
	if got := natsOf(&sundew.Score{Points: 100 * odds / (1 + odds)}); math.Abs(got-math.Log(100)) > 1e-9 {
		t.Errorf("%g nats, want ln 100", got)
	}
	if got := natsOf(&sundew.Score{Points: 100, Nats: 400}); got != 400 {
		t.Errorf("%g nats, want what is written down", got)
	}
	if got := natsOf(&sundew.Score{}); !math.IsInf(got, -1) {
		t.Errorf("%g nats of an entity that was not admitted, want none", got)
	}
}

// TestEvidenceAgainstAbusedEntitiesIsNoFalseOne has a network that an attacker shares and a device of the client's own.
func TestEvidenceAgainstAbusedEntitiesIsNoFalseOne(t *testing.T) {
	network := sundew.Entity{Kind: sundew.KindPrefix, Key: "192.0.2.0/24"}
	device := sundew.Entity{Kind: sundew.KindDevice, Key: "d"}
	tally := &clientTally{}
	tally.claim(network, 9)
	tally.claim(device, 3)
	tally.claim(device, leastClaim/2)
	abused := map[entityDay]bool{{network, 7}: true}
	if got := tally.nats(7, abused); got != 3 {
		t.Errorf("%v nats on the day of the attack, want the device's 3", got)
	}
	if got := tally.nats(8, abused); got != 9 {
		t.Errorf("%v nats the day after, want the network's 9", got)
	}
}
