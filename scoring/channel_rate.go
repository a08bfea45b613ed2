package scoring

import (
	"fmt"
	"time"

	"sundew"
)

// rateChannel sees more requests in an active minute than an entity of its kind, with its past, would send. Pictures,
// styles and scripts of pages do not count: one page may bring a hundred of them.
func rateChannel() channel {
	return channel{
		name:    "rate",
		kinds:   kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		crowd:   true,
		step:    rateStep,
		explain: rateExplain,
	}
}

func rateStep(s *state, t *trial) (ratio, start float64, tried bool) {
	if t.asset {
		return 1, 0, false
	}
	minute := t.second / 60
	if s.InMinute > 0 && minute <= s.Minute {
		ratio = s.rateDuel(true)
		addTo(&s.InMinute, 1)
		return ratio, 0, true
	}
	ratio = 1
	if s.InMinute > 0 {
		ratio = s.rateDuel(false)
		s.closeMinute()
	}
	if s.Windows < maxWindowStarts {
		start = windowStart
	}
	addTo(&s.Windows, 1)
	s.Minute, s.InMinute = minute, 1
	return ratio, start, true
}

// The null: given that an entity is active in a minute, the number of further requests is geometric, which is the
// negative binomial of size 1 that sessions of apps have been seen to follow. Activity itself comes in bursts and is not
// modelled; a Poisson law over all minutes would call every session an attack. The duel runs request by request: with mean
// m, "another request comes in this minute" has probability m/(1+m) each time and the minute's end has the rest, so
// evidence counts at the request that brings it.
//
// The alternative is a mixture of three such laws: two know only that the mean is a multiple of the null's, the third that
// it is what the entity's latest minutes had. Weight moves to the law that predicts best, and none is ever given up, so
// that the mixture follows a change (Herbster and Warmuth, "Tracking the best expert", 1998).
const (
	rateLaws  = 3
	rateLow   = 3
	rateHigh  = 20
	rateShare = .02 // of the weights is dealt out anew at each step
)

// rateDuel is the evidence ratio of another request in the open minute, or of the minute's end.
func (s *state) rateDuel(more bool) float64 {
	mean := s.rateExpected()
	laws := [rateLaws]float64{rateLow * mean, rateHigh * mean, max(float64(s.LatestMean), mean)}
	weights := s.rateWeights()
	var q float64
	for i := range laws {
		laws[i] = another(laws[i], more)
		q += float64(weights[i] * laws[i])
	}
	for i := range s.RateWeights {
		s.RateWeights[i] = float32(float64((1-rateShare)*(weights[i]*laws[i]/q)) + rateShare/rateLaws)
	}
	return q / another(mean, more)
}

// rateWeights are those of all laws.
func (s *state) rateWeights() (weights [rateLaws]float64) {
	rest := 1.
	for i, weight := range s.RateWeights {
		weights[i] = float64(weight)
		rest -= weights[i]
	}
	weights[rateLaws-1] = max(rest, 0)
	return weights
}

// another is the probability that another request comes in a minute, or that none does.
func another(mean float64, more bool) float64 {
	if more {
		return mean / (1 + mean)
	}
	return 1 / (1 + mean)
}

// closeMinute counts the open minute among today's.
func (s *state) closeMinute() {
	addTo(&s.TodayCount, uint32(s.InMinute))
	s.LatestMean += float32((float32(s.InMinute) - 1 - s.LatestMean) / 2)
}

// rateExpected is the null's mean number of further requests in an active minute: the population's, raised by what the
// entity did in its trusted past and in today's closed minutes, and by the number of tenured devices behind it; never
// lowered.
func (s *state) rateExpected() float64 {
	closed := max(float64(s.Windows)-1, 0)
	own := float64(float64(s.PastMean)*float64(s.PastWindows)) + max(float64(s.TodayCount)-closed, 0)
	law := s.believed.Rates[s.Kind]
	population, shrinkage := float64(law.Mean), float64(law.Shrinkage)
	mean := (float64(shrinkage*population) + own) / (shrinkage + float64(s.PastWindows) + closed)
	return max(mean, population) * max(1, s.tenured())
}

// evenly is where the weights of the alternative's laws begin each day.
var evenly = [rateLaws - 1]float32{.1, .1}

// closeRate ends the day of the rate channel. A trusted day joins the past, which it can at most double.
func (s *state) closeRate(weight float64) {
	count, windows := float64(s.TodayCount)+float64(s.InMinute), float64(s.Windows)
	if windows > 0 && weight > 0 {
		today := min(count/windows-1, 2*max(float64(s.PastMean), float64(s.believed.Rates[s.Kind].Mean)))
		size := min(float64(s.PastWindows)+float64(weight*windows), maxPastWindows)
		share := float64(weight*windows) / (float64(s.PastWindows) + float64(weight*windows))
		s.PastMean = float32(float64(s.PastMean) + float64(share*(today-float64(s.PastMean))))
		s.PastWindows = float32(size)
	}
	s.InMinute, s.Windows, s.TodayCount, s.LatestMean = 0, 0, 0, 0
	s.RateWeights = evenly
}

func rateExplain(s *state) (observed, expected float64, window time.Duration, sentence string) {
	windows := max(float64(s.Windows), 1)
	observed = (float64(s.TodayCount) + float64(s.InMinute)) / windows
	expected = s.rateExpected() + 1
	return observed, expected, s.sinceMidnight(),
		fmt.Sprintf("%.0f requests in an active minute on average, at most %.0f expected", observed, expected)
}
