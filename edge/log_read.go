package edge

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sundew"
)

// Active returns the number of decisions in force.
func (l *Log) Active() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.standing.len()
}

// Cursor returns the position after the last change.
func (l *Log) Cursor() sundew.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursor()
}

func (l *Log) cursor() sundew.Cursor { return sundew.Cursor{Epoch: l.epoch, Seq: l.seq} }

// Since returns the changes after cursor, oldest first, and the cursor behind them. Of several changes of one
// Decision.Key only the last is told. ok is false when the log cannot continue from cursor, because it is of another
// epoch or older than what is retained: take the Blocklist then.
func (l *Log) Since(cursor sundew.Cursor) (changes []sundew.Change, next sundew.Cursor, ok bool) {
	raw, next, _, ok := l.delta(cursor)
	for _, c := range lastOfEach(raw) {
		changes = append(changes, sundew.Change{Cursor: sundew.Cursor{Epoch: l.epoch, Seq: c.seq}, Op: c.op, Decision: c.item.decision})
	}
	return changes, next, ok
}

// delta returns every change after cursor, the cursor behind them and the number of decisions in force there.
func (l *Log) delta(cursor sundew.Cursor) (changes []change, next sundew.Cursor, active int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next, active = l.cursor(), l.standing.len()
	if cursor.Epoch != l.epoch || cursor.Seq > l.seq || l.seq-cursor.Seq > uint64(len(l.changes)) {
		return nil, next, active, false
	}
	first := len(l.changes) - int(l.seq-cursor.Seq)
	return append(changes, l.changes[first:]...), next, active, true
}

// states returns what stands now for each entity that has changed after cursor, and the cursor it stands at.
func (l *Log) states(cursor sundew.Cursor) (of map[sundew.Entity][]*item, next sundew.Cursor, ok bool) {
	raw, _, _, ok := l.delta(cursor)
	if !ok {
		return nil, cursor, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// What has changed since delta was asked is told with what was known then, and once more at the next call.
	next = cursor
	of = make(map[sundew.Entity][]*item, len(raw))
	for _, c := range raw {
		of[c.item.decision.Entity] = slices.Clone(l.index.of(c.item.decision.Entity))
		next.Seq = c.seq
	}
	return of, next, true
}

// lastOfEach keeps the last change of each key, in order.
func lastOfEach(changes []change) []change {
	seen := make(map[string]bool, len(changes))
	kept := len(changes)
	for _, change := range slices.Backward(changes) {
		if seen[change.key] {
			continue
		}
		seen[change.key] = true
		kept--
		changes[kept] = change
	}
	return changes[kept:]
}

// Wait returns nil as soon as there is something after cursor, or the cursor is void, and ctx's error if it ends first.
func (l *Log) Wait(ctx context.Context, cursor sundew.Cursor) error {
	for {
		l.mu.Lock()
		changed, now := l.changed, l.cursor()
		l.mu.Unlock()
		if cursor != now {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Blocklist returns the decisions on the list, ordered by entity and rule.
func (l *Log) Blocklist() sundew.Blocklist {
	list := l.list()
	ds := make([]sundew.Decision, len(list.items))
	for i, it := range list.items {
		ds[i] = it.decision
	}
	return sundew.Blocklist{Cursor: list.cursor, Decisions: ds}
}

// list returns the ordered list at the latest cursor. It is made at most once per cursor, whoever asks.
func (l *Log) list() *list {
	l.listMu.Lock()
	defer l.listMu.Unlock()
	return l.latest()
}

// proofShare is the time between two proofs for each decision on the list. Sorting and hashing take about a microsecond
// for each, so that proofs take a hundredth of a processor, however fast the list changes and however many ask.
const proofShare = 100 * time.Microsecond

// proof returns the list at the latest cursor, or nil while it is too early to make it again.
func (l *Log) proof() *list {
	l.listMu.Lock()
	defer l.listMu.Unlock()
	if l.last != nil && l.last.cursor != l.Cursor() && l.now().Sub(l.lastAt) < time.Duration(len(l.last.items))*proofShare {
		return nil
	}
	return l.latest()
}

// latest is called with listMu held.
func (l *Log) latest() *list {
	if l.last == nil || l.last.cursor != l.Cursor() {
		l.last, l.lastAt = newList(l.items()), l.now()
	}
	return l.last
}

func (l *Log) items() ([]*item, sundew.Cursor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	items := make([]*item, l.standing.len())
	for i, r := range l.standing.records {
		items[i] = r.item
	}
	return items, l.cursor()
}

// oldest returns the earliest cursor that the log can continue from.
func (l *Log) oldest() sundew.Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sundew.Cursor{Epoch: l.epoch, Seq: l.seq - uint64(len(l.changes))}
}

// of returns the decisions that stand for an entity.
func (l *Log) of(e sundew.Entity) []*item {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.index.of(e))
}

// around returns the decisions that stand for networks that contain the given one.
func (l *Log) around(network netip.Prefix) []*item {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.around(network)
}

// inside returns the decisions that stand for the given network and its parts.
func (l *Log) inside(network netip.Prefix) []*item {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.inside(network)
}
