package quality

import "gonum.org/v1/gonum/stat/distuv"

// ClopperPearson returns the exact two-sided interval of a share of which hits were seen in n independent trials, at the
// given confidence, 0 to 1 exclusive. Without trials it is 0 to 1. Source: Clopper and Pearson, Biometrika 26 (1934).
//
// Client-days behind one address are not independent; the interval of a segment that shares addresses is too narrow.
func ClopperPearson(hits, n int, confidence float64) (low, high float64) {
	tail := (1 - confidence) / 2
	high = 1
	if hits > 0 {
		low = distuv.Beta{Alpha: float64(hits), Beta: float64(n - hits + 1)}.Quantile(tail)
	}
	if hits < n {
		high = distuv.Beta{Alpha: float64(hits + 1), Beta: float64(n - hits)}.Quantile(1 - tail)
	}
	return low, high
}
