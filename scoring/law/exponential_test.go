package law

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExponentialBelowACeiling(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	sample := make([]float64, 20_000)
	for i := range sample {
		sample[i] = 2 * rng.ExpFloat64()
	}
	for _, ceiling := range []float64{2, 5, 100} {
		fit, err := FitExponentialBelow(sample, ceiling)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(fit.Sigma-2) > .3 {
			t.Errorf("below %v: scale %.3f, want about 2", ceiling, fit.Sigma)
		}
	}
	if fit, err := FitExponentialBelow([]float64{.1, .5, .9}, 1); err != nil || fit.Sigma < 50 {
		t.Errorf("an even spread gives %+v, %v: want a scale far above the ceiling", fit, err)
	}
	if _, err := FitExponentialBelow([]float64{7, 8}, 1); err == nil {
		t.Error("a fit to nothing")
	}
}
