package law

import (
	"math"
	"slices"
)

// Limits of minimise: a simplex of two dimensions is as small as float64 lets it be after some 150 steps.
const (
	maxSteps    = 500
	tinySimplex = 1e-10
)

type vertex struct {
	at    []float64
	value float64
}

// minimise is the downhill simplex of Nelder and Mead, 1965 (Computer Journal 7:308), started twice: a second simplex
// around the first one's end frees it where it collapsed too early. gonum's is not used because its package reaches
// math/rand, which scoring must not. f may be +Inf, but not at start.
func minimise(f func([]float64) float64, start []float64, step float64) []float64 {
	best := descend(f, start, step)
	return descend(f, best, step/10)
}

func descend(f func([]float64) float64, start []float64, step float64) []float64 {
	simplex := []vertex{{slices.Clone(start), f(start)}}
	for i := range start {
		at := slices.Clone(start)
		at[i] += step
		simplex = append(simplex, vertex{at, f(at)})
	}
	last := len(simplex) - 1
	for range maxSteps {
		slices.SortStableFunc(simplex, func(a, b vertex) int { return compare(a.value, b.value) })
		if diameter(simplex) < tinySimplex {
			break
		}
		worst := simplex[last]
		along := func(t float64) vertex {
			at := pointAlong(simplex[:last], worst.at, t)
			return vertex{at, f(at)}
		}
		reflected := along(-1)
		switch {
		case reflected.value < simplex[0].value:
			simplex[last] = better(along(-2), reflected)
		case reflected.value < simplex[last-1].value:
			simplex[last] = reflected
		case reflected.value < worst.value:
			simplex[last] = better(along(-.5), reflected)
		default:
			simplex[last] = better(along(.5), worst)
			if simplex[last].value >= worst.value {
				shrink(f, simplex)
			}
		}
	}
	return simplex[0].at
}

// pointAlong lies on the line from the centre of a face to a point, t of the way.
func pointAlong(face []vertex, point []float64, t float64) []float64 {
	at := make([]float64, len(point))
	for i := range at {
		centre := 0.0
		for _, v := range face {
			centre += v.at[i]
		}
		centre /= float64(len(face))
		at[i] = centre + float64(t*(point[i]-centre))
	}
	return at
}

func shrink(f func([]float64) float64, simplex []vertex) {
	for j := 1; j < len(simplex); j++ {
		simplex[j].at = pointAlong(simplex[:1], simplex[j].at, .5)
		simplex[j].value = f(simplex[j].at)
	}
}

func diameter(simplex []vertex) float64 {
	widest := 0.0
	for _, v := range simplex[1:] {
		for i, x := range v.at {
			widest = max(widest, math.Abs(x-simplex[0].at[i]))
		}
	}
	return widest
}

func better(a, b vertex) vertex {
	if a.value < b.value {
		return a
	}
	return b
}

// compare orders numbers with NaN last, so that a point without a value is never the best.
func compare(a, b float64) int {
	switch {
	case a < b || (math.IsNaN(b) && !math.IsNaN(a)):
		return -1
	case a > b || (math.IsNaN(a) && !math.IsNaN(b)):
		return 1
	}
	return 0
}
