package store

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew"
)

// eventsNaming holds for events that name every one of the entities. Its arguments are numbered by their place in the list.
func eventsNaming(entities []sundew.Entity) (condition, error) {
	var all condition
	var parts []string
	for i, e := range entities {
		e, err := e.Canonical()
		if err != nil {
			return condition{}, err
		}
		one, err := eventsOf(e, i)
		if err != nil {
			return condition{}, err
		}
		parts = append(parts, "("+one.sql+")")
		all.args = append(all.args, one.args...)
	}
	all.sql = strings.Join(parts, " AND ")
	return all, nil
}

// eventsOf holds for events that name the canonical entity.
func eventsOf(e sundew.Entity, number int) (condition, error) {
	switch e.Kind {
	case sundew.KindIP:
		addr, err := netip.ParseAddr(e.Key)
		if err != nil {
			return condition{}, err
		}
		return eventsFromNetwork(netip.PrefixFrom(addr, addr.BitLen()), number), nil
	case sundew.KindPrefix:
		prefix, err := netip.ParsePrefix(e.Key)
		if err != nil {
			return condition{}, err
		}
		return eventsFromNetwork(prefix, number), nil
	case sundew.KindASN:
		return condition{fmt.Sprintf("toString(asn) = {key%d:String}", number), []any{clickhouse.Named(fmt.Sprint("key", number), e.Key)}}, nil
	}
	column, found := textColumn(e.Kind)
	if !found {
		return condition{}, fmt.Errorf("entity of kind %d: events have no column for it", e.Kind)
	}
	return condition{fmt.Sprintf("%s = {key%d:String}", column, number), []any{clickhouse.Named(fmt.Sprint("key", number), e.Key)}}, nil
}

const (
	fromIPv4 = "client BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255')"
	fromIPv6 = "NOT (" + fromIPv4 + ")"
)

func eventsFromNetwork(prefix netip.Prefix, number int) condition {
	first, last := ends(prefix)
	c := condition{
		fmt.Sprintf("client BETWEEN {first%d:IPv6} AND {last%[1]d:IPv6}", number),
		[]any{
			clickhouse.Named(fmt.Sprint("first", number), mapped(first)),
			clickhouse.Named(fmt.Sprint("last", number), mapped(last)),
		},
	}
	if first.Is6() {
		c.sql += " AND " + fromIPv6
	}
	return c
}

// mapped is the address as text that the server reads as IPv6.
func mapped(addr netip.Addr) string { return netip.AddrFrom16(addr.As16()).String() }

// gathering says how events of one kind of entity are told apart: by an address and a text, of which a kind that has no
// use for one leaves it constant.
type gathering struct {
	kind         sundew.Kind
	bits         int    // of a prefix
	address, key string // IPv6, String
	where        string // events that name an entity of the kind
}

// gatherings returns those of the entities that every event is scored for, of one kind or of all for KindNone.
func gatherings(kind sundew.Kind) []gathering {
	all := []gathering{
		addressGathering(sundew.KindIP, 0, 128, "true"),
		addressGathering(sundew.KindPrefix, 24, 96+24, fromIPv4),
		addressGathering(sundew.KindPrefix, 64, 64, fromIPv6),
		addressGathering(sundew.KindPrefix, 48, 48, fromIPv6),
		textGathering(sundew.KindDevice),
		textGathering(sundew.KindAccount),
		textGathering(sundew.KindAPIKey),
		textGathering(sundew.KindFingerprint),
		asnGathering(),
	}
	if kind == sundew.KindNone {
		return all
	}
	var ofKind []gathering
	for _, g := range all {
		if g.kind == kind {
			ofKind = append(ofKind, g)
		}
	}
	return ofKind
}

// addressGathering keeps the first mask of 128 bits of the address.
func addressGathering(kind sundew.Kind, bits, mask int, where string) gathering {
	address := "client"
	if mask < 128 {
		address = fmt.Sprintf("tupleElement(IPv6CIDRToRange(client, toUInt8(%d)), 1)", mask)
	}
	return gathering{kind, bits, address, "''", where}
}

func textGathering(kind sundew.Kind) gathering {
	column, _ := textColumn(kind)
	return gathering{kind, 0, "toIPv6('::')", "toString(" + column + ")", column + " != ''"}
}

func asnGathering() gathering {
	return gathering{sundew.KindASN, 0, "toIPv6('::')", "toString(asn)", "asn != 0"}
}

// gatheringOf is the gathering under which the canonical entity appears, with its spot in it.
func gatheringOf(e sundew.Entity) (g gathering, at spot, err error) {
	at.address = netip.IPv6Unspecified()
	switch e.Kind {
	case sundew.KindIP:
		at.address, err = netip.ParseAddr(e.Key)
		return addressGathering(e.Kind, 0, 128, "true"), at, err
	case sundew.KindPrefix:
		prefix, err := netip.ParsePrefix(e.Key)
		if err != nil {
			return g, at, err
		}
		at.address = prefix.Masked().Addr()
		if prefix.Addr().Is4() {
			return addressGathering(e.Kind, prefix.Bits(), 96+prefix.Bits(), fromIPv4), at, nil
		}
		return addressGathering(e.Kind, prefix.Bits(), prefix.Bits(), fromIPv6), at, nil
	case sundew.KindASN:
		at.key = e.Key
		return asnGathering(), at, nil
	}
	if _, found := textColumn(e.Kind); !found {
		return g, at, fmt.Errorf("entity of kind %d: events have no column for it", e.Kind)
	}
	at.key = e.Key
	return textGathering(e.Kind), at, nil
}

// spot is where an entity stands in its gathering.
type spot struct {
	address netip.Addr
	key     string
}

func (g *gathering) entity(at spot) sundew.Entity {
	switch g.kind {
	case sundew.KindIP:
		return sundew.Entity{Kind: g.kind, Key: at.address.Unmap().String()}
	case sundew.KindPrefix:
		return sundew.Entity{Kind: g.kind, Key: netip.PrefixFrom(at.address.Unmap(), g.bits).String()}
	}
	return sundew.Entity{Kind: g.kind, Key: at.key}
}
