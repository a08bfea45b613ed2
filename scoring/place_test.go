package scoring

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"sundew"
)

// TestPlaceIsThatOfTheAddress asks for more addresses than are remembered, each twice in a row and again after others
// have displaced it.
func TestPlaceIsThatOfTheAddress(t *testing.T) {
	e := newEngine(t, 1)
	for i := range uint32(6 * places) {
		number := i % (2 * places)
		var v4 [4]byte
		binary.BigEndian.PutUint32(v4[:], number*2654435761)
		v6 := [16]byte{0x20, 1, 0xd, 0xb8, v4[0], v4[1], v4[2], v4[3]}
		for _, client := range []netip.Addr{netip.AddrFrom4(v4), netip.AddrFrom16(v6)} {
			e.place(client)
			at := e.place(client)
			want := sundew.AppendNetworks(nil, client)
			if !slices.Equal(at.entities[:at.n], want) || at.home != homeOf(e, client) {
				t.Fatalf("%s is at %+v, want %v in cell %d", client, at, want, homeOf(e, client))
			}
			for j, entity := range want {
				if at.hashes[j] != e.hash.key(entity.Kind, entity.Key) {
					t.Fatalf("the hash of %s is not its own", entity)
				}
			}
		}
	}
}

// homeOf is the cell of an address's widest network.
func homeOf(e *Engine, client netip.Addr) int {
	return cellOf(sundew.KindPrefix, e.hash.key(sundew.KindPrefix, sundew.PartitionKey(client)))
}

// TestOldEventsAreLetGo has a small batch follow a large one.
func TestOldEventsAreLetGo(t *testing.T) {
	e := newEngine(t, 1)
	events := traffic(1000)
	large := e.Score(sundew.Batch{Events: events})
	small := e.Score(sundew.Batch{Events: events[:10]})
	for i := range large[len(small):] {
		if large[len(small)+i].Event != nil {
			t.Fatalf("score %d of the batch before still holds its event", len(small)+i)
		}
	}
}
