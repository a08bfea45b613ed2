package scoring

import (
	"math"
	"testing"

	"sundew"
)

// TestRateIsFair sums the e-value of whole minutes over the null's law of counts: it must be 1, whatever the alternative
// has learned before.
func TestRateIsFair(t *testing.T) {
	for name, before := range map[string]hot{
		"fresh":            {RateWeights: evenly},
		"busy lately":      {RateWeights: [rateLaws - 1]float32{.1, .1}, LatestMean: 100, Windows: 1},
		"calm, was raised": {RateWeights: [rateLaws - 1]float32{.8, .1}, LatestMean: 2, Windows: 9, TodayCount: 500},
	} {
		t.Run(name, func(t *testing.T) {
			s := stateOf(before)
			s.Kind = uint8(sundew.KindIP)
			mean := s.rateExpected()
			sum, reach, e := 0.0, 1.0, 1.0 // reach = P(X >= x), e = product of the ratios so far
			for reach > 1e-14 {
				ending := stateOf(*s.hot)
				sum += reach * another(mean, false) * e * ending.rateDuel(false)
				reach *= another(mean, true)
				e *= s.rateDuel(true)
			}
			if got := sum + reach*e; math.Abs(got-1) > 1e-4 {
				t.Errorf("the mean of e over the null's law is %v, want 1", got)
			}
		})
	}
}

func TestRateExpectationIsNeverBelowThePopulation(t *testing.T) {
	population, shrinkage := float64(assumedRates[sundew.KindIP].Mean), float64(assumedRates[sundew.KindIP].Shrinkage)
	for name, test := range map[string]struct {
		s    *state
		want float64
	}{
		"fresh":               {stateOf(hot{}), population},
		"idle for a long day": {stateOf(hot{Windows: 300, TodayCount: 300}), population},
		"busy past":           {stateOf(hot{PastMean: 88, PastWindows: 40}), (shrinkage*population + 88.0*40) / (shrinkage + 40)},
		"busy today":          {stateOf(hot{Windows: 11, TodayCount: 10 + 10*100}), (shrinkage*population + 1000.0) / (shrinkage + 10)},
		"two tenured devices": {withMembers(map[int]uint64{tenuredToday: 3}), 2 * population},
		"two of yesterday":    {withMembers(map[int]uint64{tenuredToday: 1, tenuredBefore: 3}), 2 * population},
		"many fresh devices":  {withMembers(map[int]uint64{inToday(setDevices): 1<<60 - 1, devicesToday: 1<<60 - 1}), population},
	} {
		t.Run(name, func(t *testing.T) {
			test.s.Kind = uint8(sundew.KindIP)
			if got := test.s.rateExpected(); math.Abs(got-test.want) > 1e-9 {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestATrustedDayAtMostDoublesThePast is what an attacker who feeds the baseline runs into.
func TestATrustedDayAtMostDoublesThePast(t *testing.T) {
	s := stateOf(hot{Kind: uint8(sundew.KindIP), PastMean: 10, PastWindows: maxPastWindows, Windows: 300, TodayCount: 300 * 1000})
	s.closeRate(1)
	if s.PastMean > 20 {
		t.Errorf("a day with 1000 a minute took a past of 10 to %v", s.PastMean)
	}
	s = stateOf(hot{Kind: uint8(sundew.KindIP), PastMean: 10, PastWindows: 50, Windows: 300, TodayCount: 300 * 1000})
	s.closeRate(0)
	if s.PastMean != 10 {
		t.Errorf("a convicted day was learned: %v", s.PastMean)
	}
}
