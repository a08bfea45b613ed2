package edge

import (
	"hash/maphash"
	"maps"
)

// numShards makes the copy for one change of a million keys a thousand keys long.
const numShards = 1024

// A shardedMap is a map that can be copied at the cost of what is then changed: copies share the shards that neither
// has written to. Zero values are not stored: setting one deletes.
type shardedMap[K, V comparable] struct {
	seed   maphash.Seed
	shards *[numShards]map[K]V
	owned  *[numShards]bool // shards that no copy shares
}

func newShardedMap[K, V comparable]() shardedMap[K, V] {
	m := shardedMap[K, V]{maphash.MakeSeed(), new([numShards]map[K]V), new([numShards]bool)}
	for i := range m.owned {
		m.owned[i] = true
	}
	return m
}

// shared returns a copy to be changed. m must only be read from then on.
func (m shardedMap[K, V]) shared() shardedMap[K, V] {
	shards := *m.shards
	return shardedMap[K, V]{m.seed, &shards, new([numShards]bool)}
}

func (m shardedMap[K, V]) get(key K) V { return m.shards[m.shardOf(key)][key] }

func (m shardedMap[K, V]) shardOf(key K) uint64 { return maphash.Comparable(m.seed, key) % numShards }

func (m shardedMap[K, V]) set(key K, value V) {
	i := m.shardOf(key)
	if !m.owned[i] {
		m.shards[i] = copied(m.shards[i])
		m.owned[i] = true
	}
	var none V
	if value == none {
		delete(m.shards[i], key)
		return
	}
	if m.shards[i] == nil {
		m.shards[i] = make(map[K]V)
	}
	m.shards[i][key] = value
}

// copied is maps.Clone without the room that deleted keys have left.
func copied[K, V comparable](shard map[K]V) map[K]V {
	next := make(map[K]V, len(shard)+1)
	maps.Copy(next, shard)
	return next
}

// values yields every value, in no order.
func (m shardedMap[K, V]) values(yield func(V) bool) {
	for _, shard := range m.shards {
		for _, v := range shard {
			if !yield(v) {
				return
			}
		}
	}
}
