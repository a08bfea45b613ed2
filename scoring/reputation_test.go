package scoring

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"sundew"
)

func listed(t *testing.T) *Reputation {
	t.Helper()
	r := NewReputation()
	if err := r.List("proxies"); err != nil {
		t.Fatal(err)
	}
	r.Add(netip.MustParsePrefix("198.51.100.7/24"))
	r.Add(netip.MustParsePrefix("2001:db8::/32"))
	r.AddSystem(64500)
	return r
}

func TestReputationFindsNetworksAndSystems(t *testing.T) {
	r := listed(t)
	tests := []struct {
		client string
		asn    uint32
		want   bool
	}{
		{"198.51.100.200", 0, true},
		{"198.51.101.1", 0, false},
		{"2001:db8:1::1", 0, true},
		{"203.0.113.1", 64500, true},
		{"203.0.113.1", 64501, false},
		{"203.0.113.1", 0, false},
	}
	for _, tt := range tests {
		e := sundew.Event{Client: netip.MustParseAddr(tt.client), ASN: tt.asn}
		if list, ok := r.find(&e); ok != tt.want || (ok && list != "proxies") {
			t.Errorf("%s of AS%d: %q, %v, want %v", tt.client, tt.asn, list, ok, tt.want)
		}
	}
	if r.Len() != 3 {
		t.Errorf("%d entries, want 3", r.Len())
	}
}

// TestReputationIsFair takes the expectation over a legitimate population, of which the assumed share is listed.
func TestReputationIsFair(t *testing.T) {
	if mean := listedHonest*listedRatio + (1-listedHonest)*unlistedRatio; math.Abs(mean-1) > 1e-12 {
		t.Errorf("the mean ratio of legitimate addresses is %v, want 1", mean)
	}
}

func TestReputationTipsAScaleAndConvictsNobody(t *testing.T) {
	points := func(r *Reputation, client string, failing bool) float64 {
		e, err := New(Config{Entities: 4096, Prior: 1e-4, Seed: 1, Workers: 1, Reputation: r})
		if err != nil {
			t.Fatal(err)
		}
		var score sundew.Score
		for i := range 12 {
			score, _ = last(e.Score(sundew.Batch{Events: []sundew.Event{request(time.Duration(i)*time.Second, client, func(e *sundew.Event) {
				if failing {
					e.Auth = sundew.OutcomeFailure
				}
			})}}), sundew.Entity{Kind: sundew.KindIP, Key: client})
		}
		if r != nil && failing && score.Points >= explainFrom {
			named := false
			for _, reason := range score.Evidence {
				named = named || reason.Channel == reputationName
			}
			if named != (client == "198.51.100.9") {
				t.Errorf("%s: reasons %v", client, score.Evidence)
			}
		}
		return score.Points
	}
	const bad, good = "198.51.100.9", "203.0.113.9"
	if quiet := points(listed(t), bad, false); quiet > 1 {
		t.Errorf("an address that does nothing but stand on a list has %.2f points", quiet)
	}
	onList, none, offList := points(listed(t), bad, true), points(nil, bad, true), points(listed(t), good, true)
	if !(onList > none && none > offList) {
		t.Errorf("failing log-ins: %.1f points on a list, %.1f without lists, %.1f off the list; want them to fall", onList, none, offList)
	}
}
