package law

import "math"

const (
	halfLogTwoPi = 0.91893853320467274178

	// A continued fraction or series ends when a term no longer counts, or after maxTerms; a fraction for parameters of 1e6
	// needs about a thousand.
	maxTerms  = 100_000
	tinyTerm  = 1e-16
	tinyLentz = 1e-300
)

func logGamma(x float64) float64 {
	l, _ := math.Lgamma(x)
	return l
}

// stirlingRest is ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi)/2) for x >= 10: what differences of ln Gamma lose when the
// leading terms are subtracted as rounded numbers.
func stirlingRest(x float64) float64 {
	// B(2k) / (2k (2k-1)), Abramowitz and Stegun 6.1.40.
	coefficients := [...]float64{1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188, -691. / 360360, 1. / 156, -3617. / 122400}
	square, sum := 1/x/x, 0.0
	for i := len(coefficients) - 1; i >= 0; i-- {
		sum = float64(sum*square) + coefficients[i]
	}
	return sum / x
}

// logBeta is ln B(a, b) without the loss of ln Gamma(a) + ln Gamma(b) - ln Gamma(a+b) at large arguments.
func logBeta(a, b float64) float64 {
	a, b = min(a, b), max(a, b)
	share := a / (a + b)
	switch {
	case a >= 10:
		rest := stirlingRest(a) + stirlingRest(b) - stirlingRest(a+b)
		return halfLogTwoPi - float64(math.Log(b)/2) + rest + float64((a-.5)*math.Log(share)) + float64(b*math.Log1p(-share))
	case b >= 10:
		rest := stirlingRest(b) - stirlingRest(a+b)
		return logGamma(a) + rest + a - float64(a*math.Log(a+b)) + float64((b-.5)*math.Log1p(-share))
	}
	return logGamma(a) + logGamma(b) - logGamma(a+b)
}

func logChoose(n, k float64) float64 {
	return -math.Log(n+1) - logBeta(n-k+1, k+1)
}

// logIncBeta is ln I_x(a, b), the regularised incomplete beta function, for a, b > 0; y is 1 - x, which the caller may know
// more exactly than the difference is.
func logIncBeta(a, b, x, y float64) float64 {
	if x <= 0 {
		return math.Inf(-1)
	}
	if y <= 0 {
		return 0
	}
	front := float64(a*logOf(x, y)) + float64(b*logOf(y, x)) - logBeta(a, b)
	if x < (a+1)/(a+b+2) {
		return min(front+math.Log(betaFraction(a, b, x)/a), 0)
	}
	return math.Log1p(-min(float64(math.Exp(front)*betaFraction(b, a, y)/b), 1))
}

// logOf is ln x, from rest = 1 - x where that is the smaller.
func logOf(x, rest float64) float64 {
	if x > .5 {
		return math.Log1p(-rest)
	}
	return math.Log(x)
}

// betaFraction is the continued fraction 26.5.8 of Abramowitz and Stegun, by Lentz's method as modified by Thompson and
// Barnett, 1986.
func betaFraction(a, b, x float64) float64 {
	c, d := 1.0, 1/awayFrom0(1-float64((a+b)/(a+1)*x))
	h := d
	for i := 1; i <= maxTerms; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + m + m - 1) * (a + m + m))
		d = 1 / awayFrom0(1+float64(even*d))
		c = awayFrom0(1 + even/c)
		h *= float64(d * c)
		odd := -(a + m) * (a + b + m) * x / ((a + m + m) * (a + m + m + 1))
		d = 1 / awayFrom0(1+float64(odd*d))
		c = awayFrom0(1 + odd/c)
		h *= float64(d * c)
		if math.Abs(float64(d*c)-1) < 4*tinyTerm {
			break
		}
	}
	return h
}

func awayFrom0(x float64) float64 {
	if math.Abs(x) < tinyLentz {
		return tinyLentz
	}
	return x
}

// logUpperGamma is ln Q(s, x), the regularised upper incomplete gamma function, for s > 0.
func logUpperGamma(s, x float64) float64 {
	if x <= 0 {
		return 0
	}
	front := logGammaFront(s, x)
	if x >= s+1 {
		return min(front+math.Log(gammaFraction(s, x)), 0)
	}
	sum, term := 1/s, 1/s
	for n := 1; n <= maxTerms && term > float64(sum*tinyTerm); n++ {
		term *= x / (s + float64(n))
		sum += float64(term)
	}
	return math.Log1p(-min(float64(math.Exp(front)*sum), 1))
}

// logGammaFront is s ln x - x - ln Gamma(s).
func logGammaFront(s, x float64) float64 {
	if s < 10 {
		return float64(s*math.Log(x)) - x - logGamma(s)
	}
	return float64(s*math.Log(x/s)) + (s - x) + float64(math.Log(s)/2) - halfLogTwoPi - stirlingRest(s)
}

// gammaFraction is the continued fraction 6.5.31 of Abramowitz and Stegun in its even form.
func gammaFraction(s, x float64) float64 {
	b := x + 1 - s
	c, d := 1/tinyLentz, 1/b
	h := d
	for i := 1; i <= maxTerms; i++ {
		a := float64(-float64(i) * (float64(i) - s))
		b += 2
		d = 1 / awayFrom0(float64(a*d)+b)
		c = awayFrom0(b + a/c)
		h *= float64(d * c)
		if math.Abs(float64(d*c)-1) < 4*tinyTerm {
			break
		}
	}
	return h
}
