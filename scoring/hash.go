package scoring

import (
	"net/netip"

	"github.com/zeebo/xxh3"

	"sundew"
)

// hasher is a keyed hash. The key is the deployment's secret: who does not know it cannot choose keys that collide.
type hasher uint64

func (h hasher) text(s string) uint64 { return xxh3.HashStringSeed(s, uint64(h)) }

// bit hashes a member of a set to one of 64 bits, 0 for the empty text.
func (h hasher) bit(member string) uint64 {
	if member == "" {
		return 0
	}
	return 1 << (h.text(member) >> 58)
}

// key hashes an entity that is known by text.
func (h hasher) key(kind sundew.Kind, key string) uint64 {
	return (h + hasher(uint64(kind)*0x9e3779b97f4a7c15)).text(key)
}

// prefix hashes a network or, with all bits, an address.
func (h hasher) prefix(kind sundew.Kind, p netip.Prefix) uint64 {
	b := p.Addr().As16()
	salted := h + hasher(uint64(kind)*0x9e3779b97f4a7c15+uint64(p.Bits()))
	return xxh3.HashSeed(b[:], uint64(salted))
}

// address hashes an address for a table that the engine keeps to itself.
func (h hasher) address(a netip.Addr) uint64 {
	b := a.As16()
	return xxh3.HashSeed(b[:], uint64(h))
}
