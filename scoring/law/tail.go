package law

import "math"

// PoissonLogTail is ln P(X >= k) for X of a Poisson law with mean > 0.
func PoissonLogTail(mean float64, k int) float64 {
	if k <= 0 {
		return 0
	}
	n := float64(k)
	if mean >= n+1 {
		return logUpperGammaComplement(n, mean)
	}
	sum, term := 1.0, 1.0
	for i := 1.0; i <= maxTerms && term > float64(sum*tinyTerm); i++ {
		term *= mean / (n + i)
		sum += float64(term)
	}
	return min(logGammaFront(n, mean)-math.Log(n)+math.Log(sum), 0)
}

// logUpperGammaComplement is ln(1 - Q(s, x)).
func logUpperGammaComplement(s, x float64) float64 {
	return math.Log(-math.Expm1(logUpperGamma(s, x)))
}

// BinomialLogTail is ln P(X >= k) for the hits X of n trials with probability p each.
func BinomialLogTail(n int, p float64, k int) float64 {
	switch {
	case k <= 0:
		return 0
	case k > n:
		return math.Inf(-1)
	}
	return logIncBeta(float64(k), float64(n-k+1), p, 1-p)
}

// GammaLogTail is ln P(X > x) for X of a gamma law.
func GammaLogTail(shape, rate, x float64) float64 {
	return logUpperGamma(shape, float64(rate*x))
}

// NormalLogTail is ln P(Z > z) for a standard normal Z.
func NormalLogTail(z float64) float64 {
	if z < 30 {
		return math.Log(math.Erfc(z/math.Sqrt2) / 2)
	}
	// The asymptotic series 26.2.12 of Abramowitz and Stegun; its ninth term is below 1e-17 here.
	sum, term := 1.0, 1.0
	for i := 1.0; i < 9; i++ {
		term *= -(i + i - 1) / z / z
		sum += float64(term)
	}
	return -float64(z*z/2) - math.Log(z) - halfLogTwoPi + math.Log(sum)
}

// NegativeBinomial is the law of counts whose Poisson means differ between members of a population by a gamma law of the
// given shape: Mean > 0, variance Mean + Mean^2/Shape.
type NegativeBinomial struct{ Shape, Mean float64 }

// LogTail is ln P(X >= k). Relative accuracy is about 1e-14, also for probabilities far below the smallest
// float64, and 2e-13 where Shape and k are 1e5.
func (d NegativeBinomial) LogTail(k int) float64 {
	if k <= 0 {
		return 0
	}
	total := d.Shape + d.Mean
	return logIncBeta(float64(k), d.Shape, d.Mean/total, d.Shape/total)
}

func (d NegativeBinomial) logMass(k int) float64 {
	total := d.Shape + d.Mean
	mass := float64(d.Shape * logOf(d.Shape/total, d.Mean/total))
	if k > 0 {
		x := float64(k)
		mass += float64(x*logOf(d.Mean/total, d.Shape/total)) - math.Log(x) - logBeta(d.Shape, x)
	}
	return mass
}

// Beta is the law of a probability that differs between members of a population; A, B > 0, the mean is A/(A+B).
type Beta struct{ A, B float64 }

// LogTail is ln P(X >= k) for the hits X of n trials of one member, the beta-binomial law. It takes up to n steps.
func (d Beta) LogTail(n, k int) float64 {
	switch {
	case k <= 0:
		return 0
	case k > n:
		return math.Inf(-1)
	case float64(k) <= float64(n)*d.A/(d.A+d.B):
		// The tail is most of the mass, and the misses of a member follow the mirrored law.
		below := Beta{d.B, d.A}.upperSum(n, n-k+1)
		return math.Log(-math.Expm1(min(below, 0)))
	}
	return min(d.upperSum(n, k), 0)
}

// upperSum adds the masses at k..n, each from the one before; where they outgrow float64 it takes out a factor.
func (d Beta) upperSum(n, k int) float64 {
	const large = 1e200
	sum, term, taken := 1.0, 1.0, 0.0
	for j := k; j < n; j++ {
		hits, misses := float64(j), float64(n-j)
		term *= misses / (hits + 1) * ((d.A + hits) / (d.B + misses - 1))
		sum += float64(term)
		if sum > large {
			sum, term, taken = sum/large, term/large, taken+math.Log(large)
		}
	}
	return d.logMass(n, k) + taken + math.Log(sum)
}

func (d Beta) logMass(n, k int) float64 {
	hits, misses := float64(k), float64(n-k)
	return logChoose(float64(n), hits) + logBeta(d.A+hits, d.B+misses) - logBeta(d.A, d.B)
}
