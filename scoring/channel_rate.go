package scoring

import (
	"fmt"
	"math"
	"time"

	"sundew"
)

// rateMean is the population's mean number of further requests in an active minute. Real page loads of a public web site
// have 2.3 and app sessions 4.2; the margin above them is for what this version does not learn from the population.
const rateMean = 12

var rateLevels = hurdles(rateMean)

// rateChannel sees more requests in an active minute than an entity of its kind, with its past, would send.
func rateChannel() channel {
	return channel{
		name:    "rate",
		kinds:   kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step:    rateStep,
		explain: rateExplain,
	}
}

func rateStep(s *state, t *trial) (ratio, start float64, tried bool) {
	minute := int32(t.second / 60)
	if s.InMinute > 0 && minute <= s.Minute {
		ratio = rateLevels[s.rateLevel()].more[min(int(s.InMinute)-1, hurdleDepth-1)]
		addTo(&s.InMinute, 1)
		return ratio, 0, true
	}
	ratio = 1
	if s.InMinute > 0 {
		ratio = rateLevels[s.rateLevel()].stop[min(int(s.InMinute)-1, hurdleDepth-1)]
		addTo(&s.TodayCount, uint32(s.InMinute))
	}
	if s.Windows < maxWindowStarts {
		start = windowStart
	}
	addTo(&s.Windows, 1)
	s.Minute, s.InMinute = minute, 1
	return ratio, start, true
}

// rateLevel is the level of the null's mean: the population's, raised by what the entity did in its trusted past and in
// today's closed minutes, and by the number of devices behind it; never lowered.
func (s *state) rateLevel() int {
	closed := float64(s.Windows) - 1
	own := float64(float64(s.PastMean)*float64(s.PastWindows)) + max(float64(s.TodayCount)-closed, 0)
	mean := (meanShrinkage*rateMean + own) / (meanShrinkage + float64(s.PastWindows) + max(closed, 0))
	mean = max(mean, rateMean) * max(1, distinct(s.Covered[setDevices]))
	level := int(math.Ceil(2 * math.Log2(mean/rateMean)))
	return min(max(level, 0), hurdleLevels-1)
}

// closeRate ends the day of the rate channel. A trusted day joins the past, which it can at most double.
func (s *state) closeRate(weight float64) {
	count, windows := float64(s.TodayCount)+float64(s.InMinute), float64(s.Windows)
	if windows > 0 && weight > 0 {
		today := min(count/windows-1, 2*max(float64(s.PastMean), rateMean))
		size := min(float64(s.PastWindows)+float64(weight*windows), maxPastWindows)
		share := float64(weight*windows) / (float64(s.PastWindows) + float64(weight*windows))
		s.PastMean = float32(float64(s.PastMean) + float64(share*(today-float64(s.PastMean))))
		s.PastWindows = float32(size)
	}
	s.InMinute, s.Windows, s.TodayCount = 0, 0, 0
}

func rateExplain(s *state) (observed, expected float64, window time.Duration, sentence string) {
	windows := max(float64(s.Windows), 1)
	observed = (float64(s.TodayCount) + float64(s.InMinute)) / windows
	expected = rateLevels[s.rateLevel()].mean + 1
	return observed, expected, s.sinceMidnight(),
		fmt.Sprintf("%.0f requests in an active minute on average, at most %.0f expected", observed, expected)
}
