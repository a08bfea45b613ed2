package scoring

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestStartWeightsSumToLessThanOne(t *testing.T) {
	sum := 0.0
	for j := range uint32(1_000_000) {
		sum += startWeight(j)
	}
	if sum >= 1 || sum < .8 {
		t.Errorf("the weights of a day sum to %v, want less than 1 and most of it", sum)
	}
	if rate := windowStart * maxWindowStarts; rate > 1+1e-12 {
		t.Errorf("the rate channel gives out %v in a day", rate)
	}
}

// TestLedgerKeepsVillesBound runs legitimate clients through days of trials and counts how many ever reach 1/alpha.
func TestLedgerKeepsVillesBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const days, trials, alpha = 20_000, 400, .01
	prior := beta{.5, 9.5}
	reached := 0
	for range days {
		var d duel
		var m ledger
		for j := range uint32(trials) {
			hit := rng.Float64() < d.null(prior)
			m.step(startWeight(j), d.step(prior, hit, 1))
			if m >= 1/alpha {
				reached++
				break
			}
		}
	}
	limit := days*alpha + 4*math.Sqrt(days*alpha)
	if float64(reached) > limit {
		t.Errorf("%d of %d legitimate days reached 1/%v; Ville allows %v on average", reached, days, alpha, days*alpha)
	}
	if reached == 0 {
		t.Errorf("no day ever reached 1/%v: the test shows nothing", alpha)
	}
}

func TestLedgerFindsAnAttackAfterALongGoodHistory(t *testing.T) {
	var d duel
	var m ledger
	prior := beta{.5, 9.5}
	trial := uint32(0)
	step := func(hit bool) { m.step(startWeight(trial), d.step(prior, hit, 1)); trial++ }
	for range 200 {
		step(false)
	}
	quiet := m
	for range 40 {
		step(true)
	}
	if quiet > 1 || m < 1e5 {
		t.Errorf("after 200 good requests %v, after 40 bad ones %v; want at most 1 and at least 1e5", quiet, m)
	}
}

func TestLedgerStaysFinite(t *testing.T) {
	var m ledger
	for range 10_000 {
		m.step(1e-3, 1e9)
	}
	if math.IsInf(float64(m), 0) || math.IsNaN(float64(m)) {
		t.Errorf("ledger is %v", m)
	}
}

func TestLedgerRoundsTowardsZero(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for range 100_000 {
		x := min(math.Exp(rng.NormFloat64()*20), ceiling)
		got := towardsZero(x)
		if float64(got) > x || float64(math.Nextafter32(got, math.MaxFloat32)) <= x {
			t.Fatalf("%v became %v", x, got)
		}
	}
	if got := towardsZero(0); got != 0 {
		t.Errorf("0 became %v", got)
	}
}
