package law_test

import (
	"math"
	"math/rand"
	"testing"

	"sundew/scoring/law"
)

// TestCalibratorsAreFair integrates e over a uniform p, in u = -ln p: an e-value's mean is at most 1.
func TestCalibratorsAreFair(t *testing.T) {
	const step, end = 1. / 64, 2_000.
	for name, logE := range map[string]func(logP float64) float64{
		"mixture":   law.MixtureLogE,
		"power .5":  func(logP float64) float64 { return law.PowerLogE(logP, .5) },
		"power .25": func(logP float64) float64 { return law.PowerLogE(logP, .25) },
	} {
		mean := 0.0
		for u := step / 2; u < end; u += step {
			mean += step * math.Exp(logE(-u)-u)
		}
		if mean > 1 || mean < .999 {
			t.Errorf("%s: mean of e %v, want 1", name, mean)
		}
	}
}

// TestRatesAreFair sums e over the Poisson law of legitimate arrivals.
func TestRatesAreFair(t *testing.T) {
	const expected = 7.
	prior := law.GammaMixture{A: 1, B: .25}
	for name, logE := range map[string]func(n, expected float64) float64{
		"any factor": prior.LogE, "faster": prior.LogEFaster,
	} {
		mean, logMass := 0.0, -expected
		for n := range 10_000 {
			mean += math.Exp(logMass + logE(float64(n), expected))
			logMass += math.Log(expected / float64(n+1))
		}
		// At the prior's heavy end e grows as fast as the mass falls; the rest of the sum is what is missing.
		if mean > 1+1e-9 || mean < .999 {
			t.Errorf("%s: mean of e %v, want 1", name, mean)
		}
	}
}

func TestACATOfOnePIsThatP(t *testing.T) {
	for _, logP := range []float64{-1e-9, -.5, -math.Ln2, -3, -30, -599, -601, -1e6} {
		if got := law.ACAT([]float64{logP}); !(math.Abs(got/logP-1) < 1e-6) {
			t.Errorf("ln p %v became %v", logP, got)
		}
	}
	if got := law.ACAT([]float64{0, -1e6}); !(math.Abs(got+1e6-math.Ln2) < 1e-6) {
		t.Errorf("beside a p of 1, ln p -1e6 became %v", got)
	}
	if got := law.ACAT(nil); got != 0 {
		t.Errorf("nothing became ln p %v", got)
	}
}

// TestIsotonicIsMaxMin compares with the plain formula: the largest over starts of the smallest over ends of the mean.
func TestIsotonicIsMaxMin(t *testing.T) {
	r := rand.New(rand.NewSource(8))
	y, weights := make([]float64, 40), make([]float64, 40)
	for i := range y {
		y[i], weights[i] = float64(i)/20+r.NormFloat64(), .1+r.ExpFloat64()
	}
	got := law.Isotonic(y, weights)
	for i := range y {
		want := math.Inf(-1)
		for from := range i + 1 {
			least, sum, weight := math.Inf(1), 0.0, 0.0
			for to := from; to < len(y); to++ {
				sum, weight = sum+y[to]*weights[to], weight+weights[to]
				if to >= i {
					least = min(least, sum/weight)
				}
			}
			want = max(want, least)
		}
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("value %d is %v, want %v", i, got[i], want)
		}
	}
}
