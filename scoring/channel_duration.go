package scoring

import (
	"fmt"
	"math/bits"
	"time"

	"sundew"
)

// durationPrior is for the hours of a day after the twelfth that an entity was active in. People go on for a few and then
// sleep; apps that poll and probes that watch never stop. The prior knows that both are common: a whole day of hits has
// the probability of one in six under it, so that being awake around the clock is worth at most six to one.
var durationPrior = priorOf{
	sundew.KindDevice:  {.5, .5},
	sundew.KindAccount: {.5, .5},
}

// restless is what the alternative believes: who abuses does not sleep.
var restless = beta{.9, .1}

// wakeful is how many active hours of a UTC day say nothing yet.
const wakeful = 12

// durationChannel sees an entity that is active around the clock. Each hour after the wakeful ones is a trial, settled by
// the first request after it began: it is either of that hour, or of a later one, and then the hours between were missed.
// An address may serve an office and the night shift next door, so only devices and accounts are held to a person's day.
func durationChannel() channel {
	return channel{
		name:  "duration",
		kinds: kinds(sundew.KindDevice, sundew.KindAccount),
		step:  durationStep,
		explain: func(s *state) (observed, expected float64, window time.Duration, sentence string) {
			observed = float64(bits.OnesCount32(s.Hours))
			expected = wakeful + s.duel(chDuration).expected(durationPrior[s.Kind])
			return observed, expected, s.sinceMidnight(),
				fmt.Sprintf("active in %.0f different hours of the day, at most %.1f expected", observed, expected)
		},
	}
}

func durationStep(s *state, _ *trial) (ratio, start float64, tried bool) {
	hour := int(s.Last % secondsPerDay / 3600)
	before, next := s.Hours, bits.Len32(s.Hours)
	s.Hours |= 1 << hour
	if hour < next || bits.OnesCount32(before) < wakeful {
		return 1, 0, false
	}
	d := s.duel(chDuration)
	start, ratio = startWeight(uint32(d.Trials)), 1
	for ; next <= hour; next++ {
		ratio *= d.believingStep(durationPrior[s.Kind], restless, next == hour, 1)
	}
	return ratio, start, true
}
