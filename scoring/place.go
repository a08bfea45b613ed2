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

// networkHome is the cell of an address or a network.
func (e *Engine) networkHome(entity sundew.Entity) (home int, ok bool) {
	switch entity.Kind {
	case sundew.KindIP:
		addr, err := netip.ParseAddr(entity.Key)
		if err != nil {
			return 0, false
		}
		return e.place(addr).home, true
	case sundew.KindPrefix:
		prefix, err := netip.ParsePrefix(entity.Key)
		if err != nil {
			return 0, false
		}
		return e.place(prefix.Addr()).home, true
	}
	return 0, false
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
