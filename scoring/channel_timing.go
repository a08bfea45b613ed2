package scoring

import "sundew"

const (
	timedTrials = 12 // gaps that are looked at in a day
	timedShare  = .8 // of them alike is a machine
	leastGap    = 2  // seconds; shorter ones are alike because logs count in seconds
	// timedAbusers is how many abusers keep time.
	timedAbusers = .4
)

// timingPrior has one legitimate device in five keep time: apps refresh, pictures change by themselves.
var timingPrior = priorOf{
	sundew.KindIP:      {.1, .9},
	sundew.KindDevice:  {.2, .8},
	sundew.KindAccount: {.2, .8},
}

// timingChannel sees log-ins and visits to objects follow each other at one pace. The gaps of people spread over orders of
// magnitude (log-normal, or heavier); two that differ by less than a tenth are chance once in ten. Software keeps time
// for good reasons too, and two who wait for the same clock do it together, so no number of gaps proves more than one: the
// channel speaks once a day and can convict nobody.
func timingChannel() channel {
	return channel{
		name:    "timing",
		kinds:   kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount),
		step:    timingStep,
		explain: outcomeExplain(chTiming, &timingPrior, "%d of %d gaps between log-ins or objects were like the gap before, %.1f expected"),
	}
}

func timingStep(s *state, t *trial) (ratio, start float64, tried bool) {
	if !t.authAttempt && t.object == 0 {
		return 1, 0, false
	}
	c := s.cold()
	gap := max(s.Last, c.LastTimed) - c.LastTimed
	before := c.LastGap
	known := c.LastTimed != 0
	if gap == 0 && known {
		return 1, 0, false
	}
	c.LastTimed = s.Last
	if !known {
		return 1, 0, false
	}
	c.LastGap = gap
	if before < leastGap || gap < leastGap {
		return 1, 0, false
	}
	alike := 10*(max(gap, before)-min(gap, before)) < gap
	return settled(s, chTiming, timedTrials, timedShare, &timingPrior, alike, timedAbusers)
}
