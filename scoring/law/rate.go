package law

import "math"

// GammaMixture is a prior on the factor theta by which arrivals come faster than they should: a gamma law of the given
// shape A > 0 and rate B > 0.
type GammaMixture struct{ A, B float64 }

// LogE is ln of the e-value of n arrivals where a Poisson process should have brought expected (the compensator, counting
// the silence too), mixed over all factors:
//
//	A ln B - lnG(A) + lnG(A+n) - (A+n) ln(B+expected) + expected
//
// It speaks against too few arrivals as well as against too many.
func (m GammaMixture) LogE(n, expected float64) float64 {
	return float64(m.A*math.Log(m.B)) - logGamma(m.A) + logGamma(m.A+n) - float64((m.A+n)*math.Log(m.B+expected)) + expected
}

// LogEFaster is LogE with the prior cut to theta > 1, so that only too many arrivals speak. It is finite for a silent entity
// too, where the cut posterior has a mass of exp(-expected).
func (m GammaMixture) LogEFaster(n, expected float64) float64 {
	return m.LogE(n, expected) + logUpperGamma(m.A+n, m.B+expected) - logUpperGamma(m.A, m.B)
}
