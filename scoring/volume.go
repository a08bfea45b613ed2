package scoring

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"sundew"
	"sundew/scoring/law"
)

// Volumes are what is known of how often one route is asked for. The statistic is the most requests for a class of routes
// that an entity sends in any ten minutes of a day. It only grows as the day goes on, so the probability that a legitimate
// client-day reaches it is a p-value at every moment.
//
// The evidence is the ratio of two survival functions, p^volumePower of an abuser's day and p of a legitimate one's: that
// the day brings more than it has is a trial with the ratio of their hazards, and the day's end settles the last one.
// Every class is heard, and nobody knows before which will be the loudest, so each has an equal share of a mixture.
//
// The tail is the population's: a generalised Pareto law of the counts beyond what nine in ten client-days have. It is
// fitted to what lies below the highest counts, because among these are those of abusers whom nobody found.
const (
	routeClasses = 1024 // numbered from 1
	routeSlots   = 16
	volumeWindow = 600 // seconds
	volumePower  = .1

	countBins  = 33  // of 0, and of 1 to 255, four to an octave
	leastDays  = 200 // client-days below which nothing is known
	leastUsers = 10  // of them with the route, likewise
	leastFit   = 30  // exceedances for a tail of their own
	leastSteps = 3   // different bins of them, likewise
	tailBeyond = .1  // of client-days lie beyond the tail's threshold
	unfound    = .01 // of client-days are abuse that nobody found, and at most a quarter of those beyond the threshold

	// What many known entities show at once is a change of the world: a release that asks again and again, a sale. A class
	// that so many, and such a share of a day's entities, are loud about is not heard before the next epoch.
	loud      = 100
	loudOnes  = 6
	loudShare = .002
)

// The kinds that volumes are known of.
const (
	volumeOfIPs = iota
	volumeOfPrefixes
	volumeOfDevices
	volumeOfAccounts
	numVolumes
)

func volumeOf(kind uint8) (of int, ok bool) {
	switch sundew.Kind(kind) {
	case sundew.KindIP:
		return volumeOfIPs, true
	case sundew.KindPrefix:
		return volumeOfPrefixes, true
	case sundew.KindDevice:
		return volumeOfDevices, true
	case sundew.KindAccount:
		return volumeOfAccounts, true
	}
	return 0, false
}

// volumes are the population's.
type volumes struct {
	days   [numVolumes]float32 // client-days, old ones counting in part
	oneDay [numVolumes]float32 // of the epoch before
	peaks  [numVolumes][routeClasses + 1]*peaks
	louds  [numVolumes][routeClasses + 1]uint16 // known entities that the class was loud about, in this epoch

	laws [numVolumes]volumeLaw // what follows; not part of the state
}

// peaks are client-days by the bin of their most requests for a class.
type peaks [countBins]float32

// volumeLaw says what counts are worth. It is in force for an epoch.
type volumeLaw [routeClasses + 1]*classLaw

type classLaw struct {
	worth [countBins]uint16 // bins of evidence
	usual uint8             // the most that nine client-days in ten have
}

// evidence is what reaching a bin is worth.
func (l *volumeLaw) evidence(class uint16, bin uint8) float64 {
	if of := l[class]; of != nil {
		return evidenceFloor(int(of.worth[bin]))
	}
	return 1
}

func (l *volumeLaw) usual(class uint16) uint8 { return l[class].usual }

// muted says that the class is not heard in this epoch.
func (v *volumes) muted(of int, class uint16) bool {
	return float32(v.louds[of][class]) >= max(loudOnes, float32(loudShare*v.oneDay[of]))
}

// routeOf hashes a route and its method, in 64 classes and in finer ones.
func (h hasher) routeOf(e *sundew.Event) (bit uint64, class uint16) {
	x := (h + 4).text(e.Route)
	if e.Method != "" {
		x += (uint64(e.Method[0])<<8 + uint64(len(e.Method))) * rowMix[0]
	}
	return bitOf(x), uint16(x>>32)%routeClasses + 1
}

// countBin is 0 for 0; from 1 on there are four bins to an octave.
func countBin(n uint8) uint8 {
	if n == 0 {
		return 0
	}
	return uint8(math.Float64bits(float64(n))>>50 - (exponentBias*4 - 1))
}

// countFloor is the least count of a bin, or of the next one that has any.
func countFloor(bin int) float64 {
	if bin == 0 {
		return 0
	}
	return math.Ceil(math.Float64frombits(uint64(bin-1+exponentBias*4) << 50))
}

// volumeVotes are what the client-days that closed in an epoch say of volumes.
type volumeVotes struct {
	days  [numVolumes]uint32
	peaks map[peakKey]uint32
	louds map[peakKey]uint32 // with bin 0, of this minute
}

type peakKey struct {
	Of, Bin uint8
	Class   uint16
}

func newVolumeVotes() volumeVotes {
	return volumeVotes{peaks: map[peakKey]uint32{}, louds: map[peakKey]uint32{}}
}

// cast lets a client-day that closes vote.
func (h *volumeVotes) cast(s *state) {
	of, ok := volumeOf(s.Kind)
	if !ok || s.Trials <= volumeFrom {
		return
	}
	h.days[of]++
	for _, route := range s.volumePart.Routes {
		if route.Peak > 0 {
			h.peaks[peakKey{uint8(of), route.Peak, route.Class}]++
		}
	}
}

// hear notes that a class has become loud about an entity that is known.
func (h *volumeVotes) hear(s *state, before float32) {
	if v := s.volumePart; before < loud && v.Most >= loud && dayOf(s.First) < s.Day {
		of, _ := volumeOf(s.Kind)
		h.louds[peakKey{uint8(of), 0, v.Of}]++
	}
}

// volumeVotes are the votes of the epoch. Which cell holds a vote changes nothing.
func (e *Engine) volumeVotes() volumeVotes {
	sum := newVolumeVotes()
	for i := range e.cells {
		h := &e.cells[i].volumes
		for of, n := range h.days {
			sum.days[of] += n
		}
		for key, n := range h.peaks {
			sum.peaks[key] += n
		}
		for key, n := range h.louds {
			sum.louds[key] += n
		}
	}
	return sum
}

// turnVolumes ends an epoch.
func (e *Engine) turnVolumes() {
	v, votes := e.population.volumes, e.volumeVotes()
	for of := range numVolumes {
		v.oneDay[of] = float32(votes.days[of])
		v.days[of] = float32(v.days[of]*remembered) + v.oneDay[of]
		for _, known := range v.peaks[of] {
			if known != nil {
				known.forget()
			}
		}
	}
	for key, n := range votes.peaks {
		known := &v.peaks[key.Of][key.Class]
		if *known == nil {
			*known = new(peaks)
		}
		(*known)[key.Bin] += float32(n)
	}
	clear(v.louds[:])
	v.settle()
	for i := range e.cells {
		e.cells[i].volumes = newVolumeVotes()
	}
}

func (p *peaks) forget() {
	for bin := range p {
		p[bin] = float32(p[bin] * remembered)
	}
}

// passVolumes counts the classes that were loud in the minute before.
func (e *Engine) passVolumes() {
	v := e.population.volumes
	for i := range e.cells {
		louds := e.cells[i].volumes.louds
		for key, n := range louds {
			addTo(&v.louds[key.Of][key.Class], uint16(min(n, math.MaxUint16)))
		}
		clear(louds)
	}
}

// settle works out the laws.
func (v *volumes) settle() {
	for of := range v.laws {
		l, known := &v.laws[of], 0
		*l = volumeLaw{}
		var tails [routeClasses + 1]countTail
		for class, p := range v.peaks[of] {
			if p == nil {
				continue
			}
			if tail, ok := p.tail(float64(v.days[of])); ok {
				tails[class] = tail
				known++
			}
		}
		for class := range tails {
			if tail := &tails[class]; tail.from > 0 {
				l[class] = tail.law(known)
			}
		}
	}
}

// countTail is the tail of the client-days' most requests for a class.
type countTail struct {
	from  int // bin
	share float64
	gpd   law.GPD
	fits  bool // else nothing is known of the tail but where it begins
}

// logSurvival is the logarithm of the share of client-days that reach the bin. Where no law could be fitted the tail is a
// Pareto law of index 1: half of those who reach a count reach twice of it.
func (t *countTail) logSurvival(bin int) float64 {
	if !t.fits {
		return math.Log(t.share * countFloor(t.from) / countFloor(bin))
	}
	return math.Log(t.share) + t.gpd.LogSurvival(countFloor(bin)-countFloor(t.from))
}

func (p *peaks) tail(days float64) (t countTail, ok bool) {
	var reach [countBins + 1]float64
	for bin := countBins - 1; bin > 0; bin-- {
		reach[bin] = reach[bin+1] + float64(p[bin])
	}
	if days < leastDays || reach[1] < leastUsers {
		return t, false
	}
	t.from = 1
	for t.from < countBins-1 && reach[t.from] > tailBeyond*days {
		t.from++
	}
	beyond := reach[t.from]
	t.share = (beyond + conformalOne) / (days + conformalOne)
	t.gpd, t.fits = p.fit(t.from, min(unfound*days, beyond/4), &reach)
	return t, true
}

// fit fits to the client-days from a bin on, but for the given number of the highest. The shape is taken to be one standard
// error heavier than the most likely one and at least exponential.
func (p *peaks) fit(from int, leftOut float64, reach *[countBins + 1]float64) (g law.GPD, ok bool) {
	ceiling, steps := from, 0
	for ceiling < countBins && (reach[ceiling] > leftOut || steps < leastSteps) {
		if p[ceiling] > 0 {
			steps++
		}
		ceiling++
	}
	n := reach[from] - reach[ceiling]
	if n < leastFit || steps < leastSteps {
		return g, false
	}
	keep := min(1, mostBeyond/n)
	var exceedances []float64
	for bin := from; bin < ceiling; bin++ {
		middle := float64((countFloor(bin)+countFloor(bin+1))/2) - countFloor(from)
		for range int(math.Ceil(float64(p[bin]) * keep)) {
			exceedances = append(exceedances, middle)
		}
	}
	g, err := fitTail(exceedances, countFloor(ceiling)-countFloor(from))
	g.Xi += 1 / math.Sqrt(min(n, mostBeyond))
	return g, err == nil
}

// law has the class as one of so many in a mixture.
func (t *countTail) law(known int) *classLaw {
	l := &classLaw{usual: uint8(countFloor(t.from) - 1)}
	for bin := t.from; bin < countBins; bin++ {
		worth := math.Exp((volumePower - 1) * t.logSurvival(bin))
		l.worth[bin] = uint16(evidenceBin(1 + (worth-1)/float64(known)))
	}
	return l
}

// appendState writes the classes that something is known of.
func (v *volumes) appendState(dst []byte) []byte {
	for of := range numVolumes {
		dst = order.AppendUint32(dst, math.Float32bits(v.days[of]))
		dst = order.AppendUint32(dst, math.Float32bits(v.oneDay[of]))
		at := len(dst)
		dst = order.AppendUint16(dst, 0)
		known := uint16(0)
		for class, p := range v.peaks[of] {
			if p == nil {
				continue
			}
			known++
			dst = order.AppendUint16(dst, uint16(class))
			dst = order.AppendUint16(dst, v.louds[of][class])
			for _, days := range p {
				dst = order.AppendUint32(dst, math.Float32bits(days))
			}
		}
		order.PutUint16(dst[at:], known)
	}
	return dst
}

func (v *volumes) restore(r *reader) error {
	for of := range numVolumes {
		v.days[of], v.oneDay[of] = r.float32(), r.float32()
		last := 0
		for range int(r.uint16()) {
			class := int(r.uint16())
			if r.short || class <= last || class > routeClasses {
				return fmt.Errorf("%w: requests for class %d of routes after %d", errState, class, last)
			}
			last = class
			v.louds[of][class] = r.uint16()
			p := new(peaks)
			for bin := range p {
				if p[bin] = r.float32(); !(p[bin] >= 0 && p[bin] <= maxVotes) {
					return fmt.Errorf("%w: %v client-days", errState, p[bin])
				}
			}
			v.peaks[of][class] = p
		}
		if !(v.days[of] >= 0 && v.days[of] <= maxVotes && v.oneDay[of] >= 0) {
			return fmt.Errorf("%w: %v client-days", errState, v.days[of])
		}
	}
	v.settle()
	return nil
}

// maxVotes is more client-days than there can be.
const maxVotes = 1 << 31

// appendState writes the votes in the order of their keys.
func (h *volumeVotes) appendState(dst []byte) []byte {
	for _, n := range h.days {
		dst = order.AppendUint32(dst, n)
	}
	for _, votes := range [...]map[peakKey]uint32{h.peaks, h.louds} {
		dst = order.AppendUint32(dst, uint32(len(votes)))
		for _, key := range slices.SortedFunc(maps.Keys(votes), peakKey.compare) {
			dst = append(dst, key.Of, key.Bin)
			dst = order.AppendUint16(dst, key.Class)
			dst = order.AppendUint32(dst, votes[key])
		}
	}
	return dst
}

func (k peakKey) compare(other peakKey) int {
	return cmp.Or(cmp.Compare(k.Of, other.Of), cmp.Compare(k.Class, other.Class), cmp.Compare(k.Bin, other.Bin))
}

func (h *volumeVotes) restore(r *reader) error {
	for of := range h.days {
		h.days[of] = r.uint32()
	}
	for _, votes := range [...]map[peakKey]uint32{h.peaks, h.louds} {
		var last peakKey
		for range int(r.uint32()) {
			raw := r.bytes(2)
			key := peakKey{raw[0], raw[1], r.uint16()}
			if r.short || key.Of >= numVolumes || key.Bin >= countBins || key.Class > routeClasses || key.compare(last) <= 0 {
				return fmt.Errorf("%w: votes on %+v after %+v", errState, key, last)
			}
			votes[key], last = r.uint32(), key
		}
	}
	return nil
}
