package store

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sundew"
)

// condition is a piece of a WHERE clause with its arguments.
type condition struct {
	sql  string
	args []any
}

// namesAll holds for events that name every one of the entities.
func namesAll(entities []sundew.Entity) (condition, error) {
	var parts []string
	var all condition
	for _, e := range entities {
		e, err := e.Canonical()
		if err != nil {
			return condition{}, err
		}
		one, err := names(e)
		if err != nil {
			return condition{}, err
		}
		parts = append(parts, "("+one.sql+")")
		all.args = append(all.args, one.args...)
	}
	all.sql = strings.Join(parts, " AND ")
	return all, nil
}

// names holds for events that name the entity, which is canonical.
func names(e sundew.Entity) (condition, error) {
	switch e.Kind {
	case sundew.KindIP:
		addr, err := netip.ParseAddr(e.Key)
		if err != nil {
			return condition{}, err
		}
		return within(netip.PrefixFrom(addr, addr.BitLen())), nil
	case sundew.KindPrefix:
		prefix, err := netip.ParsePrefix(e.Key)
		if err != nil {
			return condition{}, err
		}
		return within(prefix), nil
	case sundew.KindASN:
		return condition{"asn = CAST(? AS UINTEGER)", []any{e.Key}}, nil
	}
	column, found := textColumn(e.Kind)
	if !found {
		return condition{}, fmt.Errorf("entity of kind %d: events have no column for it", e.Kind)
	}
	return condition{column + " = ?", []any{e.Key}}, nil
}

// wordArg stands for an argument of 64 bits, which is handed over as text because database/sql refuses the upper half.
const wordArg = "CAST(? AS UBIGINT)"

func word(w uint64) string { return strconv.FormatUint(w, 10) }

// textColumn is where events keep the key of a kind that is plain text.
func textColumn(kind sundew.Kind) (column string, found bool) {
	switch kind {
	case sundew.KindDevice:
		return "device", true
	case sundew.KindAccount:
		return "account", true
	case sundew.KindAPIKey:
		return "api_key", true
	case sundew.KindFingerprint:
		return "ja4", true
	}
	return "", false
}

const (
	isIPv4 = "(client_high = 0 AND client_low >> 32 = 65535)"
	isIPv6 = "(client_high <> 0 OR client_low >> 32 <> 65535)"
)

// within holds for events from a network of any length.
func within(prefix netip.Prefix) condition {
	first, last := ends(prefix)
	highFirst, lowFirst := addressBits(first)
	highLast, lowLast := addressBits(last)
	c := condition{
		"client_high BETWEEN " + wordArg + " AND " + wordArg + " AND client_low BETWEEN " + wordArg + " AND " + wordArg,
		[]any{word(highFirst), word(highLast), word(lowFirst), word(lowLast)},
	}
	if first.Is6() {
		c.sql += " AND " + isIPv6
	}
	return c
}

// grouping says how events of one kind of entity are told apart: by three expressions, of which a kind that has no use for
// one leaves it constant.
type grouping struct {
	kind           sundew.Kind
	bits           int    // of a prefix
	high, low, key string // UBIGINT, UBIGINT, VARCHAR
	where          string // events that name an entity of the kind
}

// groupings returns those of the entities that every event is scored for, of one kind or of all for KindNone.
func groupings(kind sundew.Kind) []grouping {
	all := []grouping{
		addressGrouping(sundew.KindIP, 0, 0, "true"),
		addressGrouping(sundew.KindPrefix, 24, 96+24, isIPv4),
		addressGrouping(sundew.KindPrefix, 64, 64, isIPv6),
		addressGrouping(sundew.KindPrefix, 48, 48, isIPv6),
		textGrouping(sundew.KindDevice),
		textGrouping(sundew.KindAccount),
		textGrouping(sundew.KindAPIKey),
		textGrouping(sundew.KindFingerprint),
		{sundew.KindASN, 0, "0::UBIGINT", "asn::UBIGINT", "''", "asn <> 0"},
	}
	if kind == sundew.KindNone {
		return all
	}
	var ofKind []grouping
	for _, g := range all {
		if g.kind == kind {
			ofKind = append(ofKind, g)
		}
	}
	return ofKind
}

// addressGrouping keeps the first mask of 128 bits of the address; 0 keeps all of them.
func addressGrouping(kind sundew.Kind, bits, mask int, where string) grouping {
	if mask == 0 {
		mask = 128
	}
	high := ^uint64(0) << max(0, 64-mask)
	low := ^uint64(0) << min(64, 128-mask)
	return grouping{
		kind: kind, bits: bits, where: where, key: "''",
		high: "client_high & " + word(high) + "::UBIGINT",
		low:  "client_low & " + word(low) + "::UBIGINT",
	}
}

func textGrouping(kind sundew.Kind) grouping {
	column, _ := textColumn(kind)
	return grouping{kind, 0, "0::UBIGINT", "0::UBIGINT", column, column + " IS NOT NULL"}
}

// groupingOf is the grouping under which the canonical entity appears, with its place in it.
func groupingOf(e sundew.Entity) (g grouping, at place, err error) {
	switch e.Kind {
	case sundew.KindIP:
		addr, err := netip.ParseAddr(e.Key)
		if err != nil {
			return g, at, err
		}
		at.high, at.low = addressBits(addr)
		return addressGrouping(e.Kind, 0, 0, "true"), at, nil
	case sundew.KindPrefix:
		prefix, err := netip.ParsePrefix(e.Key)
		if err != nil {
			return g, at, err
		}
		at.high, at.low = addressBits(prefix.Masked().Addr())
		if prefix.Addr().Is4() {
			return addressGrouping(e.Kind, prefix.Bits(), 96+prefix.Bits(), isIPv4), at, nil
		}
		return addressGrouping(e.Kind, prefix.Bits(), prefix.Bits(), isIPv6), at, nil
	case sundew.KindASN:
		number, err := strconv.ParseUint(e.Key, 10, 32)
		at.low = number
		return groupings(e.Kind)[0], at, err
	}
	if _, found := textColumn(e.Kind); !found {
		return g, at, fmt.Errorf("entity of kind %d: events have no column for it", e.Kind)
	}
	return textGrouping(e.Kind), place{key: e.Key}, nil
}

// place is where an entity stands in its grouping.
type place struct {
	high, low uint64
	key       string
}

func (g *grouping) entity(at place) sundew.Entity {
	switch g.kind {
	case sundew.KindIP:
		return sundew.Entity{Kind: g.kind, Key: addressOf(at.high, at.low).String()}
	case sundew.KindPrefix:
		return sundew.Entity{Kind: g.kind, Key: netip.PrefixFrom(addressOf(at.high, at.low), g.bits).String()}
	case sundew.KindASN:
		return sundew.Entity{Kind: g.kind, Key: word(at.low)}
	}
	return sundew.Entity{Kind: g.kind, Key: at.key}
}
