package edge

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"sundew"
)

// An allowList holds the entities that nothing happens to. It is immutable.
type allowList struct {
	entities []sundew.Entity
	networks bart.Lite
	others   map[sundew.Entity]struct{}
}

// newAllowList leaves out what is not a canonical entity: LogConfig.Validate has reported it.
func newAllowList(entities []sundew.Entity) *allowList {
	a := &allowList{others: make(map[sundew.Entity]struct{})}
	for _, e := range entities {
		e, err := canonicalEntity(e)
		if err != nil {
			continue
		}
		a.entities = append(a.entities, e)
		if network, ok := networkOf(e); ok {
			a.networks.Insert(network)
		} else {
			a.others[e] = struct{}{}
		}
	}
	return a
}

// covers says whether e is allowed as a whole.
func (a *allowList) covers(e sundew.Entity) bool {
	if network, ok := networkOf(e); ok {
		return a.networks.LookupPrefix(network)
	}
	_, ok := a.others[e]
	return ok
}

// touches says whether something within e is allowed. A list that cannot make an exception must leave e out.
func (a *allowList) touches(e sundew.Entity) bool {
	network, ok := networkOf(e)
	return ok && a.networks.OverlapsPrefix(network)
}

// contains says whether an address is allowed.
func (a *allowList) contains(addr netip.Addr) bool { return a.networks.Contains(addr) }
