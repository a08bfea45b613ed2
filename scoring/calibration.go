package scoring

import (
	"math"

	"sundew"
	"sundew/scoring/law"
)

// The outer calibration checks what the ledgers promise against what legitimate client-days have really shown. It keeps,
// for each segment, the distribution of the number that thresholds are compared with, the highest e-value of a
// client-day, and takes evidence away where that number is reached more often than the promise allows. It never adds
// any: calibrated evidence is at most the ledgers'.
//
// Among the client-days are those of abusers whom nobody has labelled. To throw out whoever looks like one would make the
// rest look better than it is, and to keep them all would let one per cent of abusers hide the next one. So the tail is
// fitted to what lies between its threshold and the least evidence that is acted on, given that it lies there: what is
// further out does not move it, while a model that is wrong about legitimate clients shows in the slope below.

// segments are the groups with a distribution of their own: the kind of entity, and whether this is its first day.
const segments = sundew.NumKinds * 2

// segmentOf does not change during a client-day.
func segmentOf(s *state) int {
	segment := int(s.Kind) * 2
	if dayOf(s.First) < s.Day {
		segment++
	}
	return segment
}

// pool is the distribution of the highest evidence of client-days, by bin.
type pool [evidenceBins]float32

// actedOn is the least evidence that is acted on: one legitimate client-day in 10,000. What lies there is left to labels.
var actedOn = evidenceBin(10_000)

func (p *pool) add(votes *pool) {
	for bin := range p {
		p[bin] += votes[bin]
	}
}

// size is the number of votes below what is acted on.
func (p *pool) size() (n float64) {
	for _, count := range p[:actedOn] {
		n += float64(count)
	}
	return n
}

// join adds votes to the pool after it has forgotten a part of the old ones, so that it follows slow change: a vote
// weighs half after a week.
func (p *pool) join(votes *pool) {
	for bin := range p {
		p[bin] = float32(p[bin]*remembered) + votes[bin]
	}
}

const remembered = .9057 // of a vote a day later: (1/2)^(1/7)

// calibration says to which bin evidence of a bin is lowered. It is replaced between client-days and not changed.
type calibration [evidenceBins]uint16

// uncalibrated takes the ledgers at their word.
var uncalibrated = func() (c calibration) {
	for bin := range c {
		c[bin] = uint16(bin)
	}
	return c
}()

// apply returns the calibrated e-value.
func (c *calibration) apply(e float64) float64 {
	bin := evidenceBin(e)
	if to := int(c[bin]); to < bin {
		return evidenceFloor(to)
	}
	return e
}

const (
	leastVotes   = 2000 // client-days, below which the ledgers are taken at their word
	leastBeyond  = 40   // of them beyond the tail's threshold
	tailShare    = .1   // of client-days lie beyond the tail's threshold
	mostBeyond   = 2000 // exceedances that the tail is fitted to; more are thinned out
	dailyDrift   = 8    // bins, a factor of two, that the calibration of a bin may move in a day
	conformalOne = 1    // the client-day under test counts among the pool (Vovk, Gammerman and Shafer, 2005)
)

// recalibrated returns the next day's calibration: for each bin the e-value that the share of client-days reaching it
// allows. Up to the tail's threshold that is the conformal p-value, beyond it a generalised Pareto tail (peaks over
// threshold; Siffer et al., SPOT, KDD 2017).
func (p *pool) recalibrated(today *calibration) calibration {
	next := p.measured()
	for bin := range next {
		low, high := max(int(today[bin])-dailyDrift, 0), min(int(today[bin])+dailyDrift, bin)
		next[bin] = uint16(min(max(int(next[bin]), low), high))
	}
	return next
}

func (p *pool) measured() calibration {
	c := uncalibrated
	n := p.size()
	if n < leastVotes {
		return c
	}
	threshold, beyond := p.tail(n)
	tail, err := fitTail(p.exceedances(threshold, beyond), nats(actedOn)-nats(threshold))
	fitted := err == nil && beyond >= leastBeyond
	if fitted {
		// What the tail has above the ceiling was left out of both counts.
		above := math.Exp(tail.LogSurvival(nats(actedOn) - nats(threshold)))
		missing := beyond * above / (1 - above)
		n, beyond = n+missing, beyond+missing
	}
	reaching := n
	for bin := range c {
		share := (reaching + conformalOne) / (n + conformalOne)
		if bin > threshold {
			if !fitted {
				break // too few came this far to say more
			}
			share = (beyond + conformalOne) / (n + conformalOne) * math.Exp(tail.LogSurvival(nats(bin)-nats(threshold)))
		}
		c[bin] = uint16(min(bin, evidenceBin(1/share)))
		if bin > 0 {
			c[bin] = max(c[bin], c[bin-1])
		}
		reaching -= float64(p[bin])
	}
	return c
}

// fitTail allows no tail that ends: a promise that nothing lies beyond some evidence cannot be read off a sample.
func fitTail(exceedances []float64, ceiling float64) (law.GPD, error) {
	tail, err := law.FitGPDBelow(exceedances, ceiling)
	if err == nil && tail.Xi < 0 {
		return law.FitExponentialBelow(exceedances, ceiling)
	}
	return tail, err
}

// tail returns the bin from whose floor on at most tailShare of the n votes lie, at least bin 1, and their number.
func (p *pool) tail(n float64) (threshold int, beyond float64) {
	beyond = n - float64(p[0])
	for threshold = 1; threshold < actedOn-1 && beyond > tailShare*n; threshold++ {
		beyond -= float64(p[threshold])
	}
	return threshold, beyond
}

// exceedances lists how far beyond the threshold the votes lie, in nats, each in the middle of its bin.
func (p *pool) exceedances(threshold int, beyond float64) []float64 {
	keep := min(1, mostBeyond/max(beyond, 1))
	var list []float64
	for bin := threshold; bin < actedOn; bin++ {
		middle := float64((nats(bin)+nats(bin+1))/2) - nats(threshold)
		for range int(math.Ceil(float64(p[bin]) * keep)) {
			list = append(list, middle)
		}
	}
	return list
}

// nats is the evidence of a bin's floor.
func nats(bin int) float64 { return law.Log(evidenceFloor(bin)) }
