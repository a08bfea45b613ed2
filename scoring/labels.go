package scoring

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"sundew"
	"sundew/scoring/law"
)

// Labels are the one word on the truth that the engine gets. They change what the next epoch is scored with, and never what
// has been scored:
//
//   - the weights of the mixture over ledgers move to the channels that spoke against abusers and away from those that spoke
//     against legitimate entities. They stay a distribution that is fixed before the day begins, so the evidence stays an
//     e-value whatever the labels say;
//   - points are held under an isotonic map of how often labels proved them right (Zadrozny and Elkan, KDD 2002), which
//     lowers points and never raises any;
//   - client-days of abusers leave the calibration, also those that are in it already, and those of legitimate entities count
//     there however much evidence they had. Nobody else's client-days are taken out: to purge whoever looks suspicious
//     would make the rest look better than it is.

const (
	maxLabelled  = 4096       // entities whose label is kept, the latest
	labelDays    = 30         // that a label holds
	labelMemory  = .9772      // of what labels said of points is left a day later: (1/2)^(1/30)
	labelStep    = .1         // of a label on the logarithm of a weight
	labelDrift   = math.Sqrt2 // the most that a weight changes by in an epoch, as a factor; twice that with the sum brought back to 1
	leastWeight  = .25        // of its start is always left of a weight
	maxHigh      = 4096       // client-days of an epoch with high evidence that are remembered
	highEpochs   = 7          // for which they are
	pointBins    = 20         // of the isotonic map
	pointDoubt   = 20         // labels that stand for a bin being right before there are any
	mixtureParts = numChannels + 1
	partAll      = numChannels // the product of all channels
)

// highVote is the least bin of a client-day that a label may have to take back.
var highVote = evidenceBin(100)

// mixture weighs the channels' ledgers and, at partAll, that of their product. It sums to 1.
type mixture [mixtureParts]float64

// evenMixture puts half of the trust into the product of all channels, because an attack rarely shows in one alone.
var evenMixture = func() (m mixture) {
	for i := range m {
		m[i] = .5 / numChannels
	}
	m[partAll] = .5
	return m
}()

// labelled is an entity that an analyst has spoken of.
type labelled struct {
	Hash    uint64
	Day     uint16 // of the label
	Verdict uint8
}

// castVote is a client-day of high evidence, as it was counted in the calibration.
type castVote struct {
	Hash    uint64
	Segment uint8
	Cell    uint8 // of the entity
	Bin     uint16
}

// lessons are what labels have taught, and what they teach for the next epoch.
type lessons struct {
	tallies

	entities []labelled             // oldest first
	verdicts map[uint64]uint8       // of entities; derived from them
	high     [highEpochs][]castVote // ordered by hash; the first are in quarantine
}

// tallies are the part of lessons that has a fixed size.
type tallies struct {
	Weights    mixture
	Up, Down   mixture            // shares of evidence against labelled abusers, and against labelled legitimate entities
	Right      [pointBins]float32 // labels of abusers by the points that they would have had without the map
	Wrong      [pointBins]float32 // of legitimate entities
	PointsHeld [pointBins]float32 // the isotonic map: the most points of each bin
}

func newLessons() lessons {
	l := lessons{tallies: tallies{Weights: evenMixture}, verdicts: map[uint64]uint8{}}
	l.hold()
	return l
}

// verdict is what was said of an entity.
func (l *lessons) verdict(hash uint64) sundew.Verdict {
	if len(l.entities) == 0 {
		return sundew.VerdictNone
	}
	return sundew.Verdict(l.verdicts[hash])
}

// label takes an analyst's word. A second one of the same day on the same entity takes the place of the first, also in what
// it teaches.
func (e *Engine) label(l *sundew.Label) {
	hash := e.hash.key(l.Entity.Kind, l.Entity.Key)
	less, today := &e.population.lessons, dayOf(secondOf(l.Time))
	before := sundew.VerdictNone // of today
	if at := slices.IndexFunc(less.entities, func(known labelled) bool { return known.Hash == hash }); at >= 0 {
		if less.entities[at].Day == today {
			before = sundew.Verdict(less.entities[at].Verdict)
		}
		less.entities = slices.Delete(less.entities, at, at+1)
	}
	if len(less.entities) == maxLabelled {
		delete(less.verdicts, less.entities[0].Hash)
		less.entities = slices.Delete(less.entities, 0, 1)
	}
	less.entities = append(less.entities, labelled{hash, today, uint8(l.Verdict)})
	less.verdicts[hash] = uint8(l.Verdict)
	if l.Verdict == sundew.VerdictAbuse {
		e.purge(hash)
	}
	c := &e.cells[e.homeOf(l.Entity, hash)]
	if h := c.table.find(hash); h != nil && before != l.Verdict {
		s := c.table.open(h)
		points := e.points(e.population.maps[segmentOf(s)].apply(float64(s.DayMost)))
		less.learn(s, points, before, -1)
		less.learn(s, points, l.Verdict, 1)
		c.table.keep(s)
	}
}

// homeOf is the cell of an entity; an address is in that of its networks.
func (e *Engine) homeOf(entity sundew.Entity, hash uint64) int {
	if home, ok := e.networkHome(entity); ok {
		return home
	}
	return cellOf(entity.Kind, hash)
}

// learn takes what the ledgers of an entity said when it was labelled, and its points of the day. A count of -1 takes that
// back, or what has become of it since.
func (l *lessons) learn(s *state, points float64, verdict sundew.Verdict, count float32) {
	into, told := &l.Up, &l.Right
	switch verdict {
	case sundew.VerdictNone:
		return
	case sundew.VerdictLegitimate:
		into, told = &l.Down, &l.Wrong
	}
	if shares, all := l.shares(s); all > 1 {
		for part := range shares {
			into[part] = max(into[part]+float64(float64(count)*shares[part]), 0)
		}
	}
	bin := pointBin(points)
	told[bin] = max(told[bin]+count, 0)
}

func pointBin(points float64) int { return min(int(points*pointBins/100), pointBins-1) }

// shares is each part's share of an entity's evidence, and the evidence.
func (l *lessons) shares(s *state) (shares mixture, all float64) {
	all = s.evidence(&l.Weights)
	if all <= 0 {
		return shares, 0
	}
	for ch := range numChannels {
		if ch < numHot || s.hasCold() {
			shares[ch] = l.Weights[ch] * float64(*s.ledger(ch)) / all
		}
	}
	shares[partAll] = l.Weights[partAll] * float64(s.All) / all
	return shares, all
}

// turn ends an epoch: what was learned in it comes into force.
func (l *lessons) turn(today uint16) {
	next := mixture{}
	sum := 0. // of what is above the least
	for part, weight := range l.Weights {
		step := float64(labelStep * (l.Up[part] - l.Down[part]))
		factor := min(max(math.Exp(step), 1/labelDrift), labelDrift)
		next[part] = max(float64(weight*factor)-float64(leastWeight*evenMixture[part]), 0)
		sum += next[part]
	}
	for part, above := range next {
		weight := float64(leastWeight*evenMixture[part]) + float64((1-leastWeight)*above/sum)
		next[part] = float64(float32(weight)) // the same on every machine, whose exponentials differ in the last bit
	}
	l.Weights, l.Up, l.Down = next, mixture{}, mixture{}
	l.entities = slices.DeleteFunc(l.entities, func(known labelled) bool {
		if known.Day+labelDays >= today {
			return false
		}
		delete(l.verdicts, known.Hash)
		return true
	})
	for bin := range pointBins {
		l.Right[bin], l.Wrong[bin] = float32(l.Right[bin]*labelMemory), float32(l.Wrong[bin]*labelMemory)
	}
	l.hold()
}

// hold draws the isotonic map anew. Without labels every bin holds up to its upper end.
func (l *lessons) hold() {
	right, labels := make([]float64, pointBins), make([]float64, pointBins)
	for bin := range right {
		end := float64(bin+1) / pointBins
		labels[bin] = float64(l.Right[bin]) + float64(l.Wrong[bin]) + pointDoubt
		right[bin] = min((float64(l.Right[bin])+float64(pointDoubt*end))/labels[bin], end)
	}
	for bin, share := range law.Isotonic(right, labels) {
		l.PointsHeld[bin] = float32(100 * min(share, float64(bin+1)/pointBins))
	}
}

// held returns points under the isotonic map.
func (l *lessons) held(points float64) float64 {
	return min(points, float64(l.PointsHeld[pointBin(points)]))
}

// remember keeps the epoch's client-days of high evidence, of which the highest where they are too many, and forgets the
// oldest epoch's.
func (l *lessons) remember(cast []castVote) {
	slices.SortFunc(cast, func(a, b castVote) int {
		if a.Bin != b.Bin {
			return int(b.Bin) - int(a.Bin)
		}
		return compare(a.Hash, b.Hash)
	})
	cast = cast[:min(len(cast), maxHigh)]
	slices.SortFunc(cast, func(a, b castVote) int { return compare(a.Hash, b.Hash) })
	copy(l.high[1:], l.high[:])
	l.high[0] = cast
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// purge takes the client-days of a labelled abuser out of the calibration, what is left of each. That of the day in hand
// may have closed already, while others of that day are still open.
func (e *Engine) purge(hash uint64) {
	p := &e.population
	for i := range e.cells {
		c := &e.cells[i]
		c.high = takeBack(c.high, hash, 1, &c.votes)
	}
	p.lessons.high[0] = takeBack(p.lessons.high[0], hash, 1, &p.recent)
	left := float32(1)
	for epoch := 1; epoch < highEpochs; epoch++ {
		p.lessons.high[epoch] = takeBack(p.lessons.high[epoch], hash, left, &p.pools)
		left = float32(left * remembered)
	}
}

// takeBack takes the entity's votes, each of which has the given weight by now, out of the pools they were cast in, and
// returns those of the others.
func takeBack(cast []castVote, hash uint64, weight float32, from *[segments]pool) []castVote {
	return slices.DeleteFunc(cast, func(v castVote) bool {
		if v.Hash != hash {
			return false
		}
		count := &from[v.Segment][v.Bin]
		*count = max(*count-weight, 0)
		return true
	})
}

// appendState writes what labels have taught; cast are the votes of the epoch that is not over.
func (l *lessons) appendState(dst []byte, cast []castVote) []byte {
	dst, _ = binary.Append(dst, order, &l.tallies) // fails for types without a fixed size alone
	dst = order.AppendUint32(dst, uint32(len(l.entities)))
	dst, _ = binary.Append(dst, order, l.entities)
	for _, votes := range append([][]castVote{cast}, l.high[:]...) {
		dst = order.AppendUint32(dst, uint32(len(votes)))
		dst, _ = binary.Append(dst, order, votes)
	}
	return dst
}

// restore reads what appendState wrote and returns the votes of the epoch that is not over.
func (l *lessons) restore(r *reader) (cast []castVote, err error) {
	if _, err := binary.Decode(r.bytes(binary.Size(&l.tallies)), order, &l.tallies); err != nil {
		return nil, fmt.Errorf("%w: %w", errState, err)
	}
	for _, weight := range l.Weights {
		if !(weight >= 0 && weight <= 1) {
			return nil, fmt.Errorf("%w: a channel weighs %v", errState, weight)
		}
	}
	if l.entities, err = restoreList[labelled](r, maxLabelled); err != nil {
		return nil, err
	}
	for _, known := range l.entities {
		l.verdicts[known.Hash] = known.Verdict
	}
	if len(l.verdicts) < len(l.entities) {
		return nil, fmt.Errorf("%w: an entity is labelled twice", errState)
	}
	if cast, err = restoreVotes(r, cells*maxHigh); err != nil {
		return nil, err
	}
	if !slices.IsSortedFunc(cast, func(a, b castVote) int { return cmp.Compare(a.Cell, b.Cell) }) {
		return nil, fmt.Errorf("%w: votes are not in the order of their cells", errState)
	}
	for epoch := range l.high {
		if l.high[epoch], err = restoreVotes(r, maxHigh); err != nil {
			return nil, err
		}
	}
	return cast, nil
}

func restoreVotes(r *reader, limit int) ([]castVote, error) {
	votes, err := restoreList[castVote](r, limit)
	for _, v := range votes {
		if int(v.Segment) >= segments || int(v.Bin) >= evidenceBins || v.Cell >= cells {
			return nil, fmt.Errorf("%w: a vote in segment %d, bin %d, cell %d", errState, v.Segment, v.Bin, v.Cell)
		}
	}
	return votes, err
}

// restoreList reads a length and as many values of a fixed size.
func restoreList[T any](r *reader, limit int) ([]T, error) {
	n := int(r.uint32())
	var one T
	if n > limit || n*binary.Size(one) > len(r.src) {
		return nil, fmt.Errorf("%w: a list of %d, at most %d", errState, n, limit)
	}
	if n == 0 {
		return nil, nil
	}
	list := make([]T, n)
	if _, err := binary.Decode(r.bytes(n*binary.Size(one)), order, list); err != nil {
		return nil, fmt.Errorf("%w: %w", errState, err)
	}
	return list, nil
}
