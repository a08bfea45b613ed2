package scoring

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// TestHazardsAgreeWithTheIncompleteBeta compares with P[NB >= k] = I_{mean/(size+mean)}(k, size), which gonum computes
// by other means, where that does not underflow.
func TestHazardsAgreeWithTheIncompleteBeta(t *testing.T) {
	for _, mean := range []float64{.5, 2.3, 8, 64, 500, 5_000, 1e6} {
		got := hazards(mean)
		for _, x := range []int{0, 1, 2, 5, 10, 50, 100, 500, hurdleDepth - 1} {
			atLeast := func(k int) float64 {
				if k == 0 {
					return 1
				}
				return mathext.RegIncBeta(float64(k), hurdleSize, mean/(hurdleSize+mean))
			}
			if atLeast(x) < 1e-280 {
				continue
			}
			want := atLeast(x+1) / atLeast(x)
			if math.Abs(got[x]-want) > 1e-9*want {
				t.Errorf("mean %v: P(X > %d)/P(X >= %[2]d) is %.15g, want %.15g", mean, x, got[x], want)
			}
		}
	}
}

// TestHurdleIsFair sums the e-value of a closed minute over the null's law of counts: it must be 1.
func TestHurdleIsFair(t *testing.T) {
	h := newHurdle(8)
	null := hazards(8)
	sum, reach, e := 0.0, 1.0, 1.0 // reach = P(X >= x), e = product so far
	for x := range hurdleDepth {
		sum += reach * (1 - null[x]) * e * h.stop[x]
		reach *= null[x]
		e *= h.more[x]
	}
	if math.Abs(sum+reach*e-1) > 1e-9 {
		t.Errorf("the mean of e over the null's law is %v, want 1", sum+reach*e)
	}
}

func TestHurdleRatios(t *testing.T) {
	for _, h := range rateLevels {
		for x := range hurdleDepth {
			if !(h.more[x] >= 1) || !(h.stop[x] > 0 && h.stop[x] <= 1) {
				t.Fatalf("mean %v, request %d: more %v, stop %v; want at least 1 and in (0, 1]", h.mean, x, h.more[x], h.stop[x])
			}
		}
	}
}
