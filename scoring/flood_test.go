package scoring

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"sundew"
)

// TestFloodOfSpoofedIDsHidesNobody streams invented devices, each used once, past slow attackers who come back so seldom
// that a table which gave up the longest idle entity would have forgotten each of them between two of its requests: a
// round brings twice as many invented devices as the table has places. Every attacker must still be convicted.
func TestFloodOfSpoofedIDsHidesNobody(t *testing.T) {
	entities, rounds := 20_000, 50
	if os.Getenv("SUNDEW_LONG") != "" {
		entities, rounds = 100_000, 50 // 10 million devices
	}
	const attackers = 500
	c := DefaultConfig()
	c.Entities, c.Workers, c.Seed = entities, 1, 7
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(19, 20))
	most := map[string]float64{}
	var events []sundew.Event
	for round := range rounds {
		perAttacker := 2 * entities / attackers
		for attacker := range attackers {
			at := start.Add(time.Duration(round)*10*time.Minute + time.Duration(attacker)*time.Second)
			events = append(events[:0], slow(at, attacker, round))
			for range perAttacker {
				events = append(events, spoofed(at, rng))
			}
			for _, s := range e.Score(sundew.Batch{Events: events}) {
				if s.Entity.Kind == sundew.KindDevice && s.Event == &events[0] {
					most[s.Entity.Key] = max(most[s.Entity.Key], s.Points)
				}
			}
		}
	}
	found := 0
	for attacker := range attackers {
		if most[fmt.Sprintf("slow-%d", attacker)] >= 90 {
			found++
		}
	}
	if found < attackers {
		t.Errorf("%d of %d slow attackers found behind %d invented devices", found, attackers, 2*entities*rounds)
	}
}

// slow is an attempt at a login every ten minutes, each from another address.
func slow(at time.Time, attacker, round int) sundew.Event {
	e := sundew.NewEvent()
	e.Time, e.Client = at, netip.AddrFrom4([4]byte{12, byte(attacker >> 4), byte(round), byte(attacker)})
	e.Method, e.Path, e.Status, e.Auth = "POST", "/v1/login", 401, sundew.OutcomeFailure
	e.Device = fmt.Sprintf("slow-%d", attacker)
	return e
}

// spoofed is a request of a device that was never there before and will not come again.
func spoofed(at time.Time, rng *rand.Rand) sundew.Event {
	e := sundew.NewEvent()
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], rng.Uint64())
	e.Time, e.Client = at, netip.AddrFrom4([4]byte{13, 1, 1, id[0]})
	e.Method, e.Path, e.Status = "GET", "/v1/feed", 200
	e.Device = string(fmt.Appendf(nil, "%x", id))
	return e
}
