package law_test

import (
	"math"
	"math/rand"
	"slices"
	"testing"

	"sundew/scoring/law"
)

// drawGamma has an integer shape, the sum of that many exponentials.
func drawGamma(r *rand.Rand, shape int) float64 {
	sum := 0.0
	for range shape {
		sum += r.ExpFloat64()
	}
	return sum
}

func drawPoisson(r *rand.Rand, mean float64) int {
	n := 0
	for wait := r.ExpFloat64(); wait < mean; wait += r.ExpFloat64() {
		n++
	}
	return n
}

func drawTallies(r *rand.Rand, n, a, b int) []law.Tally {
	members := make([]law.Tally, n)
	for i := range members {
		x, y := drawGamma(r, a), drawGamma(r, b)
		members[i].Trials = r.Intn(60)
		for range members[i].Trials {
			if r.Float64() < x/(x+y) {
				members[i].Hits++
			}
		}
	}
	return members
}

func TestFitBetaFindsThePopulation(t *testing.T) {
	members := drawTallies(rand.New(rand.NewSource(4)), 3_000, 2, 18)
	got, err := law.FitBeta(members)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.A-2) > .2 || math.Abs(got.B-18) > 2 {
		t.Errorf("prior %v, want {2 18}", got)
	}
	slices.Reverse(members)
	if again, _ := law.FitBeta(members); again != got {
		t.Errorf("%v, reversed %v", got, again)
	}
}

func TestFitBetaStaysWithinItsBounds(t *testing.T) {
	for name, members := range map[string][]law.Tally{
		"nobody ever hits":  slices.Repeat([]law.Tally{{Hits: 0, Trials: 50}}, 100),
		"everybody hits":    slices.Repeat([]law.Tally{{Hits: 50, Trials: 50}}, 100),
		"no difference":     slices.Repeat([]law.Tally{{Hits: 5, Trials: 50}}, 100),
		"all or nothing":    slices.Repeat([]law.Tally{{Hits: 0, Trials: 50}, {Hits: 50, Trials: 50}}, 50),
		"one trial a piece": slices.Repeat([]law.Tally{{Hits: 0, Trials: 1}, {Hits: 1, Trials: 1}}, 50),
	} {
		got, err := law.FitBeta(members)
		if err != nil || !(got.A > 0) || !(got.B > 0) || math.IsInf(got.A+got.B, 0) {
			t.Errorf("%s: prior %v, %v", name, got, err)
		}
		hits, trials := 0, 0
		for _, m := range members {
			hits, trials = hits+m.Hits, trials+m.Trials
		}
		if mean := got.A / (got.A + got.B); math.Abs(mean-float64(hits)/float64(trials)) > .01 {
			t.Errorf("%s: mean %v of %d/%d", name, mean, hits, trials)
		}
	}
}

func TestFitNegativeBinomialFindsThePopulation(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	counts := make([]int, 5_000)
	for i := range counts {
		counts[i] = drawPoisson(r, drawGamma(r, 2)*3)
	}
	got, err := law.FitNegativeBinomial(counts)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.Shape-2) > .2 || math.Abs(got.Mean-6) > .2 {
		t.Errorf("%v, want {2 6}", got)
	}
	slices.Reverse(counts)
	if again, _ := law.FitNegativeBinomial(counts); again != got {
		t.Errorf("%v, reversed %v", got, again)
	}
	if same, err := law.FitNegativeBinomial(slices.Repeat([]int{4}, 50)); err != nil || same.Shape < 1e4 {
		t.Errorf("counts without spread: %v, %v, want a large shape", same, err)
	}
}

func TestFitsRefuseWhatHasNoFit(t *testing.T) {
	for name, counts := range map[string][]int{
		"too few": {1, 2}, "all zero": make([]int, 20), "negative": append(slices.Repeat([]int{3}, 20), -1),
	} {
		if got, err := law.FitNegativeBinomial(counts); err == nil {
			t.Errorf("%s counts: fitted %v", name, got)
		}
	}
	for name, members := range map[string][]law.Tally{
		"too few": {{Hits: 1, Trials: 2}}, "idle": make([]law.Tally, 20),
		"more hits than trials": slices.Repeat([]law.Tally{{Hits: 3, Trials: 2}}, 20),
	} {
		if got, err := law.FitBeta(members); err == nil {
			t.Errorf("%s members: fitted %v", name, got)
		}
	}
}
