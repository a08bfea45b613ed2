package scoring

import (
	"math/rand/v2"
	"testing"

	"sundew"
)

// TestBitmapsAgreeWithPlainOnes changes the bitmaps of a few entities at random, through a table that gives and takes back
// their parts, beside plain arrays.
func TestBitmapsAgreeWithPlainOnes(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	table := newTable(500)
	var model [5][numBitmaps]uint64
	for range 20_000 {
		i, bitmap := rng.IntN(len(model)), rng.IntN(numBitmaps)
		s := table.open(table.admit(uint64(i+1), sundew.KindIP, 1))
		switch rng.IntN(4) {
		case 0:
			s.setMembers(bitmap, 0)
			model[i][bitmap] = 0
		case 1:
			s.slideMembers(bitmap, (bitmap+1)%numBitmaps, 1)
			model[i][(bitmap+1)%numBitmaps], model[i][bitmap] = model[i][bitmap], 0
		default:
			bit := uint64(1) << rng.IntN(64)
			s.addMembers(bitmap, bit)
			model[i][bitmap] |= bit
		}
		table.keep(s)
		s = table.open(s.hot)
		for bitmap, want := range model[i] {
			if got := s.members(bitmap); got != want {
				t.Fatalf("bitmap %d of entity %d is %x, want %x", bitmap, i, got, want)
			}
		}
	}
	for i := range model {
		s := table.open(table.find(uint64(i + 1)))
		for bitmap := range numBitmaps {
			s.setMembers(bitmap, 0)
		}
		table.keep(s)
	}
	if taken := table.crowds.taken(); taken != 0 {
		t.Errorf("%d crowd parts are taken by entities without a crowd", taken)
	}
}

// TestHotPartIsFourCacheLines keeps a field that most entities do without out of the part that all of them have.
func TestHotPartIsFourCacheLines(t *testing.T) {
	if size := hotSize + 8; size > 256 {
		t.Errorf("the hot part has %d bytes, want at most 256", size)
	}
}
