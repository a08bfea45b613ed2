package edge

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"sundew"
)

// An index finds the standing decisions of an entity and of the networks around or inside an address.
type index struct {
	entities map[sundew.Entity][]*item
	networks *bart.Lite // of every address and prefix in entities
}

func newIndex() index {
	return index{make(map[sundew.Entity][]*item), new(bart.Lite)}
}

func (x *index) of(e sundew.Entity) []*item { return x.entities[e] }

func (x *index) add(it *item) {
	e := it.decision.Entity
	x.entities[e] = append(x.entities[e], it)
	if network, ok := networkOf(e); ok {
		x.networks.Insert(network)
	}
}

func (x *index) remove(it *item) {
	e := it.decision.Entity
	items := x.entities[e]
	if i := slices.Index(items, it); i >= 0 {
		items = slices.Delete(items, i, i+1)
	}
	if len(items) > 0 {
		x.entities[e] = items
		return
	}
	delete(x.entities, e)
	if network, ok := networkOf(e); ok && len(x.at(network)) == 0 {
		x.networks.Delete(network)
	}
}

// at returns what stands for exactly this network: as a prefix, or as an address if it is a single one.
func (x *index) at(network netip.Prefix) []*item {
	items := x.entities[sundew.Entity{Kind: sundew.KindPrefix, Key: network.String()}]
	if network.IsSingleIP() {
		items = slices.Concat(items, x.entities[sundew.Entity{Kind: sundew.KindIP, Key: network.Addr().String()}])
	}
	return items
}

// around returns what stands for networks that contain the given one.
func (x *index) around(network netip.Prefix) (items []*item) {
	for p := range x.networks.Supernets(network) {
		items = append(items, x.at(p)...)
	}
	return items
}

// inside returns what stands for the given network and its parts.
func (x *index) inside(network netip.Prefix) (items []*item) {
	for p := range x.networks.Subnets(network) {
		items = append(items, x.at(p)...)
	}
	return items
}
