package law

import "math"

// Log is the natural logarithm with the same bits on every machine, which math.Log leaves to the architecture. It is within
// 1.5 units in the last place; 0 has -Inf, and what is below has NaN.
//
// With x = m 2^e and m from sqrt(1/2) to sqrt(2), ln m is 2 artanh((m-1)/(m+1)) by its series.
func Log(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) {
		return math.Log(x)
	}
	// ln 2 as a number whose product with e is exact, and the rest.
	const ln2High, ln2Low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	f := m - 1
	s := f / (2 + f)
	square := float64(s * s)
	// 2 artanh(s) = 2s + 2s (s^2/3 + s^4/5 + ...), and 2s = f - s f.
	series := 0.0
	for i := 23.0; i >= 3; i -= 2 {
		series = float64(square * (1/i + series))
	}
	rest := float64(s*(series+series-f)) + float64(float64(e)*ln2Low)
	return float64(float64(e)*ln2High) + (f + rest)
}
