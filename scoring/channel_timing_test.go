package scoring

import (
	"math/rand/v2"
	"testing"
	"time"

	"sundew"
)

// paced returns the evidence of failing log-ins with the given gaps, and how many times the timing channel spoke.
func paced(gaps []uint32, failed bool) (evidence float64, spoke int) {
	s := stateOf(hot{Kind: uint8(sundew.KindIP)})
	second := uint32(1_795_521_600)
	for _, gap := range gaps {
		second += gap
		s.advance(second)
		before := *s.ledger(chTiming)
		s.judge(&trial{climate: &calm, second: second, authAttempt: true, authFailure: failed})
		if *s.ledger(chTiming) != before {
			spoke++
		}
	}
	return s.evidence(&evenMixture), spoke
}

func TestTimingChannel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	steady, human := make([]uint32, 40), make([]uint32, 40)
	for i := range steady {
		steady[i] = 30 + random.Uint32N(2)
		human[i] = 2 + uint32(20*random.ExpFloat64()*random.ExpFloat64())
	}
	fast := make([]uint32, 40) // several a second, which a log in seconds cannot tell apart
	for i := range fast {
		fast[i] = uint32(i % 2)
	}
	steadily, spoke := paced(steady, true)
	humanly, _ := paced(human, true)
	if steadily <= humanly || spoke != 1 {
		t.Errorf("evidence %v at a steady pace, %v at a human one: want more; the channel spoke %d times, want 1", steadily, humanly, spoke)
	}
	if _, spoke := paced(fast, true); spoke != 0 {
		t.Errorf("the channel spoke %d times about gaps that the log cannot show", spoke)
	}
	if alone, _ := paced(steady, false); alone > 2 {
		t.Errorf("a steady pace alone makes evidence of %v, want at most 2", alone)
	}
}

// TestAPollingAppIsNoNews keeps time every day: from the second day on that is no news.
func TestAPollingAppIsNoNews(t *testing.T) {
	e := newEngine(t, 1)
	var events []sundew.Event
	for i := range 3 * 480 {
		events = append(events, request(time.Duration(i)*3*time.Minute, client, func(e *sundew.Event) {
			e.Device, e.Object, e.Path = "d-1", "17", "/orders/17"
		}))
	}
	if _, most := last(e.Score(sundew.Batch{Events: events}), device); most > 2 {
		t.Errorf("an app that looks at one order every three minutes reaches %.1f points, want at most 2", most)
	}
}
