package scoring

import "sundew"

// table holds the states of one cell: an open-addressing index over an arena without pointers. A full table lets a new
// entity in only when the gate has seen it often enough, and then gives it the place of the least suspicious, longest
// idle entity that a moving hand finds.
type table struct {
	index []uint32 // slot+1 of the arena, 0 free; a power of two, at most half full
	arena []state
	limit int
	hand  int
	gate  gate
}

const firstIndex = 64

func newTable(limit int) *table {
	return &table{index: make([]uint32, firstIndex), limit: limit, gate: newGate(limit)}
}

// find returns the state of the entity, or nil.
func (t *table) find(hash uint64) *state {
	if i := t.place(hash); t.index[i] != 0 {
		return &t.arena[t.index[i]-1]
	}
	return nil
}

// place is the position in the index where hash stands or would stand.
func (t *table) place(hash uint64) int {
	mask := len(t.index) - 1
	i := int(hash) & mask
	for t.index[i] != 0 && t.arena[t.index[i]-1].Hash != hash {
		i = (i + 1) & mask
	}
	return i
}

// admit returns the state of the entity, made new where there is none, or nil where the gate keeps it out. A new state
// starts from nothing: the gate's counts decide about admission and about nothing else.
func (t *table) admit(hash uint64, kind sundew.Kind, second int64) *state {
	if s := t.find(hash); s != nil {
		return s
	}
	if seen := t.gate.add(hash); seen < t.price() {
		return nil
	}
	slot := len(t.arena)
	if slot < t.limit {
		t.arena = append(t.arena, state{})
		t.grow()
	} else {
		slot = t.victim()
		t.remove(t.arena[slot].Hash)
	}
	t.arena[slot] = state{Hash: hash, Kind: uint8(kind), First: second, Last: second, Day: dayOf(second), RateWeights: evenly}
	t.index[t.place(hash)] = uint32(slot + 1)
	return &t.arena[slot]
}

// price is how many events an entity must have shown before it is let in: while there is room, one.
func (t *table) price() uint8 {
	switch used := len(t.arena) * 10 / t.limit; {
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
	best := t.hand % len(t.arena)
	for range min(looked, len(t.arena)) {
		t.hand = (t.hand + 1) % len(t.arena)
		a, b := &t.arena[t.hand], &t.arena[best]
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
		home := int(t.arena[t.index[i]-1].Hash) & mask
		if (i-home)&mask >= (i-hole)&mask {
			t.index[hole] = t.index[i]
			hole = i
		}
	}
	t.index[hole] = 0
}

func (t *table) grow() {
	if len(t.arena)*2 <= len(t.index) {
		return
	}
	t.reindex(len(t.index) * 2)
}

// reindex rebuilds the index at the given size from the arena, whose last slot may still be empty.
func (t *table) reindex(size int) {
	t.index = make([]uint32, size)
	for slot := range t.arena {
		if t.arena[slot].Hash != 0 {
			t.index[t.place(t.arena[slot].Hash)] = uint32(slot + 1)
		}
	}
}
