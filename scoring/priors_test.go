package scoring

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sundew"
)

// TestMeansLearnAnAPIOfItsOwn has an API where three log-ins in ten of everybody fail. What is first taken for abuse of some
// must become what is expected of all.
func TestMeansLearnAnAPIOfItsOwn(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	e := newEngine(t, 2)
	loudest := func(on int) (most float64) {
		var events []sundew.Event
		for i := range 3000 {
			at := time.Duration(on)*day + time.Duration(i)*10*time.Second
			events = append(events, request(at, fmt.Sprintf("198.51.%d.7", i%150), func(e *sundew.Event) {
				e.Method, e.Path, e.Auth = "POST", "/v1/login", sundew.OutcomeSuccess
				if rng.Float64() < .3 {
					e.Auth = sundew.OutcomeFailure
				}
			}))
		}
		for _, s := range e.Score(sundew.Batch{Events: events}) {
			if s.Entity.Kind == sundew.KindIP {
				most = max(most, s.Points)
			}
		}
		return most
	}
	first := loudest(0)
	for on := 1; on < 16; on++ {
		loudest(on)
	}
	learned := loudest(16)
	if learned > 5 || first < 4*learned {
		t.Errorf("at most %.1f points on the first day, %.1f on the seventeenth", first, learned)
	}
	if got := e.population.believed.Means[chAuth][sundew.KindIP]; got < .25 || got > .31 {
		t.Errorf("one in %.2f is expected to fail, want about 3 in 10 and at most four times the odds assumed", 1/got)
	}
	if group := e.population.believed.Means[chAuth][sundew.KindFingerprint]; group != e.population.believed.Means[chAuth][sundew.KindIP] {
		t.Errorf("of a fingerprint %v", group)
	}
}

func TestMeansMoveWithinBounds(t *testing.T) {
	assumed := authPrior[sundew.KindIP]
	for name, test := range map[string]struct {
		now       float32
		measured  float64
		low, high float64
	}{
		"lower than assumed":  {0, .01, assumed.mean(), assumed.mean()},
		"a day of abuse":      {0, 1, assumed.mean(), assumed.mean() * 1.1},
		"higher, in time":     {.14, .12, .145, .147},
		"the most":            {.3, 1, .3, .31},
		"down again, at once": {.3, .05, assumed.mean(), assumed.mean()},
	} {
		if got := float64(moved(test.now, test.measured, assumed)); got < test.low-1e-6 || got > test.high+1e-6 {
			t.Errorf("%s: %v, want %v to %v", name, got, test.low, test.high)
		}
	}
}

// TestStrangersTeachNoMeans has a botnet whose addresses are all new.
func TestStrangersTeachNoMeans(t *testing.T) {
	e := newEngine(t, 1)
	for on := range 3 {
		var events []sundew.Event
		for i := range 3000 {
			at := time.Duration(on)*day + time.Duration(i)*10*time.Second
			events = append(events, request(at, fmt.Sprintf("203.%d.%d.7", on, i%250), func(e *sundew.Event) {
				e.Method, e.Path, e.Auth = "POST", "/v1/login", sundew.OutcomeFailure
			}))
		}
		e.Score(sundew.Batch{Events: events})
	}
	if got := e.population.heard[0][sundew.KindIP].Trials; got != 0 {
		t.Errorf("%v trials of strangers were heard", got)
	}
}
