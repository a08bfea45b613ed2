package law

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Bounds of the fits of populations, in natural logarithms. A population without differences between its members has an
// infinite shape or size; e^14 observations would not tell the largest of these from it.
const (
	minLogSize = -10
	maxLogSize = 14
)

// FitNegativeBinomial is the maximum likelihood fit to counts, in any order. The shape is kept within e^-10 and e^14. It
// wants at least 10 counts, none negative and not all 0.
func FitNegativeBinomial(counts []int) (NegativeBinomial, error) {
	if len(counts) < minSample {
		return NegativeBinomial{}, fmt.Errorf("fit negative binomial: %d counts, need %d", len(counts), minSample)
	}
	sample := slices.Sorted(slices.Values(counts))
	if sample[0] < 0 {
		return NegativeBinomial{}, fmt.Errorf("fit negative binomial: count %d", sample[0])
	}
	mean, variance := momentsOf(sample)
	groups := groupsOf(sample)
	if mean == 0 {
		return NegativeBinomial{}, errors.New("fit negative binomial: all counts are 0")
	}
	// Whatever the shape is, the likelihood is largest where Mean is the mean of the sample.
	within := func(at []float64) NegativeBinomial { return NegativeBinomial{math.Exp(clampSize(at[0])), mean} }
	loss := func(at []float64) float64 {
		d, sum := within(at), 0.0
		for _, g := range groups {
			sum -= float64(g.size * d.logMass(g.member))
		}
		return sum
	}
	start := math.Log(mean * mean / max(variance-mean, .01*mean))
	return within(minimise(loss, []float64{clampSize(start)}, .5)), nil
}

// group is so many equal members of a sample. Most of a large population did one of a few things, and a likelihood needs
// each of them once.
type group[T any] struct {
	member T
	size   float64
}

func groupsOf[T comparable](sorted []T) []group[T] {
	var groups []group[T]
	for i, member := range sorted {
		if i == 0 || member != sorted[i-1] {
			groups = append(groups, group[T]{member, 0})
		}
		groups[len(groups)-1].size++
	}
	return groups
}

func momentsOf(sample []int) (mean, variance float64) {
	n := float64(len(sample))
	for _, k := range sample {
		mean += float64(k) / n
	}
	for _, k := range sample {
		d := float64(k) - mean
		variance += float64(d * d / (n - 1))
	}
	return mean, variance
}

func clampSize(logSize float64) float64 { return min(max(logSize, minLogSize), maxLogSize) }

// Tally is what one member of a population did: Hits of its Trials.
type Tally struct{ Hits, Trials int }

// FitBeta is the maximum likelihood fit of a population's prior to the tallies of its members, in any order, one vote per
// member. A+B is kept within e^-10 and e^14 and the mean A/(A+B) within 1e-6 of 0 and 1. It wants at least 10 members with
// trials; members without any say nothing.
func FitBeta(members []Tally) (Beta, error) {
	sample := make([]Tally, 0, len(members))
	for _, m := range members {
		if m.Hits < 0 || m.Hits > m.Trials {
			return Beta{}, fmt.Errorf("fit beta: %d hits of %d trials", m.Hits, m.Trials)
		}
		if m.Trials > 0 {
			sample = append(sample, m)
		}
	}
	if len(sample) < minSample {
		return Beta{}, fmt.Errorf("fit beta: %d members with trials, need %d", len(sample), minSample)
	}
	slices.SortFunc(sample, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Trials, b.Trials), cmp.Compare(a.Hits, b.Hits))
	})
	groups := groupsOf(sample)
	loss := func(at []float64) float64 {
		d, sum := betaAt(at), 0.0
		for _, g := range groups {
			sum -= float64(g.size * d.logMass(g.member.Trials, g.member.Hits))
		}
		return sum
	}
	return betaAt(minimise(loss, momentsBeta(sample), .5)), nil
}

// betaAt has the mean with logit at[0] and the size with logarithm at[1].
func betaAt(at []float64) Beta {
	const rare = 1e-6
	mean := min(max(1/(1+math.Exp(-at[0])), rare), 1-rare)
	size := math.Exp(clampSize(at[1]))
	return Beta{mean * size, (1 - mean) * size}
}

// momentsBeta starts from the mean and variance of the members' shares, in betaAt's coordinates.
func momentsBeta(sample []Tally) []float64 {
	n := float64(len(sample))
	var mean, variance, noise float64
	for _, m := range sample {
		mean += float64(m.Hits) / float64(m.Trials) / n
		noise += 1 / float64(m.Trials) / n
	}
	mean = min(max(mean, 1e-4), 1-1e-4)
	for _, m := range sample {
		d := float64(m.Hits)/float64(m.Trials) - mean
		variance += float64(d * d / n)
	}
	// Var(share) = mean (1-mean) (size E[1/trials] + 1) / (size + 1), about.
	spread := variance / (mean * (1 - mean))
	size := (1 - spread) / max(spread-noise, .001)
	return []float64{math.Log(mean / (1 - mean)), clampSize(math.Log(max(size, .1)))}
}
