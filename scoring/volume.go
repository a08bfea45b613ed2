package scoring

import (
	"math"

	"sundew"
	"sundew/scoring/law"
)

// Volumes are what is known of how often one route is asked for. The statistic is the most requests for a class of routes
// that an entity sends in any ten minutes of a day. It only grows as the day goes on, so the probability that a legitimate
// client-day reaches it is a p-value at every moment.
//
// The evidence is the ratio of two survival functions, p^volumePower of an abuser's and p of a legitimate client-day's:
// "the day brings one more than this" has the ratio of their hazards, and the day's end settles the last trial. An entity
// is heard about every class, and which will be the loudest is not known before, so each has an equal share of a mixture.

const (
	routeClasses = 64
	volumeWindow = 600 // seconds
	volumePower  = .1

	countBins = 33  // of 0, and of 1 to 255, four to an octave
	leastDays = 200 // client-days below which nothing is known
	leastFit  = 30  // exceedances, likewise
	heapShare = .1  // of client-days lie beyond the tail's threshold
	// abuseShare of client-days, and at most a quarter of those beyond the threshold, are taken to be abuse that nobody
	// found: the tail is fitted to what lies below them.
	abuseShare = .005
	// What many known entities show at once is a change of the world: a release that asks again and again, a sale. A class
	// that so many, and such a share of a day's entities, are loud about is not heard before the next epoch.
	loud      = 1000
	loudOnes  = 10
	loudShare = .005
)

// The kinds that volumes are known of.
const (
	volumeOfIPs = iota
	volumeOfDevices
	volumeOfAccounts
	numVolumes
)

func volumeOf(kind uint8) (of int, ok bool) {
	switch sundew.Kind(kind) {
	case sundew.KindIP:
		return volumeOfIPs, true
	case sundew.KindDevice:
		return volumeOfDevices, true
	case sundew.KindAccount:
		return volumeOfAccounts, true
	}
	return 0, false
}

// volumes are the population's.
type volumes struct {
	Known heaps // old client-days counting in part
	Laws  [numVolumes]volumeLaw
}

// heaps are client-days by kind, class and the bin of their most requests.
type heaps struct {
	Days  [numVolumes]float32
	Peaks [numVolumes][routeClasses][countBins]float32
	Loud  [numVolumes][routeClasses]float32 // known entities that the class was loud about, in this epoch
}

// volumeLaw says what counts are worth, as bins of evidence, in force for an epoch.
type volumeLaw struct {
	Worth  [routeClasses][countBins]uint16
	Usual  [routeClasses]uint8 // the most that nine client-days in ten have
	Muted  uint64              // classes that are not heard
	OneDay float32             // client-days of a day
}

// evidence is what reaching a bin is worth.
func (l *volumeLaw) evidence(class int, bin uint8) float64 {
	if l.Muted>>class&1 != 0 {
		return 1
	}
	return evidenceFloor(int(l.Worth[class][bin]))
}

// countBin is 0 for 0; from 1 on there are four bins to an octave.
func countBin(n uint8) uint8 {
	if n == 0 {
		return 0
	}
	return uint8(math.Float64bits(float64(n))>>50) + 1 - uint8(exponentBias*4&0xff)
}

// countFloor is the least count of a bin, of which fractions do not occur.
func countFloor(bin int) float64 {
	if bin == 0 {
		return 0
	}
	return math.Ceil(math.Float64frombits(uint64(bin-1+exponentBias*4) << 50))
}

// heap lets a client-day that closes vote.
func (c *cell) heap(s *state) {
	of, ok := volumeOf(s.Kind)
	if !ok {
		return
	}
	h := c.heapsOfEpoch()
	h.Days[of]++
	if s.Volume == 0 {
		return
	}
	for class, bin := range s.volumePart.Peaks {
		if bin > 0 {
			h.Peaks[of][class][bin]++
		}
	}
}

// hear notes that a class has become loud about an entity that is known.
func (c *cell) hear(s *state, before float32) {
	if v := s.volumePart; before < loud && v.Most >= loud && dayOf(s.First) < s.Day {
		of, _ := volumeOf(s.Kind)
		c.heapsOfEpoch().Loud[of][v.Of]++
	}
}

func (c *cell) heapsOfEpoch() *heaps {
	if c.heaps == nil {
		c.heaps = new(heaps)
	}
	return c.heaps
}

// heaps are the votes of the epoch. Which cell holds a vote changes nothing.
func (e *Engine) heaps() *heaps {
	sum := new(heaps)
	for i := range e.cells {
		if e.cells[i].heaps != nil {
			sum.join(e.cells[i].heaps, 1)
		}
	}
	return sum
}

// join adds votes after a part of the old ones is forgotten.
func (h *heaps) join(votes *heaps, remembered float32) {
	for of := range numVolumes {
		h.Days[of] = float32(h.Days[of]*remembered) + votes.Days[of]
		for class := range routeClasses {
			h.Loud[of][class] += votes.Loud[of][class]
			for bin := range countBins {
				h.Peaks[of][class][bin] = float32(h.Peaks[of][class][bin]*remembered) + votes.Peaks[of][class][bin]
			}
		}
	}
}

// turnVolumes ends an epoch.
func (e *Engine) turnVolumes() {
	v, votes := &e.population.volumes, e.heaps()
	v.Known.join(votes, remembered)
	v.Known.Loud = [numVolumes][routeClasses]float32{}
	for of := range v.Laws {
		v.Laws[of] = v.Known.law(of)
		v.Laws[of].OneDay = votes.Days[of]
	}
	for i := range e.cells {
		e.cells[i].heaps = nil
	}
}

// passVolumes mutes the classes that too many are loud about.
func (e *Engine) passVolumes() {
	v, votes := &e.population.volumes, &e.population.volumes.Known
	for i := range e.cells {
		h := e.cells[i].heaps
		if h == nil {
			continue
		}
		for of := range h.Loud {
			for class, n := range h.Loud[of] {
				votes.Loud[of][class] += n
			}
		}
		h.Loud = [numVolumes][routeClasses]float32{}
	}
	for of := range v.Laws {
		l := &v.Laws[of]
		for class, n := range votes.Loud[of] {
			if n >= max(loudOnes, float32(loudShare*l.OneDay)) {
				l.Muted |= 1 << class
			}
		}
	}
}

// law is what the client-days say of a kind.
func (h *heaps) law(of int) (l volumeLaw) {
	known := 0
	for class := range routeClasses {
		if tail, ok := tailOf(&h.Peaks[of][class], float64(h.Days[of])); ok {
			known++
			l.Usual[class] = uint8(countFloor(tail.from) - 1)
			for bin := tail.from; bin < countBins; bin++ {
				l.Worth[class][bin] = uint16(evidenceBin(math.Exp((volumePower - 1) * tail.logSurvival(bin))))
			}
		}
	}
	for class := range routeClasses {
		for bin, worth := range l.Worth[class] {
			l.Worth[class][bin] = uint16(evidenceBin(1 + (evidenceFloor(int(worth))-1)/float64(max(known, 1))))
		}
	}
	return l
}

// countTail is the tail of the client-days' most requests of a class.
type countTail struct {
	from  int // bin
	share float64
	law.GPD
}

// logSurvival is the logarithm of the share of client-days that reach the bin.
func (t countTail) logSurvival(bin int) float64 {
	return math.Log(t.share) + t.LogSurvival(countFloor(bin)-countFloor(t.from))
}

// tailOf fits a generalised Pareto tail to the client-days beyond the threshold, its shape one standard error heavier than
// the most likely and never lighter than exponential.
func tailOf(peaks *[countBins]float32, days float64) (t countTail, ok bool) {
	if days < leastDays {
		return t, false
	}
	var reach [countBins + 1]float64
	for bin := countBins - 1; bin > 0; bin-- {
		reach[bin] = reach[bin+1] + float64(peaks[bin])
	}
	t.from = 1
	for t.from < countBins-1 && reach[t.from] > heapShare*days {
		t.from++
	}
	beyond := reach[t.from]
	ceiling := t.from
	for ceiling < countBins && reach[ceiling] > min(abuseShare*days, beyond/4) {
		ceiling++
	}
	if beyond-reach[ceiling] < leastFit || ceiling == countBins {
		return t, false
	}
	var exceedances []float64
	for bin := t.from; bin < ceiling; bin++ {
		middle := (countFloor(bin)+countFloor(bin+1))/2 - countFloor(t.from)
		for range int(math.Ceil(float64(peaks[bin]))) {
			exceedances = append(exceedances, middle)
		}
	}
	fit, err := law.FitGPDBelow(exceedances, countFloor(ceiling)-countFloor(t.from))
	if err != nil {
		return t, false
	}
	if fit.Xi < 0 {
		if fit, err = law.FitExponentialBelow(exceedances, countFloor(ceiling)-countFloor(t.from)); err != nil {
			return t, false
		}
	}
	t.GPD = law.GPD{Xi: fit.Xi + 1/math.Sqrt(float64(len(exceedances))), Sigma: fit.Sigma}
	t.share = (beyond + conformalOne) / (days + conformalOne)
	return t, true
}
