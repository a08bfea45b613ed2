package scoring

import (
	"math/rand/v2"
	"testing"

	"sundew"
)

// TestTableAgreesWithAMap runs random admissions beside a plain map of who must be there.
func TestTableAgreesWithAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	table := newTable(500)
	model := map[uint64]bool{}
	for range 20_000 {
		hash := rng.Uint64N(3_000) * 0x9e3779b97f4a7c15
		if hash == 0 {
			continue
		}
		full := table.used == table.limit
		before := table.find(hash) != nil
		if before != model[hash] {
			t.Fatalf("hash %x found: %v, model says %v", hash, before, model[hash])
		}
		s := table.admit(hash, sundew.KindIP, 1)
		if s == nil {
			continue
		}
		if s.Hash != hash {
			t.Fatalf("admitted %x, got the state of %x", hash, s.Hash)
		}
		if !before && full {
			for other := range model { // somebody had to go: find out who
				if table.find(other) == nil {
					delete(model, other)
				}
			}
		}
		model[hash] = true
		if len(model) > table.limit {
			t.Fatalf("%d entities in a table of %d", len(model), table.limit)
		}
	}
	if table.used != table.limit {
		t.Errorf("the table holds %d, the test meant to fill %d", table.used, table.limit)
	}
}

// TestFloodDoesNotEvictSuspects sends a million invented identifiers past a few entities that already have points.
func TestFloodDoesNotEvictSuspects(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	table := newTable(1_000)
	for i := range uint64(100) {
		table.admit(i+1, sundew.KindDevice, 1).Points = 40
	}
	for range 1_000_000 {
		table.admit(rng.Uint64()|1<<63, sundew.KindDevice, 2)
	}
	for i := range uint64(100) {
		if table.find(i+1) == nil {
			t.Fatalf("suspect %d of 100 was evicted by a flood of identifiers used once", i+1)
		}
	}
}

func TestGateCountsAtLeastWhatItSaw(t *testing.T) {
	g := newGate(1_000)
	for range 3 {
		g.add(42)
	}
	if seen := g.add(42); seen < 4 {
		t.Errorf("the gate saw 42 four times and says %d", seen)
	}
	if seen := g.add(43); seen > 1 {
		t.Errorf("the gate saw 43 once and says %d", seen)
	}
}
