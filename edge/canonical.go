package edge

import (
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"sundew"
)

// canonicalize brings the entities of d into the form that is compared, and reports what must not reach an edge because
// it would read differently there.
func canonicalize(d *sundew.Decision) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if !utf8.ValidString(d.ID) || !utf8.ValidString(d.Rule) {
		return fmt.Errorf("decision %q of rule %q: not valid UTF-8", d.ID, d.Rule)
	}
	if d.Action == sundew.ActionTarpit && d.Delay < time.Millisecond {
		return fmt.Errorf("decision %s delays by %s, want at least 1ms", d.ID, d.Delay)
	}
	if len(d.And) > maxAnd {
		return fmt.Errorf("decision %s is narrowed by %d entities, at most %d are kept", d.ID, len(d.And), maxAnd)
	}
	entity, err := canonicalEntity(d.Entity)
	if err != nil {
		return err
	}
	d.Entity = entity
	if len(d.And) == 0 {
		return nil
	}
	and := make([]sundew.Entity, len(d.And))
	for i := range d.And {
		if and[i], err = canonicalEntity(d.And[i]); err != nil {
			return err
		}
	}
	d.And = and
	return nil
}

// canonicalEntity is Entity.Canonical for keys that come from outside: an IPv4 network written as IPv6 becomes an IPv4
// network, as client addresses do.
func canonicalEntity(e sundew.Entity) (sundew.Entity, error) {
	if !utf8.ValidString(e.Key) {
		return sundew.Entity{}, fmt.Errorf("entity of kind %s: the key %q is not valid UTF-8", e.Kind, e.Key)
	}
	e, err := e.Canonical()
	if err != nil || e.Kind != sundew.KindPrefix {
		return e, err
	}
	network, _ := networkOf(e)
	e.Key = network.String()
	return e, nil
}

// networkOf returns the network that a canonical entity is, if it is one.
func networkOf(e sundew.Entity) (netip.Prefix, bool) {
	switch e.Kind {
	case sundew.KindIP:
		addr, err := netip.ParseAddr(e.Key)
		return netip.PrefixFrom(addr, addr.BitLen()), err == nil
	case sundew.KindPrefix:
		return parseNetwork(e.Key)
	default:
		return netip.Prefix{}, false
	}
}

// parseNetwork reads CIDR text.
func parseNetwork(text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// plainAddr is the form of an address that tables are keyed by: IPv4 as IPv4, without a zone.
func plainAddr(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
