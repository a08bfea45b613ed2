package scoring

import (
	"math"
	"testing"

	"sundew"
)

// TestHabits checks that a habit's only trial is fair, and that a day of it convicts nobody: it is worth at most one over
// the share of honest entities that have it.
func TestHabits(t *testing.T) {
	for name, test := range map[string]struct {
		ch       int
		prior    *priorOf
		believed float64
		share    float64
	}{
		"unproven": {chUnproven, &unprovenPrior, unprovenAbusers, 1. / 41},
		"captcha":  {chCaptcha, &captchaPrior, inhumanAbusers, 1. / 11},
		"sequence": {chSequence, &sequencePrior, sequenceAbusers, 1. / 21},
		"fresh":    {chFresh, &freshPrior, freshAbusers, 1. / 11},
	} {
		for kind, prior := range test.prior {
			if prior == (beta{}) {
				continue
			}
			kind := sundew.Kind(kind)
			t.Run(name+" "+kind.String(), func(t *testing.T) {
				day := func(hit bool) float64 {
					s := stateOf(hot{Kind: uint8(kind)})
					product := 1.0
					for range 1000 {
						ratio, _, _ := habit(s, test.ch, test.prior, hit, test.believed)
						product *= ratio
					}
					return product
				}
				always, never := day(true), day(false)
				if mean := test.share*always + (1-test.share)*never; math.Abs(mean-1) > 1e-9 {
					t.Errorf("mean of e is %v, want 1", mean)
				}
				if always < 1 || always > 1/test.share {
					t.Errorf("a day of it is worth %v, want 1 to %v", always, 1/test.share)
				}
			})
		}
	}
}
