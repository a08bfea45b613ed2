package scoring

import (
	"fmt"
	"time"

	"sundew"
)

// volumeFrom is the request of a day from which on an entity's requests are counted by route. Most addresses never come
// this far, so that they need no memory for it.
const volumeFrom = 8

// volumeChannel sees an entity ask for one route more often in ten minutes than others do: it fills carts, writes reviews,
// has codes sent, reads the catalogue, and each request is as it should be. The null is what legitimate client-days have
// shown of the route; see volumes.
func volumeChannel() channel {
	return channel{
		name:  "volume_route",
		kinds: kinds(sundew.KindIP, sundew.KindPrefix, sundew.KindDevice, sundew.KindAccount),
		step:  volumeStep,
		explain: func(s *state) (observed, expected float64, window time.Duration, sentence string) {
			v := s.volumePart
			observed, expected = countFloor(int(v.peak(v.Of))), float64(v.Usual)
			return observed, expected, volumeWindow * time.Second,
				fmt.Sprintf("%.0f requests or more for one route in ten minutes, %.0f or fewer expected", observed, expected)
		},
	}
}

func volumeStep(s *state, t *trial) (ratio, start float64, tried bool) {
	if t.routeClass == 0 || s.Trials < volumeFrom {
		return 1, 0, false
	}
	of, _ := volumeOf(s.Kind)
	v, law := s.volume(), &t.volumes.laws[of]
	h, higher := v.count(t.routeClass, s.Last/volumeWindow)
	before := v.Most
	if before > 0 && t.volumes.muted(of, v.Of) {
		v.Most = 0
		return 1 / float64(before), 0, true
	}
	if !higher || t.volumes.muted(of, t.routeClass) {
		return 1, 0, false
	}
	evidence := float32(law.evidence(t.routeClass, h.Peak) / law.evidence(t.routeClass, h.Before))
	if evidence <= max(before, 1) {
		return 1, 0, false
	}
	v.Most, v.Of, v.Usual = evidence, t.routeClass, uint16(law.usual(t.routeClass))
	if before == 0 {
		return float64(evidence), 1, true
	}
	return float64(evidence) / float64(before), 0, true
}

// closeVolume ends the day of the volume channel. What the entity did on a trusted day is no news later; a habit that it
// gives up fades by a sixth a day.
func (s *state) closeVolume(weight float64) {
	if s.Volume == 0 {
		return
	}
	v := s.volume()
	v.Window, v.Most, v.Of, v.Usual = 0, 0, 0, 0
	kept := 0
	for _, h := range v.Routes {
		h.Before = max(h.Before, 1) - 1
		if weight > 0 {
			h.Before = max(h.Before, h.Peak)
		}
		if h.Before > 0 {
			v.Routes[kept] = routeCount{Class: h.Class, Before: h.Before}
			kept++
		}
	}
	clear(v.Routes[kept:])
}

// count adds a request for a class of routes and says whether the class's count is the highest of the day.
func (v *volume) count(class uint16, window uint32) (h *routeCount, higher bool) {
	if window != v.Window {
		v.Window = window
		for i := range v.Routes {
			v.Routes[i].Count = 0
		}
	}
	h = v.slot(class)
	addTo(&h.Count, 1)
	bin := countBin(h.Count)
	if bin <= h.Peak {
		return h, false
	}
	h.Peak = bin
	return h, true
}

// slot is the one of the class. Where none is left the class with the lowest peaks is forgotten, so that only an entity
// with very many routes is counted short, and only in what it does seldom.
func (v *volume) slot(class uint16) *routeCount {
	least := &v.Routes[0]
	for i := range v.Routes {
		h := &v.Routes[i]
		switch {
		case h.Class == class:
			return h
		case h.Class == 0:
			h.Class = class
			return h
		case max(h.Peak, h.Before) < max(least.Peak, least.Before):
			least = h
		}
	}
	*least = routeCount{Class: class}
	return least
}

// peak is the bin of the most requests for the class in any window of today.
func (v *volume) peak(class uint16) uint8 {
	for i := range v.Routes {
		if v.Routes[i].Class == class {
			return v.Routes[i].Peak
		}
	}
	return 0
}
