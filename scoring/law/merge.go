package law

import "math"

// ACAT merges p-values of tests that may depend on each other, with equal weights, into one (Liu and Xie, 2020, JASA
// 115:393). It takes and returns natural logarithms. The level of a small p holds under the dependence of Gaussian
// statistics; it is no bound under every dependence, as the mean of e-values is. A p of 1 counts as 1 - 2^-53, and nothing
// merged is 1.
func ACAT(logPs []float64) float64 {
	if len(logPs) == 0 {
		return 0
	}
	n := float64(len(logPs))
	smallest := 0.0
	for _, lp := range logPs {
		smallest = min(smallest, lp)
	}
	if smallest < plainLogP {
		sum := 0.0
		for _, lp := range logPs {
			sum += math.Exp(smallest - lp)
		}
		return smallest + math.Log(n) - math.Log(sum)
	}
	mean := 0.0
	for _, lp := range logPs {
		mean += cotangent(lp) / n
	}
	if mean >= 0 {
		return math.Log(math.Atan2(1, mean) / math.Pi)
	}
	return math.Log1p(-math.Atan2(1, -mean) / math.Pi)
}

// plainLogP is where cotangents leave the range of float64; what merges with such a p is lost beside it in any case.
const plainLogP = -600

// cotangent is cot(pi p), for p near 0 and near 1 alike.
func cotangent(logP float64) float64 {
	if logP > -math.Ln2 {
		return -1 / math.Tan(math.Pi*max(-math.Expm1(logP), 0x1p-53))
	}
	return 1 / math.Tan(math.Pi*math.Exp(logP))
}

// MixtureLogE turns ln p into ln e by the calibrator (1 - p + p ln p) / (p ln^2 p), the mean of the power calibrators over
// kappa in (0, 1) (Vovk and Wang, 2021, Annals of Statistics 49:1736).
func MixtureLogE(logP float64) float64 {
	u := -logP
	if u >= 1 {
		return u + math.Log1p(-(1+u)*math.Exp(-u)) - 2*math.Log(u)
	}
	// (e^u - 1 - u) / u^2 by its series, which does not cancel.
	sum, term := 0.0, .5
	for k := 3.0; k < 22; k++ {
		sum += term
		term *= u / k
	}
	return math.Log(sum)
}

// PowerLogE turns ln p into ln e by the calibrator kappa p^(kappa-1), 0 < kappa < 1.
func PowerLogE(logP, kappa float64) float64 {
	return math.Log(kappa) + float64((kappa-1)*logP)
}
