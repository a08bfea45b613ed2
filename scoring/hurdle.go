package scoring

import "math"

// The rate channel's null: given that an entity is active in a minute, the number of requests after the first is
// negative binomial with the given size and mean. Activity itself comes in bursts and is not modelled; a Poisson law over
// all minutes would call every session an attack.
//
// The duel runs request by request. Within a minute, "another request comes" has the hazard h(x) = P(X > x) / P(X >= x),
// and the minute's end has 1 - h(x). The alternative is the same law with its mean multiplied, a mixture over the
// multipliers. Products of the ratios telescope to the ratio of the two laws, so evidence counts at the request that
// brings it, not at the end of the minute.
type hurdle struct {
	mean float64
	more []float64 // evidence ratio when request x+2 of the minute comes, x from 0
	stop []float64 // evidence ratio when the minute ends after request x+1
}

const (
	hurdleSize   = 0.5  // of the negative binomial; a half makes its tail that of page loads
	hurdleDepth  = 1024 // requests in a minute that have ratios of their own
	hurdleLevels = 24   // means, each sqrt(2) times the one before
)

// multipliers of the alternative's mean, equally likely at the start of each minute.
var multipliers = [...]float64{2, 5, 10, 30}

// hurdles returns the levels of means, from base on.
func hurdles(base float64) []hurdle {
	levels := make([]hurdle, hurdleLevels)
	mean := base
	for i := range levels {
		levels[i] = newHurdle(mean)
		mean *= math.Sqrt2
	}
	return levels
}

func newHurdle(mean float64) hurdle {
	null := hazards(mean)
	var alternatives [len(multipliers)][]float64
	var weights [len(multipliers)]float64
	for j, m := range multipliers {
		alternatives[j] = hazards(mean * m)
		weights[j] = 1.0 / float64(len(multipliers))
	}
	h := hurdle{mean, make([]float64, hurdleDepth), make([]float64, hurdleDepth)}
	for x := range hurdleDepth {
		var q float64
		for j := range weights {
			q += float64(weights[j] * alternatives[j][x])
		}
		h.more[x] = q / null[x]
		h.stop[x] = (1 - q) / (1 - null[x])
		for j := range weights {
			weights[j] *= alternatives[j][x] / q
		}
	}
	return h
}

// hazards returns P(X > x) / P(X >= x) for x below hurdleDepth of a negative binomial with hurdleSize and the given mean.
func hazards(mean float64) []float64 {
	odds := mean / (hurdleSize + mean)
	// ratio is P(X = x+1) / P(X = x).
	ratio := func(x int) float64 { return (float64(x) + hurdleSize) / (float64(x) + 1) * odds }
	if 1/(1-odds) > hurdleDepth/8 {
		return hazardsOfBody(math.Sqrt(1-odds), ratio)
	}
	return hazardsOfTail(hurdleDepth+int(64/(1-odds)), 1/(1-odds), ratio)
}

// hazardsOfBody subtracts probabilities from 1, which is exact enough while most of the mass lies beyond the depth.
func hazardsOfBody(first float64, ratio func(int) float64) []float64 {
	out := make([]float64, hurdleDepth)
	at, above := first, 1.0
	for x := range out {
		out[x] = (above - at) / above
		above -= at
		at *= ratio(x)
	}
	return out
}

// hazardsOfTail runs the recurrence T(x) = P(X >= x) / P(X = x) = 1 + ratio(x) T(x+1) downwards, which never underflows.
func hazardsOfTail(from int, limit float64, ratio func(int) float64) []float64 {
	out := make([]float64, hurdleDepth)
	above := limit
	for x := from; x >= 0; x-- {
		tail := 1 + float64(ratio(x)*above)
		if x < hurdleDepth {
			out[x] = ratio(x) * above / tail
		}
		above = tail
	}
	return out
}
