package edge

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"sundew"
)

// Caps bounds the requests that are held at once. A held request costs a connection and a goroutine, and impatient
// clients retry: a tarpit without bounds is a way to bring the proxy down.
type Caps struct {
	Held      int `yaml:"held"`       // in all
	PerKey    int `yaml:"per_key"`    // for the entity that a decision names
	PerPrefix int `yaml:"per_prefix"` // from one IPv4 /24 or IPv6 /64
}

// slots count the held requests. What they remember is bounded by Caps.Held.
type slots struct {
	caps Caps

	mu       sync.Mutex
	held     int
	byKey    map[sundew.Entity]int
	byPrefix map[netip.Prefix]int
}

func newSlots(caps Caps) *slots {
	return &slots{caps: caps, byKey: make(map[sundew.Entity]int), byPrefix: make(map[netip.Prefix]int)}
}

// take returns whether there was room. Whoever took a slot gives it back.
func (s *slots) take(key sundew.Entity, prefix netip.Prefix) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held >= s.caps.Held || s.byKey[key] >= s.caps.PerKey || s.byPrefix[prefix] >= s.caps.PerPrefix {
		return false
	}
	s.held++
	s.byKey[key]++
	s.byPrefix[prefix]++
	return true
}

func (s *slots) giveBack(key sundew.Entity, prefix netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
	if s.byKey[key]--; s.byKey[key] == 0 {
		delete(s.byKey, key)
	}
	if s.byPrefix[prefix]--; s.byPrefix[prefix] == 0 {
		delete(s.byPrefix, prefix)
	}
}

// narrowestPrefix is the network that PerPrefix counts by.
func narrowestPrefix(addr netip.Addr) netip.Prefix {
	prefixes, _ := sundew.Prefixes(addr)
	return prefixes[0]
}

// jittered spreads a delay by a tenth either way, so that a client cannot recognise it, and bounds it.
func jittered(d, longest time.Duration) time.Duration {
	spread := 0.9 + 0.2*rand.Float64()
	return min(time.Duration(float64(d)*spread), longest)
}

// hold waits and returns for how long; left is true when the client went away first.
func hold(ctx context.Context, d time.Duration) (held time.Duration, left bool) {
	start := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return d, false
	case <-ctx.Done():
		return time.Since(start), true
	}
}
