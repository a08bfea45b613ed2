package law

import "math"

// ELOND decides a stream of e-values so that the expected share of false ones among the rejected stays at most Alpha,
// whatever their dependence (Xu and Ramdas, 2024, AISTATS). The zero value with Alpha set is ready; it is not safe for
// concurrent use.
type ELOND struct {
	Alpha           float64
	tests, rejected int
}

// Level is what the next e-value is held against: Alpha gamma_t (rejected + 1) with gamma_t = 6 / (pi t)^2.
func (l *ELOND) Level() float64 {
	t := float64(l.tests + 1)
	return l.Alpha * 6 / (math.Pi * math.Pi * t * t) * float64(l.rejected+1)
}

// Reject takes ln of the next e-value and reports whether it is at least 1 / Level.
func (l *ELOND) Reject(logE float64) bool {
	reject := logE >= -math.Log(l.Level())
	l.tests++
	if reject {
		l.rejected++
	}
	return reject
}
