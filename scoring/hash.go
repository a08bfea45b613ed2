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
	return bitOf(h.text(member))
}

// bitOf is one of 64 bits by a hash.
func bitOf(hash uint64) uint64 { return 1 << (hash >> 58) }

// key hashes an entity that is known by text.
func (h hasher) key(kind sundew.Kind, key string) uint64 { return keyOf(kind, h.text(key)) }

// keyOf makes the hash of an entity's text that of the entity, by the finaliser of SplitMix64 (Steele, Lea and Flood,
// OOPSLA 2014).
func keyOf(kind sundew.Kind, text uint64) uint64 {
	x := text + uint64(kind)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// address hashes an address for a table that the engine keeps to itself.
func (h hasher) address(a netip.Addr) uint64 {
	b := a.As16()
	return xxh3.HashSeed(b[:], uint64(h))
}
