package scoring

import (
	"net/netip"

	"sundew"
)

// places is how many addresses the engine remembers, so that the text and the hashes of those that come often are made
// once. An address and the one it displaces share the low bits of a keyed hash.
const places = 1 << 12

// place is where requests of one address are counted.
type place struct {
	client   netip.Addr
	home     int // the cell of the address and of its networks
	n        int
	entities [3]sundew.Entity // the address and its networks, as sundew.AppendNetworks has them
	hashes   [3]uint64
}

// place is the place of an address. It holds until the next call.
func (e *Engine) place(client netip.Addr) *place {
	at := &e.places[e.hash.address(client)%places]
	if at.client != client {
		at.client = client
		at.n = len(sundew.AppendNetworks(at.entities[:0], client))
		for i, entity := range at.entities[:at.n] {
			at.hashes[i] = e.hash.key(entity.Kind, entity.Key)
		}
		at.home = cellOf(sundew.KindPrefix, at.hashes[at.n-1])
	}
	return at
}
