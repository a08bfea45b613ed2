package law_test

import (
	"math"
	"math/rand"
	"slices"
	"testing"

	"sundew/scoring/law"
)

func drawGPD(seed int64, n int, xi, sigma float64) []float64 {
	r := rand.New(rand.NewSource(seed))
	sample := make([]float64, n)
	for i := range sample {
		sample[i] = sigma * math.Expm1(xi*r.ExpFloat64()) / xi
	}
	return sample
}

func TestFitGPDFindsTheLawOfItsSample(t *testing.T) {
	for _, want := range []law.GPD{{Xi: .3, Sigma: 2}, {Xi: -.2, Sigma: 1}, {Xi: .01, Sigma: 1e-3}} {
		sample := drawGPD(1, 5_000, want.Xi, want.Sigma)
		ceiling := sorted(sample)[4_750]
		whole, err := law.FitGPD(sample)
		if err != nil {
			t.Fatal(err)
		}
		below, err := law.FitGPDBelow(sample, ceiling)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(whole.Xi-want.Xi) > .05 || math.Abs(whole.Sigma/want.Sigma-1) > .04 {
			t.Errorf("fit to %v is %v", want, whole)
		}
		if math.Abs(below.Xi-want.Xi) > .15 || math.Abs(below.Sigma/want.Sigma-1) > .1 {
			t.Errorf("fit to %v below %v is %v", want, ceiling, below)
		}
	}
}

func TestFitGPDIgnoresTheOrderOfItsSample(t *testing.T) {
	sample := drawGPD(2, 500, .2, 1)
	first, err := law.FitGPD(sample)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(sample)
	second, _ := law.FitGPD(sample)
	if first != second {
		t.Errorf("%v, reversed %v", first, second)
	}
}

func TestFitGPDBelowIsNotMovedByAttackers(t *testing.T) {
	clients := drawGPD(3, 2_000, .1, 1)
	ceiling := slices.Max(clients)
	clean, err := law.FitGPDBelow(clients, ceiling)
	if err != nil {
		t.Fatal(err)
	}
	attacked := slices.Clone(clients)
	for i := range 100 {
		attacked = append(attacked, 50+float64(i))
	}
	if got, _ := law.FitGPDBelow(attacked, ceiling); got != clean {
		t.Errorf("attackers moved the fit from %v to %v", clean, got)
	}
	if moved, _ := law.FitGPD(attacked); moved.Xi < clean.Xi+.2 {
		t.Errorf("the plain fit %v was not moved from %v, so the test shows nothing", moved, clean)
	}
}

func TestFitGPDRefusesWhatHasNoFit(t *testing.T) {
	zeros := make([]float64, 20)
	for name, sample := range map[string][]float64{
		"too few": {1, 2, 3}, "all zero": zeros, "not a number": append(slices.Clone(zeros), math.NaN()),
		"negative": append(slices.Clone(zeros), -1), "infinite": append(slices.Clone(zeros), math.Inf(1)),
	} {
		if got, err := law.FitGPD(sample); err == nil {
			t.Errorf("%s: fitted %v", name, got)
		}
	}
	if _, err := law.FitGPDBelow(drawGPD(1, 50, .1, 1), 0); err == nil {
		t.Error("fitted below a ceiling of 0")
	}
}

func TestFitGPDOfTiesIsFinite(t *testing.T) {
	ties := slices.Repeat([]float64{3}, 50)
	got, err := law.FitGPD(ties)
	if err != nil || math.IsNaN(got.Xi) || !(got.Sigma > 0) || math.IsInf(got.LogSurvival(3), -1) {
		t.Errorf("fit %v, %v", got, err)
	}
}

func TestGPDEndsAtItsEndpoint(t *testing.T) {
	g := law.GPD{Xi: -.5, Sigma: 1}
	if got := g.LogSurvival(2); !math.IsInf(got, -1) {
		t.Errorf("at the endpoint: %v", got)
	}
	if got := g.LogSurvival(-1); got != 0 {
		t.Errorf("below 0: %v", got)
	}
}

func sorted(sample []float64) []float64 {
	s := slices.Clone(sample)
	slices.Sort(s)
	return s
}
