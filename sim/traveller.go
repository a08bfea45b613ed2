package sim

import (
	"time"

	"sundew"
)

// A traveller stays in a network for this long: an airport, a hotel, a foreign carrier.
const (
	stayLow  = 2 * time.Hour
	stayHigh = 9 * time.Hour
	stops    = 8 // different networks, after which the journey begins again
)

// traveller is a person whose address and country change.
type traveller struct {
	*person
	itinerary []place
	stop      int
	leaves    time.Duration
}

func (s *settler) travellers(first uint32, _ int) (int, []sundew.Entity) {
	journey := &traveller{}
	shared := s.household(first, 1, func(number uint32, at place) {
		journey.person = s.newPerson(number, at)
		journey.itinerary = append(journey.itinerary, at)
	})
	for len(journey.itinerary) < stops {
		s.household(first, 1, func(_ uint32, at place) {
			journey.itinerary = append(journey.itinerary, at)
		})
	}
	journey.leaves = between(journey.opens.rng, 0, stayHigh)
	s.add(first, journey, journey.first())
	return 1, shared
}

func (t *traveller) request(at time.Duration, e *sundew.Event) time.Duration {
	for at >= t.leaves {
		t.stop++
		t.place = t.itinerary[t.stop%len(t.itinerary)]
		t.leaves += between(t.opens.rng, stayLow, stayHigh)
	}
	return t.person.request(at, e)
}
