package edge

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"sundew"
)

// Caps bounds the requests that are held at once. A held request costs a connection and a goroutine, and impatient
// clients retry: a tarpit without bounds is a way to bring the proxy down.
type Caps struct {
	Held          int `yaml:"held"`           // in all
	PerKey        int `yaml:"per_key"`        // for the entity that a decision names
	PerPrefix     int `yaml:"per_prefix"`     // from one IPv4 /24 or IPv6 /64
	PerConnection int `yaml:"per_connection"` // of one HTTP/2 connection, whose other streams may be somebody else's
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

// A slot is the room that one held request takes.
type slot struct {
	of      *slots
	key     sundew.Entity
	prefix  netip.Prefix
	streams *streams // nil where requests do not share a connection
}

// take returns whether there was room. Whoever took a slot gives it back.
func (s *slots) take(key sundew.Entity, prefix netip.Prefix, of *streams) (slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held >= s.caps.Held || s.byKey[key] >= s.caps.PerKey || s.byPrefix[prefix] >= s.caps.PerPrefix {
		return slot{}, false
	}
	if of != nil {
		if of.held >= s.caps.PerConnection {
			return slot{}, false
		}
		of.held++
	}
	s.held++
	s.byKey[key]++
	s.byPrefix[prefix]++
	return slot{s, key, prefix, of}, true
}

func (s slot) giveBack() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.of.held--
	if s.of.byKey[s.key]--; s.of.byKey[s.key] == 0 {
		delete(s.of.byKey, s.key)
	}
	if s.of.byPrefix[s.prefix]--; s.of.byPrefix[s.prefix] == 0 {
		delete(s.of.byPrefix, s.prefix)
	}
	if s.streams != nil {
		s.streams.held--
	}
}

// streams are those of one HTTP/2 connection; the lock of the slots guards them.
type streams struct{ held int }

type streamsKey struct{}

// ConnContext is for http.Server.ConnContext: with it a Gate counts the streams of an HTTP/2 connection that it holds.
func ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, streamsKey{}, new(streams))
}

// streamsOf are those of the request's connection, nil where it carries one request at a time.
func streamsOf(r *http.Request) *streams {
	if r.ProtoMajor < 2 {
		return nil
	}
	s, _ := r.Context().Value(streamsKey{}).(*streams)
	return s
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
