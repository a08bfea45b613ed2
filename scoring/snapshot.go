package scoring

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"sundew"
)

// The state is written little-endian: version, seed, entity limit, number of cells, the outage watch; then for each
// cell the eviction hand, the gate, and the entities in the order of their slots, which is part of the state because
// eviction follows it; then what is known of the population.
const stateVersion = 8

var (
	order      = binary.LittleEndian
	hotSize    = binary.Size(hot{}) - 12 // without the numbers of the other parts
	coldSize   = binary.Size(cold{})
	crowdSize  = binary.Size(crowd{})
	volumeSize = binary.Size(volume{})
)

// AppendState appends the whole state to dst. Equal states append equal bytes.
func (e *Engine) AppendState(dst []byte) []byte {
	dst = order.AppendUint32(dst, stateVersion)
	dst = order.AppendUint64(dst, uint64(e.hash))
	dst = order.AppendUint32(dst, uint32(e.config.Entities))
	dst = order.AppendUint32(dst, cells)
	dst, _ = binary.Append(dst, order, &e.outage) // fails for types without a fixed size alone
	for i := range e.cells {
		dst = e.cells[i].table.appendState(dst)
	}
	return e.appendPopulation(dst)
}

// appendPopulation writes what stands outside the cells, and their votes as one: which cell holds a vote changes nothing.
func (e *Engine) appendPopulation(dst []byte) []byte {
	p := &e.population
	var weather [sundew.NumKinds][numWeathered]votes
	for i := range e.cells {
		for kind := range weather {
			for what := range weather[kind] {
				weather[kind][what].add(e.cells[i].weather[kind][what])
			}
		}
	}
	for _, part := range [...]any{p.day, p.minute, p.climate, weather, &p.flows, e.steps(), &p.believed, p.knownRates, p.heard, e.rateVotes(), e.heard()} {
		dst, _ = binary.Append(dst, order, part) // fails for types without a fixed size alone
	}
	var cast []castVote
	for i := range e.cells {
		cast = append(cast, e.cells[i].high...)
	}
	dst = p.lessons.appendState(dst, cast)
	dst = p.volumes.appendState(dst)
	votes := e.volumeVotes()
	dst = votes.appendState(dst)
	for segment := range segments {
		var votes pool
		for i := range e.cells {
			votes.add(&e.cells[i].votes[segment])
		}
		for _, bins := range [...]*pool{&p.pools[segment], &p.recent[segment], &votes} {
			dst = bins.appendState(dst)
		}
		for _, bin := range p.maps[segment] {
			dst = order.AppendUint16(dst, bin)
		}
	}
	return dst
}

// appendState writes the bins up to the last one with votes.
func (p *pool) appendState(dst []byte) []byte {
	n := len(p)
	for n > 0 && p[n-1] == 0 {
		n--
	}
	dst = order.AppendUint16(dst, uint16(n))
	for _, votes := range p[:n] {
		dst = order.AppendUint32(dst, math.Float32bits(votes))
	}
	return dst
}

func (t *table) appendState(dst []byte) []byte {
	dst = order.AppendUint32(dst, uint32(t.hand))
	dst = order.AppendUint32(dst, t.gate.added)
	for _, row := range t.gate.rows {
		dst = append(dst, row...)
	}
	dst = order.AppendUint32(dst, uint32(t.used))
	dst = slices.Grow(dst, t.stateSize())
	for slot := range t.used {
		h := t.at(slot)
		parts := partsOf(h)
		dst = append(dst, byte(parts))
		at := len(dst)
		dst = dst[:at+parts.size()]
		t.walk(h, &coder{raw: dst[at:], writes: true})
	}
	return dst
}

// stateSize is the number of bytes that the entities are written to.
func (t *table) stateSize() int {
	return t.used*(1+hotSize) + t.colds.taken()*coldSize + t.crowds.taken()*crowdSize + t.volumes.taken()*volumeSize
}

// partSet says which other parts follow an entity's hot part.
type partSet byte

const (
	hasCold partSet = 1 << iota
	hasCrowd
	hasVolume

	allParts = hasCold | hasCrowd | hasVolume
)

func partsOf(h *hot) (parts partSet) {
	if h.Cold != 0 {
		parts |= hasCold
	}
	if h.Crowd != 0 {
		parts |= hasCrowd
	}
	if h.Volume != 0 {
		parts |= hasVolume
	}
	return parts
}

// size is the number of bytes that the parts are written to, the hot part among them.
func (p partSet) size() int {
	size := hotSize
	if p&hasCold != 0 {
		size += coldSize
	}
	if p&hasCrowd != 0 {
		size += crowdSize
	}
	if p&hasVolume != 0 {
		size += volumeSize
	}
	return size
}

// walk carries every part that the entity has.
func (t *table) walk(h *hot, c *coder) {
	h.walk(c)
	if h.Cold != 0 {
		t.colds.at(h.Cold).walk(c)
	}
	if h.Crowd != 0 {
		t.crowds.at(h.Crowd).walk(c)
	}
	if h.Volume != 0 {
		t.volumes.at(h.Volume).walk(c)
	}
}

// RestoreState replaces the state by what AppendState wrote. The seed comes with it; the entity limit must be that of
// the configuration, because the layout of the gate depends on it. After an error the engine has no past.
func (e *Engine) RestoreState(src []byte) error {
	e.reset()
	if err := e.restore(&reader{src: src}); err != nil {
		e.reset()
		return err
	}
	return nil
}

func (e *Engine) restore(r *reader) error {
	version, seed, entities, parts := r.uint32(), r.uint64(), r.uint32(), r.uint32()
	switch {
	case r.short:
		return fmt.Errorf("%w: it ends in the header", errState)
	case version != stateVersion:
		return fmt.Errorf("%w: version %d, this program writes %d", errState, version, stateVersion)
	case int(entities) != e.config.Entities || parts != cells:
		return fmt.Errorf("%w: it was written with scoring.entities %d, the configuration says %d", errState, entities, e.config.Entities)
	}
	raw := r.bytes(binary.Size(e.outage))
	if r.short {
		return fmt.Errorf("%w: it ends in the outage watch", errState)
	}
	if _, err := binary.Decode(raw, order, &e.outage); err != nil {
		return fmt.Errorf("%w: outage watch: %w", errState, err)
	}
	e.hash = hasher(seed)
	for i := range e.cells {
		if err := e.cells[i].table.restore(r); err != nil {
			return fmt.Errorf("cell %d: %w", i, err)
		}
	}
	if err := e.restorePopulation(r); err != nil {
		return fmt.Errorf("population: %w", err)
	}
	if len(r.src) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errState, len(r.src))
	}
	return nil
}

func (e *Engine) restorePopulation(r *reader) error {
	p := &e.population
	e.cells[0].steps = new(flows)
	for _, part := range [...]any{&p.day, &p.minute, &p.climate, &e.cells[0].weather, &p.flows, e.cells[0].steps, &p.believed, &p.knownRates, &p.heard, &e.cells[0].rates, &e.cells[0].heard} {
		if _, err := binary.Decode(r.bytes(binary.Size(part)), order, part); err != nil {
			return fmt.Errorf("%w: %w", errState, err)
		}
	}
	if !p.believed.Means.valid() {
		return fmt.Errorf("%w: a channel expects what cannot be", errState)
	}
	for kind, l := range p.believed.Rates {
		if !l.valid() {
			return fmt.Errorf("%w: the rate of %ss is %+v", errState, sundew.Kind(kind), l)
		}
	}
	for _, steps := range [...]*flows{&p.flows, e.cells[0].steps} {
		if !steps.valid() {
			return fmt.Errorf("%w: steps between routes were taken less than never", errState)
		}
	}
	for of := range p.flows {
		p.ways[of] = p.flows[of].ways()
	}
	cast, err := p.lessons.restore(r)
	if err != nil {
		return err
	}
	for _, v := range cast {
		e.cells[v.Cell].high = append(e.cells[v.Cell].high, v)
	}
	if err := p.volumes.restore(r); err != nil {
		return err
	}
	if err := e.cells[0].volumes.restore(r); err != nil {
		return err
	}
	for segment := range segments {
		for _, bins := range [...]*pool{&p.pools[segment], &p.recent[segment], &e.cells[0].votes[segment]} {
			if err := bins.restore(r); err != nil {
				return err
			}
		}
		for bin := range p.maps[segment] {
			p.maps[segment][bin] = r.uint16()
			if int(p.maps[segment][bin]) > bin {
				return fmt.Errorf("%w: a calibration adds evidence", errState)
			}
		}
	}
	if r.short {
		return fmt.Errorf("%w: it ends in the population", errState)
	}
	return nil
}

func (p *pool) restore(r *reader) error {
	n := int(r.uint16())
	if n > len(p) {
		return fmt.Errorf("%w: %d bins of evidence, at most %d", errState, n, len(p))
	}
	for bin := range n {
		p[bin] = math.Float32frombits(r.uint32())
		if !isCount(p[bin]) {
			return fmt.Errorf("%w: %v votes", errState, p[bin])
		}
	}
	if n > 0 && p[n-1] == 0 {
		return fmt.Errorf("%w: empty bins of evidence at the end", errState)
	}
	return nil
}

// isCount says whether a number can be a sum of votes: such a sum is never the negative zero, which adding to 0 would lose.
func isCount(n float32) bool { return n >= 0 && !math.Signbit(float64(n)) }

func (t *table) restore(r *reader) error {
	hand, added := r.uint32(), r.uint32()
	for _, row := range t.gate.rows {
		copy(row, r.bytes(len(row)))
	}
	n := int(r.uint32())
	if r.short || n > t.limit || int(hand) > n {
		return fmt.Errorf("%w: truncated or over its limit", errState)
	}
	t.hand, t.gate.added = int(hand), added
	for range n {
		if err := t.restoreEntity(r); err != nil {
			return err
		}
	}
	size := firstIndex
	for crowded(n, size) {
		size *= 2
	}
	t.reindex(size)
	return nil
}

func (t *table) restoreEntity(r *reader) error {
	parts := partSet(r.bytes(1)[0])
	raw := r.bytes(parts.size())
	h := t.at(t.extend())
	if parts&hasCold != 0 {
		h.Cold = t.colds.take()
	}
	if parts&hasCrowd != 0 {
		h.Crowd = t.crowds.take()
	}
	if parts&hasVolume != 0 {
		h.Volume = t.volumes.take()
	}
	t.walk(h, &coder{raw: raw})
	if r.short {
		return fmt.Errorf("%w: it ends in the entities", errState)
	}
	if parts > allParts || int(h.Kind) >= sundew.NumKinds {
		return fmt.Errorf("%w: an entity is of kind %d with parts %b", errState, h.Kind, parts)
	}
	return nil
}

// reader takes fields off the front of a state; short says that it ran out, after which all fields are zero.
type reader struct {
	src   []byte
	short bool
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.src) {
		r.src, r.short = nil, true
		return make([]byte, n)
	}
	out := r.src[:n]
	r.src = r.src[n:]
	return out
}

func (r *reader) uint16() uint16   { return order.Uint16(r.bytes(2)) }
func (r *reader) uint32() uint32   { return order.Uint32(r.bytes(4)) }
func (r *reader) float32() float32 { return math.Float32frombits(r.uint32()) }
func (r *reader) uint64() uint64   { return order.Uint64(r.bytes(8)) }
