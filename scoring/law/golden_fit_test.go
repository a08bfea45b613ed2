package law_test

import (
	"math"
	"testing"

	"sundew/scoring/law"
)

func TestFitsAreGolden(t *testing.T) {
	e := goldenEntries(t, "generalised Pareto maximum likelihood: xi")[0]
	var exceedances struct{ Sample []float64 }
	e.into(t, e.Arguments, &exceedances)
	gpd, err := law.FitGPD(exceedances.Sample)
	if err != nil {
		t.Fatal(err)
	}
	e.check(t, gpd.Xi)
	goldenEntries(t, "generalised Pareto maximum likelihood: sigma")[0].check(t, gpd.Sigma)

	e = goldenEntries(t, "negative binomial maximum likelihood: shape")[0]
	var population struct{ Counts []int }
	e.into(t, e.Arguments, &population)
	nb, err := law.FitNegativeBinomial(population.Counts)
	if err != nil {
		t.Fatal(err)
	}
	e.check(t, nb.Shape)
	goldenEntries(t, "negative binomial maximum likelihood: mean")[0].check(t, nb.Mean)
}

func TestMergingIsGolden(t *testing.T) {
	for _, e := range goldenEntries(t, "ACAT combined p") {
		logPs := e.logPs(t)
		e.checkWithin(t, math.Exp(law.ACAT(logPs)), tolerance+lostByLog(logPs))
	}
	for _, e := range goldenEntries(t, "ACAT log p") {
		e.check(t, law.ACAT(e.logPs(t)))
	}
	for _, e := range goldenEntries(t, "p-to-e calibrator (1 - p") {
		e.check(t, math.Exp(law.MixtureLogE(math.Log(number(e.arguments(t).P)))))
	}
	for _, e := range goldenEntries(t, "p-to-e calibrator kappa") {
		a := e.arguments(t)
		e.check(t, math.Exp(law.PowerLogE(math.Log(number(a.P)), a.Kappa)))
	}
}

func TestRatesAreGolden(t *testing.T) {
	for prefix, logE := range map[string]func(law.GammaMixture, float64, float64) float64{
		"log e-value, Poisson rate, Gamma(a, b) mixture over":      law.GammaMixture.LogE,
		"log e-value, Poisson rate, Gamma(a, b) mixture truncated": law.GammaMixture.LogEFaster,
	} {
		for _, e := range goldenEntries(t, prefix) {
			// JSON names that differ only in case need a map.
			var a map[string]float64
			e.into(t, e.Arguments, &a)
			e.check(t, logE(law.GammaMixture{A: a["a"], B: a["b"]}, a["N"], a["A"]))
		}
	}
}

func TestSilenceDoesNotUnderflow(t *testing.T) {
	// With A = 1, Q(1, x) is exp(-x): ln e = ln .25 - ln 1000.25 + 1000 - 1000.25 + .25.
	got, want := law.GammaMixture{A: 1, B: .25}.LogEFaster(0, 1000), math.Log(.25/1000.25)
	if !(math.Abs(got-want) < 1e-11) {
		t.Errorf("ln e of silence %v, want %v", got, want)
	}
}

func TestELONDIsGolden(t *testing.T) {
	levels, rejections := goldenEntries(t, "e-LOND levels")[0], goldenEntries(t, "e-LOND rejections")[0]
	var stream struct{ E []float64 }
	levels.into(t, levels.Arguments, &stream)
	var wantLevels []float64
	levels.into(t, levels.Value, &wantLevels)
	var want []bool
	rejections.into(t, rejections.Value, &want)
	queue := law.ELOND{Alpha: .05}
	for i, e := range stream.E {
		if got := queue.Level(); math.Abs(got/wantLevels[i]-1) > 1e-7 {
			t.Errorf("level %d is %v, want %v", i+1, got, wantLevels[i])
		}
		if got := queue.Reject(math.Log(e)); got != want[i] {
			t.Errorf("e-value %d: rejected %v, want %v", i+1, got, want[i])
		}
	}
}

func TestIsotonicIsGolden(t *testing.T) {
	e := goldenEntries(t, "isotonic")[0]
	var steps struct{ Y []float64 }
	e.into(t, e.Arguments, &steps)
	var want []float64
	e.into(t, e.Value, &want)
	got := law.Isotonic(steps.Y, nil)
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-9 {
			t.Errorf("value %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// lostByLog is how exactly float64 logarithms can name the p-values: an ulp of ln p counts |ln p| times in p, and an ulp of
// a p near 1 counts 1/(1-p) times in the distance from 1.
func lostByLog(logPs []float64) float64 {
	lost := 0.0
	for _, lp := range logPs {
		lost = max(lost, 0x1p-53*(-lp-1/math.Expm1(lp)))
	}
	return lost
}

func (e golden) logPs(t *testing.T) []float64 {
	t.Helper()
	var a struct{ P []float64 }
	e.into(t, e.Arguments, &a)
	for i, p := range a.P {
		a.P[i] = math.Log(p)
	}
	return a.P
}
