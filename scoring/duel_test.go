package scoring

import (
	"math"
	"math/rand/v2"
	"testing"

	"sundew"
)

// TestDuelIsFairUnderItsNull draws clients from the population's Beta prior and checks that the mean of the product of
// evidence ratios stays at most 1, whatever the alternative believes.
func TestDuelIsFairUnderItsNull(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, prior := range []beta{{.5, 9.5}, {5, 5}, {.2, 7.8}} {
		const clients, trials = 200_000, 20
		var sum, squares float64
		for range clients {
			var d duel
			product := 1.0
			for range trials {
				// The prediction of the null is the law of the next trial: sampling from it is sampling from the mixture.
				hit := rng.Float64() < d.null(prior)
				product *= d.step(prior, hit, 1)
			}
			sum += product
			squares += product * product
		}
		mean := sum / clients
		deviation := math.Sqrt((squares/clients - mean*mean) / clients)
		if mean > 1+4*deviation {
			t.Errorf("prior %v: mean of e after %d trials is %.4f, more than 1 by over 4 deviations of %.4f", prior, trials, mean, deviation)
		}
	}
}

func TestDuelStep(t *testing.T) {
	prior := beta{.5, 9.5}
	tests := []struct {
		name string
		hits []bool
		want float64 // product of the ratios, worked out by hand from the two predictions
	}{
		// Null .05, alternative KT .5 at the first trial; the next ones at (1+.5)/(1+1) against (.5+1)/(10+1), and so on.
		{"first hit", []bool{true}, .5 / .05},
		{"two hits", []bool{true, true}, (.5 / .05) * (.75 / (1.5 / 11))},
		{"hit then miss", []bool{true, false}, (.5 / .05) * (.25 / (1 - 1.5/11))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var d duel
			got := 1.0
			for _, hit := range test.hits {
				got *= d.step(prior, hit, 1)
			}
			if math.Abs(got-test.want) > 1e-12*test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestGoodBehaviourEarnsNothing(t *testing.T) {
	var d duel
	product := 1.0
	for range 1000 {
		product *= d.step(beta{3, 7}, false, 1)
	}
	if product > 1 {
		t.Errorf("1000 successes where 30 %% failures are expected gave evidence %v: a two-sided alternative convicts the best client", product)
	}
}

// TestYesterdaysVirtueIsNotHeldAgainstToday has an entity that was better than everybody and is now like everybody.
func TestYesterdaysVirtueIsNotHeldAgainstToday(t *testing.T) {
	d := duel{PastHits: 0, PastSize: maxPast * perTrial}
	prior := beta{8.5, 1.5}
	product := 1.0
	for i := range 40 {
		product *= d.step(prior, i%10 != 0, 1)
	}
	if product > 5 {
		t.Errorf("hitting as often as the population expects gave evidence %v", product)
	}
}

// TestAMorningIsNotHeldAgainstAWholeDay has a person who opens 40 new things each morning and comes back to them all day.
func TestAMorningIsNotHeldAgainstAWholeDay(t *testing.T) {
	prior := beta{5, 5}
	morning := func(d *duel) (product float64) {
		product = 1
		for range 40 {
			product *= d.step(prior, true, 1)
		}
		return product
	}
	var d duel
	first := morning(&d)
	for range 100 {
		d.step(prior, false, 1)
	}
	d.close(1)
	if second := morning(&d); second > first {
		t.Errorf("the same morning is worth %.0f on the first day and %.0f on the second", first, second)
	}
}

func TestDuelCloses(t *testing.T) {
	d := duel{Hits: 30, Trials: 100}
	d.close(1)
	if d.Trials != 0 || d.PastSize.trials() != maxPast || d.PastHits.trials() != .3*maxPast {
		t.Errorf("after a trusted day: %+v, want %d trials of past with 30 %% hits", d, maxPast)
	}
	suspect := duel{Hits: 90, Trials: 100}
	suspect.close(0)
	if suspect != (duel{}) {
		t.Errorf("a convicted day was learned: %+v", suspect)
	}
}

// TestPastIsRoundedInFavourOfTheEntity closes days of every size with every trust.
func TestPastIsRoundedInFavourOfTheEntity(t *testing.T) {
	for trials := range uint16(60) {
		for hits := range trials + 1 {
			for _, weight := range []float64{.01, .33, .5, .99, 1} {
				d := duel{Hits: hits, Trials: trials}
				d.close(weight)
				exactHits, exactSize := weight*float64(hits), weight*float64(trials)
				if exactSize > maxPast {
					exactHits, exactSize = exactHits*maxPast/exactSize, maxPast
				}
				if d.PastHits > d.PastSize || d.PastSize.trials() > exactSize+1e-9 || d.PastSize.trials() < exactSize-1./perTrial {
					t.Fatalf("%d of %d with weight %v became %+v", hits, trials, weight, d)
				}
				if d.PastHits < d.PastSize && d.PastHits.trials() < exactHits-1e-9 {
					t.Fatalf("%d of %d hits with weight %v became %v", hits, trials, weight, d.PastHits.trials())
				}
			}
		}
	}
}

func TestDuelNeverOverflows(t *testing.T) {
	d := duel{}
	for i := range 200_000 {
		if ratio := d.step(beta{.5, 9.5}, i%2 == 0, 1); math.IsNaN(ratio) || ratio < 0 {
			t.Fatalf("trial %d: ratio %v", i, ratio)
		}
	}
	if d.NullHits > d.NullTrials || d.LatestHits > d.LatestTrials || d.NullTrials > nullMemory || d.LatestTrials > alternativeMemory {
		t.Errorf("counts ran away: %+v", d)
	}
}

// TestEveryPriorIsFair sums the product of ratios over all courses that a few trials can take, each with its probability
// under the null: it must be 1, whatever the alternative learned before.
func TestEveryPriorIsFair(t *testing.T) {
	undecided := rival{(*duel).step, (*duel).null}
	rare := rival{(*duel).rareStep, func(d *duel, prior beta) float64 { return max(d.null(prior), prior.mean()) }}
	wakes := rival{func(d *duel, prior beta, hit bool, damp float64) float64 {
		return d.believingStep(prior, restless, hit, damp)
	}, (*duel).null}
	pasts := map[string]duel{
		"no past":              {},
		"was told lies":        {LatestHits: 30, LatestTrials: 32, NullTrials: 64, PastSize: maxPast * perTrial},
		"remembers good times": {NullHits: 1, NullTrials: 63, LatestTrials: 31, PastHits: .6 * perTrial, PastSize: 20 * perTrial},
	}
	for _, test := range []struct {
		name  string
		prior *priorOf
		rival rival
	}{
		{"auth", &authPrior, undecided},
		{"forged", &forgedPrior, rare},
		{"consistency", &consistencyPrior, rare},
		{"limited", &limitedPrior, rare},
		{"signature", &signaturePrior, undecided},
		{"sequence", &sequencePrior, undecided},
		{"duration", &durationPrior, wakes},
	} {
		for past, d := range pasts {
			for kind, prior := range test.prior {
				if prior == (beta{}) {
					continue
				}
				for _, damp := range []float64{1, .4} {
					if mean := test.rival.meanOverCourses(d, prior, damp, 10); math.Abs(mean-1) > 1e-9 {
						t.Errorf("%s, %s, kind %d, damped by %v: mean of e is %v, want 1", test.name, past, kind, damp, mean)
					}
				}
			}
		}
	}
}

// rival is a way to take a trial, and the null that it is measured against.
type rival struct {
	step func(d *duel, prior beta, hit bool, damp float64) float64
	null func(d *duel, prior beta) float64
}

// meanOverCourses is the expectation, under the null, of the product of the ratios of the next n trials.
func (r rival) meanOverCourses(d duel, prior beta, damp float64, n int) float64 {
	if n == 0 {
		return 1
	}
	p := r.null(&d, prior) * damp
	hit, miss := d, d
	gain := p * r.step(&hit, prior, true, damp)
	loss := (1 - p) * r.step(&miss, prior, false, damp)
	return gain*r.meanOverCourses(hit, prior, damp, n-1) + loss*r.meanOverCourses(miss, prior, damp, n-1)
}

// TestRareThingsThatNeverHappenCostNothing has one honest client go on for long: evidence that others found against it
// must not wash away in channels that have nothing to say.
func TestRareThingsThatNeverHappenCostNothing(t *testing.T) {
	var d duel
	product := 1.0
	for range 100_000 {
		product *= d.rareStep(forgedPrior[sundew.KindDevice], false, 1)
	}
	if product < .7 || product > 1 {
		t.Errorf("100000 requests without a forged proof are worth %v, want .7 to 1", product)
	}
}
