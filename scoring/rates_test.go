package scoring

import (
	"math"
	"math/rand/v2"
	"testing"

	"sundew"
)

// day of an address: its active minutes, and further requests in each, geometric with the mean.
func rateDay(rng *rand.Rand, minutes int, mean float64) *state {
	s := stateOf(hot{Kind: uint8(sundew.KindIP), Windows: uint16(minutes)})
	for range minutes {
		s.TodayCount++
		for rng.Float64() < mean/(1+mean) {
			s.TodayCount++
		}
	}
	return s
}

// learnedRate is the law after as many days of a population whose means differ as gamma of the given shape and mean does,
// and of which a share abuses.
func learnedRate(days int, mean, shape, abusers float64) rateLaw {
	rng := rand.New(rand.NewPCG(5, 6))
	e := &Engine{population: newPopulation()}
	for range days {
		for range 2000 {
			own := mean
			if shape > 0 {
				own = 0
				for range int(shape) {
					own += rng.ExpFloat64() * mean / shape
				}
			}
			if rng.Float64() < abusers {
				own = 1000
			}
			e.cells[3].rates.vote(rateDay(rng, 10+rng.IntN(30), own), e.population.believed.Rates[sundew.KindIP])
		}
		e.turnRates()
	}
	return e.population.believed.Rates[sundew.KindIP]
}

func TestRatesLearnThePopulation(t *testing.T) {
	same := learnedRate(10, 5, 0, 0)
	if math.Abs(float64(same.Mean)-rateMargin*5) > .2 {
		t.Errorf("mean %v, want a margin above 5", same.Mean)
	}
	if same.Shrinkage < mostShrink/2 {
		t.Errorf("people who are all alike have shrinkage %v", same.Shrinkage)
	}
	// Means that are gamma of shape 2 have the variance mean^2/2; a minute has mean (1+mean), and mean^2/2 for the spread.
	different := learnedRate(10, 5, 2, 0)
	if want := 5 * 6 / 12.5; float64(different.Shrinkage) > leastShrink*1.5 {
		t.Errorf("people who differ have shrinkage %v, want about %v or the least, %v", different.Shrinkage, want, leastShrink)
	}
	if quiet := learnedRate(30, .2, 0, 0); math.Abs(float64(quiet.Mean)-leastMean*8) > 1e-3 {
		t.Errorf("a quiet population has mean %v, want the least", quiet.Mean)
	}
}

func TestRatesAreNotPoisoned(t *testing.T) {
	clean, abused := learnedRate(10, 5, 0, 0), learnedRate(10, 5, 0, .01)
	if abused.Mean > clean.Mean*1.05 {
		t.Errorf("one abuser in a hundred takes the mean from %v to %v", clean.Mean, abused.Mean)
	}
	if day := learnedRate(1, 1000, 0, 0); day.Mean > 8*rateDrift+1e-3 {
		t.Errorf("a day of abuse takes the mean from 8 to %v", day.Mean)
	}
}

func TestFewDaysTeachNoRate(t *testing.T) {
	e := &Engine{population: newPopulation()}
	for range leastRates - 1 {
		e.cells[0].rates.vote(rateDay(rand.New(rand.NewPCG(1, 1)), 20, 2), e.population.believed.Rates[sundew.KindIP])
	}
	e.turnRates()
	if got := e.population.believed.Rates[sundew.KindIP]; got != assumedRates[sundew.KindIP] {
		t.Errorf("law %v", got)
	}
}
