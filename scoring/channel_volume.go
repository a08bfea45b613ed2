package scoring

import (
	"fmt"
	"math/bits"
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
		name:    "volume_route",
		kinds:   kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount),
		step:    volumeStep,
		explain: volumeExplain,
	}
}

func volumeStep(s *state, t *trial) (ratio, start float64, tried bool) {
	if t.route == 0 || s.Trials < volumeFrom {
		return 1, 0, false
	}
	v, class := s.volume(), bits.TrailingZeros64(t.route)
	if window := s.Last / volumeWindow; window != v.Window {
		v.Window, v.Counts = window, [routeClasses]uint8{}
	}
	addTo(&v.Counts[class], 1)
	of, _ := volumeOf(s.Kind)
	law := &t.volumes.Laws[of]
	if v.Most > 0 && law.Muted>>v.Of&1 != 0 {
		ratio, v.Most = 1/float64(v.Most), 0
		return ratio, 0, true
	}
	bin := countBin(v.Counts[class])
	if bin <= v.Peaks[class] {
		return 1, 0, false
	}
	v.Peaks[class] = bin
	evidence, before := float32(law.evidence(class, bin)), v.Most
	if evidence <= max(before, 1) {
		return 1, 0, false
	}
	v.Most, v.Of, v.Usual = evidence, uint8(class), law.Usual[class]
	if before == 0 {
		return float64(evidence), 1, true
	}
	return float64(evidence) / float64(before), 0, true
}

func volumeExplain(s *state) (observed, expected float64, window time.Duration, sentence string) {
	v := s.volumePart
	observed, expected = countFloor(int(v.Peaks[v.Of])), float64(v.Usual)
	return observed, expected, volumeWindow * time.Second,
		fmt.Sprintf("%.0f requests or more for one route in ten minutes, %.0f or fewer expected", observed, expected)
}
