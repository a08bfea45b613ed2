package scoring

import (
	"math"

	"sundew/scoring/law"
)

// ledger is a running e-value, the mixture over start times of products of evidence ratios:
//
//	M = (M + w) e,  M = 0 at the start of a day,  sum of w over the day at most 1
//
// By Ville's inequality a legitimate entity's M reaches 1/alpha on a day with probability at most alpha. It is kept as a
// plain number: the steps are IEEE additions, products and quotients, the same on every machine. What does not fit the
// number is cut off, so that rounding takes evidence and never adds any.
type ledger float32

// ceiling keeps a ledger finite; 1e36 is evidence enough.
const ceiling = 1e36

func (m *ledger) step(start, ratio float64) {
	// The conversion keeps compilers from fusing the sum and the product.
	next := float64((float64(*m) + start) * ratio)
	if next > ceiling {
		next = ceiling
	}
	*m = ledger(towardsZero(next))
}

// towardsZero is the largest number of single precision that is not above x, for x of at least 0.
func towardsZero(x float64) float32 {
	near := float32(x)
	if float64(near) > x {
		return math.Float32frombits(math.Float32bits(near) - 1)
	}
	return near
}

func (m ledger) nats() float64 { return law.Log(float64(m)) }

// starts are the weights of starting at trial 0, 1, ... of a day: 0.295 / ((j+1) ln^2(j+2)), whose infinite sum is 1.
// After the last one no more starting weight is given out, so the sum stays below 1.
var starts = startWeights(4096)

func startWeights(n int) []float64 {
	weights := make([]float64, n)
	for j := range weights {
		l := law.Log(float64(j + 2))
		weights[j] = 0.295 / (float64(j+1) * l * l)
	}
	return weights
}

func startWeight(trial uint32) float64 {
	if trial < uint32(len(starts)) {
		return starts[trial]
	}
	return 0
}

// windowStart is the starting weight of one active minute for the rate channel, given to the first maxWindowStarts of a
// day so that their sum is 1.
const (
	windowStart     = 1.0 / 300
	maxWindowStarts = 300
)
