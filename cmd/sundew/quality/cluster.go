package quality

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"

	"sundew"
)

// Cluster is client-days that stand or fall together, and how many of them were hit: those behind one address.
type Cluster struct{ Hits, Of int }

// resamples of the clusters that an interval is read off.
const resamples = 1000

// ClusterBootstrap returns the percentile interval, at the given confidence, of the share of hits when whole clusters are
// drawn anew (Field and Welsh, J. R. Stat. Soc. B 69, 2007). It sorts clusters; the order does not matter and the same
// clusters always have the same interval. Without a hit it is that of independent client-days with one cluster each, which
// is all that can be said.
func ClusterBootstrap(clusters []Cluster, confidence float64) (low, high float64) {
	slices.SortFunc(clusters, func(a, b Cluster) int { return cmp.Or(cmp.Compare(a.Of, b.Of), cmp.Compare(a.Hits, b.Hits)) })
	hits := 0
	for _, c := range clusters {
		hits += c.Hits
	}
	if hits == 0 {
		return ClopperPearson(0, len(clusters), confidence)
	}
	rng := rand.New(rand.NewPCG(1, uint64(len(clusters))))
	shares := make([]float64, resamples)
	for i := range shares {
		var drawn Cluster
		for range clusters {
			c := clusters[rng.IntN(len(clusters))]
			drawn.Hits += c.Hits
			drawn.Of += c.Of
		}
		shares[i] = float64(drawn.Hits) / float64(max(drawn.Of, 1))
	}
	tail := (1 - confidence) / 2
	return quantile(shares, tail), quantile(shares, 1-tail)
}

// Clustered is the 95 % intervals of all legitimate client-days tarpitted and blocked, with those that began the day behind
// the same address drawn together: one bad neighbour may cost them all.
type Clustered struct {
	Addresses     int     `json:"addresses"`
	TarpittedLow  float64 `json:"tarpitted_low"`
	TarpittedHigh float64 `json:"tarpitted_high"`
	BlockedLow    float64 `json:"blocked_low"`
	BlockedHigh   float64 `json:"blocked_high"`

	tarpitted, blocked []Cluster
}

// cluster adds the client-days of one seed, whose addresses have nothing to do with those of another.
func (r *Report) cluster(clients map[clientDay]*clientTally) {
	tarpitted, blocked := map[netip.Addr]Cluster{}, map[netip.Addr]Cluster{}
	for _, tally := range clients {
		t, b := tarpitted[tally.address], blocked[tally.address]
		tarpitted[tally.address] = Cluster{t.Hits + one(tally.any.Enforces()), t.Of + 1}
		blocked[tally.address] = Cluster{b.Hits + one(tally.any == sundew.ActionBlock), b.Of + 1}
	}
	r.ByAddress.tarpitted = slices.AppendSeq(r.ByAddress.tarpitted, maps.Values(tarpitted))
	r.ByAddress.blocked = slices.AppendSeq(r.ByAddress.blocked, maps.Values(blocked))
}

func (r *Report) closeClusters() {
	c := &r.ByAddress
	c.Addresses = len(c.tarpitted)
	c.TarpittedLow, c.TarpittedHigh = ClusterBootstrap(c.tarpitted, .95)
	c.BlockedLow, c.BlockedHigh = ClusterBootstrap(c.blocked, .95)
	c.tarpitted, c.blocked = nil, nil
}
