package scoring

import "sundew"

// table holds the states of one cell: an open-addressing index over an arena without pointers. A full table lets a new
// entity in only when the gate has seen it often enough, and then gives it the place of the least suspicious, longest
// idle entity that a moving hand finds.
type table struct {
	index []uint32 // entries, 0 free; a power of two, at most three quarters full
	arena []*[chunk]hot
	used  int // slots of the arena
	limit int
	hand  int
	gate  gate

	colds    parts[cold]
	crowds   parts[crowd]
	volumes  parts[volume]
	believed *believed // of the population
	opened   state
}

const (
	firstIndex = 64
	chunk      = 256 // states; growth by chunks copies nothing
)

// moreChunks adds empty chunks, one for each 32 that are there and at least one. Those of a large table are parts of larger
// objects: what a collection of garbage costs goes with the number of objects.
func moreChunks[T any](chunks []*[chunk]T) []*[chunk]T {
	some := make([][chunk]T, max(1, len(chunks)/32))
	for i := range some {
		chunks = append(chunks, &some[i])
	}
	return chunks
}

func (t *table) at(slot int) *hot { return &t.arena[slot/chunk][slot%chunk] }

// extend adds an empty slot.
func (t *table) extend() (slot int) {
	if t.used == len(t.arena)*chunk {
		t.arena = moreChunks(t.arena)
	}
	t.used++
	return t.used - 1
}

func newTable(limit int) *table {
	return &table{index: make([]uint32, firstIndex), limit: limit, gate: newGate(limit), believed: &nothingLearned}
}

// An entry of the index is slot+1 and, in the bits above, a tag of the hash: a search looks at hardly any state but the
// one it wants.
const (
	slotBits = 21
	slotMask = 1<<slotBits - 1
)

// tag uses bits of the hash that choose neither the cell nor the position.
func tag(hash uint64) uint32 { return uint32(hash>>(58-32+slotBits)) << slotBits }

func entry(hash uint64, slot int) uint32 { return tag(hash) | uint32(slot+1) }

func slotOf(entry uint32) int { return int(entry&slotMask) - 1 }

// find returns the state of the entity, or nil.
func (t *table) find(hash uint64) *hot {
	if i := t.place(hash); t.index[i] != 0 {
		return t.at(slotOf(t.index[i]))
	}
	return nil
}

// place is the position in the index where hash stands or would stand.
func (t *table) place(hash uint64) int {
	mask, want := len(t.index)-1, tag(hash)
	i := int(hash) & mask
	for {
		found := t.index[i]
		if found == 0 || (found&^slotMask == want && t.at(slotOf(found)).Hash == hash) {
			return i
		}
		i = (i + 1) & mask
	}
}

// warm finds the states of the turns and reads what the turns will need, all of it before the first is taken, so that the
// processor waits for many entities' memory at a time. The sum means nothing; it keeps the reads from being left out.
func (t *table) warm(turns []turn, found *[together]*hot) (sum uint64) {
	for i := range turns {
		sum += uint64(t.index[int(turns[i].hash)&(len(t.index)-1)])
	}
	for i := range turns {
		found[i] = t.find(turns[i].hash)
	}
	for _, s := range found[:len(turns)] {
		if s != nil {
			sum += s.Paths[0] + uint64(s.Windows) + uint64(s.Hours) // a part of each of the cache lines after the hash's
			sum += t.crowds.at(s.Crowd).Many[0]
		}
	}
	return sum
}

// admit returns the state of the entity, made new where there is none, or nil where the gate keeps it out. A new state
// starts from nothing: the gate's counts decide about admission and about nothing else.
func (t *table) admit(hash uint64, kind sundew.Kind, second uint32) *hot {
	if s := t.find(hash); s != nil {
		return s
	}
	if seen := t.gate.add(hash); seen < t.price() {
		return nil
	}
	var slot int
	if t.used < t.limit {
		slot = t.extend()
		t.grow()
	} else {
		slot = t.victim()
		evicted := t.at(slot)
		t.remove(evicted.Hash)
		t.colds.drop(evicted.Cold)
		t.crowds.drop(evicted.Crowd)
		t.volumes.drop(evicted.Volume)
	}
	s := t.at(slot)
	*s = hot{Hash: hash, Kind: uint8(kind), First: second, Last: second, Day: dayOf(second), RateWeights: evenly}
	t.index[t.place(hash)] = entry(hash, slot)
	return s
}

// open shows the whole state of an entity, until the next is opened. It ends with keep.
func (t *table) open(h *hot) *state {
	t.opened = state{hot: h, coldPart: t.colds.at(h.Cold), crowdPart: t.crowds.at(h.Crowd), volumePart: t.volumes.at(h.Volume), believed: t.believed}
	return &t.opened
}

// keep stores the parts that the entity may have written to.
func (t *table) keep(s *state) {
	if s.coldTouched {
		s.Cold = t.colds.keep(s.Cold)
	}
	if s.crowdTouched {
		s.Crowd = t.crowds.keep(s.Crowd)
	}
	if s.volumeTouched {
		s.Volume = t.volumes.keep(s.Volume)
	}
}

// price is how many events an entity must have shown before it is let in: while there is room, one.
func (t *table) price() uint8 {
	switch used := t.used * 10 / t.limit; {
	case used < 5:
		return 1
	case used < 9:
		return 3
	default:
		return 5
	}
}

// victim moves the hand over a few slots and returns the one to give away: fewest points first, then longest idle.
func (t *table) victim() int {
	const looked = 32
	best := t.hand % t.used
	for range min(looked, t.used) {
		t.hand = (t.hand + 1) % t.used
		a, b := t.at(t.hand), t.at(best)
		if a.Points < b.Points || (a.Points == b.Points && a.Last < b.Last) {
			best = t.hand
		}
	}
	return best
}

// remove takes hash out of the index and moves later entries of its run back, so that no tombstones gather.
func (t *table) remove(hash uint64) {
	mask := len(t.index) - 1
	hole := t.place(hash)
	for i := (hole + 1) & mask; t.index[i] != 0; i = (i + 1) & mask {
		home := int(t.at(slotOf(t.index[i])).Hash) & mask
		if (i-home)&mask >= (i-hole)&mask {
			t.index[hole] = t.index[i]
			hole = i
		}
	}
	t.index[hole] = 0
}

// crowded reports whether an index of that size is too full for n entities.
func crowded(n, size int) bool { return n*4 > size*3 }

func (t *table) grow() {
	if !crowded(t.used, len(t.index)) {
		return
	}
	t.reindex(len(t.index) * 2)
}

// reindex rebuilds the index at the given size from the arena, whose last slot may still be empty.
func (t *table) reindex(size int) {
	t.index = make([]uint32, size)
	for slot := range t.used {
		if hash := t.at(slot).Hash; hash != 0 {
			t.index[t.place(hash)] = entry(hash, slot)
		}
	}
}
