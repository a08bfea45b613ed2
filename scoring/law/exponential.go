package law

import (
	"errors"
	"math"
)

// FitExponentialBelow fits the GPD of shape 0 to the exceedances from 0 to ceiling, given that they are at most ceiling,
// by maximum likelihood: the scale whose truncated mean is theirs. Where they lie so evenly that no scale is large enough,
// it is 100 ceilings. It fails where nothing lies in that range.
func FitExponentialBelow(exceedances []float64, ceiling float64) (GPD, error) {
	var sum, n float64
	for _, y := range exceedances {
		if y >= 0 && y <= ceiling {
			sum += y
			n++
		}
	}
	if !(sum > 0) {
		return GPD{}, errors.New("fit exponential: no exceedance between 0 and the ceiling")
	}
	mean := sum / n
	low, high := 0.0, float64(100*ceiling)
	for range 100 {
		scale := float64((low + high) / 2)
		if scale-ceiling/math.Expm1(ceiling/scale) < mean {
			low = scale
		} else {
			high = scale
		}
	}
	return GPD{Sigma: high}, nil
}
