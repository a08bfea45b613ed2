package edge

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"sync"

	"sundew"
)

// An item is a decision together with its JSON record. It is immutable.
type item struct {
	decision sundew.Decision
	line     []byte // without a newline
}

// A list is the decisions in force at a cursor, in order. It is immutable.
type list struct {
	cursor sundew.Cursor
	items  []*item
	sum    func() string
}

func newList(items []*item, cursor sundew.Cursor) *list {
	slices.SortFunc(items, func(a, b *item) int { return inOrder(&a.decision, &b.decision) })
	return &list{cursor, items, sync.OnceValue(func() string { return sumOfItems(items) })}
}

// only returns the list without what the filter leaves out.
func (l *list) only(f filter) *list {
	if f.everything() {
		return l
	}
	var kept []*item
	for _, it := range l.items {
		if f.matches(&it.decision) {
			kept = append(kept, it)
		}
	}
	return &list{l.cursor, kept, sync.OnceValue(func() string { return sumOfItems(kept) })}
}

// inOrder compares by entity, then rule: the order of a Blocklist.
func inOrder(a, b *sundew.Decision) int {
	return cmp.Or(
		cmp.Compare(a.Entity.Kind, b.Entity.Kind),
		cmp.Compare(a.Entity.Key, b.Entity.Key),
		cmp.Compare(a.RuleID(), b.RuleID()),
	)
}

func sumOfItems(items []*item) string {
	return sumOf(func(yield func(*sundew.Decision) bool) {
		for _, it := range items {
			if !yield(&it.decision) {
				return
			}
		}
	})
}

func sumOfPointers(ds []*sundew.Decision) string {
	return sumOf(func(yield func(*sundew.Decision) bool) {
		for _, d := range ds {
			if !yield(d) {
				return
			}
		}
	})
}

// sumOf is the list_sha256 of the feed: lower-case hex of SHA-256 over one line for each decision, in order. A line is
// entity, narrowing entities, rule, version, action, delay in milliseconds and expiry in microseconds since 1970, each
// followed by a tab, and a newline; entities and rule are quoted as Go quotes strings.
func sumOf(inOrder func(yield func(*sundew.Decision) bool)) string {
	hash := sha256.New()
	w := bufio.NewWriterSize(hash, 32<<10)
	var line []byte
	for d := range inOrder {
		line = appendEntity(line[:0], d.Entity)
		for _, e := range d.And {
			line = appendEntity(line, e)
		}
		line = strconv.AppendQuote(line, d.Rule)
		line = append(line, '\t')
		line = strconv.AppendInt(line, d.Version, 10)
		line = append(line, '\t')
		line = append(line, d.Action.String()...)
		line = append(line, '\t')
		line = strconv.AppendInt(line, d.Delay.Milliseconds(), 10)
		line = append(line, '\t')
		line = strconv.AppendInt(line, d.Expires.UnixMicro(), 10)
		line = append(line, '\t', '\n')
		_, _ = w.Write(line) // a hash takes everything
	}
	_ = w.Flush()
	return hex.EncodeToString(hash.Sum(nil))
}

func appendEntity(line []byte, e sundew.Entity) []byte {
	line = append(line, e.Kind.String()...)
	line = append(line, ':')
	line = strconv.AppendQuote(line, e.Key)
	return append(line, '\t')
}
