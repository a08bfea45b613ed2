package rules

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// Purposes of a list.
const (
	purposeAllow = "allow" // its entities are never acted upon beyond observing
	purposeTag   = "tag"   // conditions may ask for its entities; nothing else follows
)

const maxListEntries = 1_000_000

// A list is named entities, each until its end.
type list struct {
	ListInfo
	entries []listEntry // ordered by entity

	keys     map[string]time.Time // text key, whatever the kind, to its end
	entities map[sundew.Entity]time.Time
	networks map[netip.Prefix]time.Time
	bits     []int // the lengths that networks have, longest first; IPv6 lengths are counted from 128 on
}

type listEntry struct {
	entity  sundew.Entity
	expires time.Time
	network netip.Prefix // of an ip or prefix entity
}

// readList reads the body of a List file.
func (f *file) readList(n *yaml.Node) *list {
	l := &list{ListInfo: ListInfo{ID: f.id, Version: f.version}}
	f.object(n, "list", append(f.head(&l.ID),
		optional("title", f.text(&l.Title)),
		required("owner", f.text(&l.Owner)),
		required("purpose", f.word(&l.Purpose, purposeAllow, purposeTag)),
		required("entries", f.sequence("entries", func(n *yaml.Node) { f.readEntry(n, l) })),
	)...)
	if len(l.entries) > maxListEntries {
		f.note(n, "split the list", "%d entries, at most %d are kept", len(l.entries), maxListEntries)
	}
	l.index()
	return l
}

func (f *file) readEntry(n *yaml.Node, l *list) {
	var e listEntry
	var text, reason string
	before := len(f.problems)
	f.object(n, "entry",
		required("entity", f.text(&text)),
		required("reason", f.text(&reason)),
		required("expires", f.moment(&e.expires)),
		optional("owner", f.text(new(string))),
	)
	if n == nil || len(f.problems) > before {
		return
	}
	entity, err := sundew.ParseEntity(text)
	if err != nil {
		f.note(n, "write kind:key, such as ip:192.0.2.1 or prefix:198.51.100.0/24", "%v", err)
		return
	}
	e.entity = entity
	e.network, _ = networkOf(entity)
	l.entries = append(l.entries, e)
}

// networkOf returns the addresses that an ip or prefix entity stands for.
func networkOf(e sundew.Entity) (netip.Prefix, bool) {
	switch e.Kind {
	case sundew.KindIP:
		addr, err := netip.ParseAddr(e.Key)
		return netip.PrefixFrom(addr, addr.BitLen()), err == nil
	case sundew.KindPrefix:
		prefix, err := netip.ParsePrefix(e.Key)
		return prefix.Masked(), err == nil
	default:
		return netip.Prefix{}, false
	}
}

func (l *list) index() {
	slices.SortFunc(l.entries, func(a, b listEntry) int { return compareEntities(a.entity, b.entity) })
	l.Entries = len(l.entries)
	l.keys = make(map[string]time.Time, len(l.entries))
	l.entities = make(map[sundew.Entity]time.Time, len(l.entries))
	l.networks = map[netip.Prefix]time.Time{}
	for _, e := range l.entries {
		keepLater(l.entities, e.entity, e.expires)
		if e.network.IsValid() {
			keepLater(l.networks, e.network, e.expires)
			if code := bitsCode(e.network); !slices.Contains(l.bits, code) {
				l.bits = append(l.bits, code)
			}
			continue
		}
		keepLater(l.keys, e.entity.Key, e.expires)
	}
	slices.SortFunc(l.bits, func(a, b int) int { return cmp.Compare(b, a) })
}

func keepLater[K comparable](m map[K]time.Time, key K, expires time.Time) {
	if expires.After(m[key]) {
		m[key] = expires
	}
}

// bitsCode tells the lengths of the two families apart.
func bitsCode(p netip.Prefix) int {
	if p.Addr().Is4() {
		return p.Bits()
	}
	return 128 + p.Bits()
}

func compareEntities(a, b sundew.Entity) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
}

// holdsText says whether the list names a key, or covers it where it is an address.
func (l *list) holdsText(text string, now time.Time) bool {
	if now.Before(l.keys[text]) {
		return true
	}
	if len(l.bits) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(text)
	return err == nil && l.holdsAddr(addr, now)
}

func (l *list) holdsASN(number int64, now time.Time) bool {
	return now.Before(l.entities[sundew.Entity{Kind: sundew.KindASN, Key: strconv.FormatInt(number, 10)}])
}

func (l *list) holdsAddr(addr netip.Addr, now time.Time) bool {
	addr = addr.Unmap().WithZone("")
	for _, code := range l.bits {
		bits := code
		if addr.Is6() {
			bits -= 128
		}
		prefix, err := addr.Prefix(bits)
		if err == nil && now.Before(l.networks[prefix]) {
			return true
		}
	}
	return false
}

// covers says whether the list names the entity, contains its address, or overlaps its network: an action on a network
// would reach the listed address in it.
func (l *list) covers(e sundew.Entity, now time.Time) bool {
	if now.Before(l.entities[e]) {
		return true
	}
	network, ok := networkOf(e)
	if !ok {
		return false
	}
	if e.Kind == sundew.KindIP {
		return l.holdsAddr(network.Addr(), now)
	}
	for _, entry := range l.entries {
		if entry.network.IsValid() && entry.network.Overlaps(network) && now.Before(entry.expires) {
			return true
		}
	}
	return false
}

func (l *list) size(now time.Time) int {
	n := 0
	for _, e := range l.entries {
		if now.Before(e.expires) {
			n++
		}
	}
	return n
}
