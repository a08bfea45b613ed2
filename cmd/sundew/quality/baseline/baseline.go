// Package baseline has the simple and the published detectors that sundew is measured beside. They are plain versions
// for comparison: they keep every address, in memory without a bound.
package baseline

import (
	"math"
	"net/netip"

	"sundew"
)

// Detector gives each request a number that is higher the more suspicious it is. Events come in order of time. A
// Detector is for one goroutine.
type Detector interface {
	Name() string
	Score(e *sundew.Event) float64
}

// All returns a fresh detector of each kind. seed fixes the random choices of those that make some.
func All(seed uint64) []Detector {
	return []Detector{NewRate(), NewEWMA(), NewTreesOfRequests(seed), NewMIDASFOfRequests(seed)}
}

// minuteCount is how many requests an address has sent in a minute.
type minuteCount struct {
	minute int64
	n      float64
}

// Rate is the fixed threshold that most gateways offer: requests of the address in the running minute.
type Rate struct{ counts map[netip.Addr]minuteCount }

// NewRate returns a Rate without a past.
func NewRate() *Rate { return &Rate{map[netip.Addr]minuteCount{}} }

// Name returns the name for tables.
func (r *Rate) Name() string { return "requests per address and minute" }

// Score returns the requests so far in the minute.
func (r *Rate) Score(e *sundew.Event) float64 {
	c := r.counts[e.Client]
	if minute := e.Time.Unix() / 60; minute != c.minute {
		c = minuteCount{minute: minute}
	}
	c.n++
	r.counts[e.Client] = c
	return c.n
}

// EWMA compares the running minute of an address with an exponentially weighted mean and variance of its minutes before.
// Minutes without a request do not count. Source: Roberts, Technometrics 1 (1959).
type EWMA struct{ addresses map[netip.Addr]*smoothed }

type smoothed struct {
	now            minuteCount
	mean, variance float64
}

// The weight of the newest minute, and what an address is taken for before it has shown anything.
const (
	ewmaWeight = .1
	ewmaMean   = 2
	ewmaFloor  = 1 // least variance, that of counts below which nothing is told apart
)

// NewEWMA returns an EWMA without a past.
func NewEWMA() *EWMA { return &EWMA{map[netip.Addr]*smoothed{}} }

// Name returns the name for tables.
func (w *EWMA) Name() string { return "EWMA z-score of the address's minute" }

// Score returns by how many standard deviations the running minute is above the mean.
func (w *EWMA) Score(e *sundew.Event) float64 {
	s := w.addresses[e.Client]
	minute := e.Time.Unix() / 60
	if s == nil {
		s = &smoothed{now: minuteCount{minute: minute}, mean: ewmaMean, variance: ewmaMean}
		w.addresses[e.Client] = s
	}
	if minute != s.now.minute {
		off := s.now.n - s.mean
		s.mean += ewmaWeight * off
		s.variance = (1 - ewmaWeight) * (s.variance + ewmaWeight*off*off)
		s.now = minuteCount{minute: minute}
	}
	s.now.n++
	return (s.now.n - s.mean) / math.Sqrt(max(s.variance, ewmaFloor))
}

// Hash is a hash of the text that is the same in every process.
func Hash(seed uint64, text string) uint64 {
	h := seed ^ 14695981039346656037
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return mix(h)
}

// mix spreads the bits of x over the whole word (splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
