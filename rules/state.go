package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"sundew"
)

// stateMagic opens a snapshot and names its layout.
const stateMagic = "sundew rules 2\n"

var errState = errors.New("rules state is cut short or damaged")

// AppendState appends the table of entities, ordered by entity.
func (e *Engine) AppendState(dst []byte) []byte {
	records := make([]*record, 0, e.table.len())
	for _, rec := range e.table.records {
		records = append(records, rec)
	}
	slices.SortFunc(records, func(a, b *record) int { return compareEntities(a.entity, b.entity) })
	w := writer{append(dst, stateMagic...)}
	w.uint(e.table.clock)
	w.brake(e.set, &e.brake)
	w.uint(uint64(len(records)))
	for _, rec := range records {
		w.record(rec)
	}
	return w.out
}

// RestoreState replaces the state. Points of rules that the set does not have are dropped. The engine is empty after an
// error.
func (e *Engine) RestoreState(src []byte) error {
	e.table, e.brake = newTable(e.table.limit), newBrake(e.set)
	t, b, err := e.readState(src)
	if err != nil {
		return fmt.Errorf("restore rules: %w", err)
	}
	e.table, e.brake = t, b
	return nil
}

func (e *Engine) readState(src []byte) (table, brake, error) {
	r := stateReader{rest: src, rules: make(map[string]*rule, len(e.set.rules))}
	for _, rule := range e.set.rules {
		r.rules[rule.ID] = rule
	}
	if string(r.bytes(len(stateMagic))) != stateMagic {
		return table{}, brake{}, errors.New("not a state of rules")
	}
	clock := r.uint()
	b := r.brake(e.set)
	n := r.count()
	records := make([]*record, 0, min(n, e.table.limit))
	for range n {
		rec := r.record()
		if r.failed {
			return table{}, brake{}, errState
		}
		records = append(records, rec)
	}
	if r.failed || len(r.rest) > 0 {
		return table{}, brake{}, errState
	}
	slices.SortStableFunc(records, func(a, b *record) int { return int(min(1, max(-1, int64(a.touched)-int64(b.touched)))) })
	t := newTable(e.table.limit)
	for _, rec := range records[max(0, len(records)-t.limit):] {
		touched := rec.touched
		t.records[rec.entity] = rec
		t.append(rec)
		rec.touched = touched
	}
	t.clock = clock
	return t, b, nil
}

type writer struct{ out []byte }

func (w *writer) uint(v uint64) { w.out = binary.AppendUvarint(w.out, v) }
func (w *writer) int(v int64)   { w.out = binary.AppendVarint(w.out, v) }
func (w *writer) text(s string) { w.uint(uint64(len(s))); w.out = append(w.out, s...) }
func (w *writer) float(v float64) {
	w.out = binary.LittleEndian.AppendUint64(w.out, math.Float64bits(v))
}

// moment writes nanoseconds since 1970; the zero time is the least number.
func (w *writer) moment(t time.Time) {
	if t.IsZero() {
		w.int(math.MinInt64)
		return
	}
	w.int(t.UnixNano())
}

func (w *writer) record(rec *record) {
	w.uint(uint64(rec.entity.Kind))
	w.text(rec.entity.Key)
	w.int(rec.version)
	w.uint(rec.touched)
	w.int(rec.counted)
	w.standing(&rec.standing)
	w.uint(uint64(len(rec.contributions)))
	for _, c := range rec.contributions {
		w.text(c.rule.ID)
		w.float(c.value)
		w.moment(c.matched)
		w.moment(c.added)
		w.moment(c.since)
		w.int(c.counted)
		w.moment(c.acted)
		w.moment(c.named)
	}
	w.uint(uint64(len(rec.shadows)))
	for i := range rec.shadows {
		w.text(rec.shadows[i].rule.ID)
		w.standing(&rec.shadows[i].standing)
	}
}

func (w *writer) standing(st *standing) {
	w.uint(uint64(st.action))
	w.text(string(st.basis))
	w.int(int64(st.delay))
	w.int(int64(st.ttl))
	w.moment(st.expires)
	w.uint(uint64(st.stays))
	w.moment(st.remember)
}

// A stateReader reads what writer wrote. After the first failure it yields zeros.
type stateReader struct {
	rest   []byte
	failed bool
	rules  map[string]*rule
}

func (r *stateReader) bytes(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	head := r.rest[:n]
	r.rest = r.rest[n:]
	return head
}

func (r *stateReader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.bytes(n)
	return v
}

func (r *stateReader) int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.bytes(n)
	return v
}

// count reads a number of things that take at least a byte each.
func (r *stateReader) count() int {
	v := r.uint()
	if v > uint64(len(r.rest)) {
		r.failed = true
		return 0
	}
	return int(v)
}

func (r *stateReader) text() string { return string(r.bytes(r.count())) }

func (r *stateReader) float() float64 {
	raw := r.bytes(8)
	if raw == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(raw))
}

func (r *stateReader) moment() time.Time {
	ns := r.int()
	if ns == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func (r *stateReader) record() *record {
	rec := &record{entity: sundew.Entity{Kind: sundew.Kind(r.uint()), Key: r.text()}}
	rec.version = r.int()
	rec.touched = r.uint()
	rec.counted = r.int()
	rec.standing = r.standing()
	for range r.count() {
		c := contribution{
			rule: r.rules[r.text()], value: r.float(), matched: r.moment(), added: r.moment(), since: r.moment(),
			counted: r.int(), acted: r.moment(), named: r.moment(),
		}
		if c.rule != nil {
			c.lot = lotOf(c.rule.ID, rec.entity)
			rec.contributions = append(rec.contributions, c)
		}
	}
	for range r.count() {
		s := shadow{r.rules[r.text()], r.standing()}
		if s.rule != nil {
			rec.shadows = append(rec.shadows, s)
		}
	}
	return rec
}

func (r *stateReader) standing() standing {
	return standing{
		action:   sundew.Action(r.uint()),
		basis:    sundew.Basis(r.text()),
		delay:    time.Duration(r.int()),
		ttl:      time.Duration(r.int()),
		expires:  r.moment(),
		stays:    int(r.uint()),
		remember: r.moment(),
	}
}

// brake writes the counts of the interval, of rules and policies by name: a snapshot may meet another set.
func (w *writer) brake(set *Set, b *brake) {
	w.int(b.interval)
	for kind := range b.seen {
		c := &b.seen[kind]
		w.uint(uint64(c.requests))
		w.uint(uint64(c.before.entities))
		w.uint(uint64(c.before.requests))
		if c.requests == 0 {
			continue
		}
		for _, bits := range c.bits {
			w.uint(bits)
		}
	}
	w.uint(uint64(len(set.rules) + len(set.policies)))
	for i, r := range set.rules {
		w.counts(r.name, b.rules[i], b.tripped[i])
	}
	for i, p := range set.policies {
		w.counts(p.name, b.policies[i], b.frozen[i])
	}
}

func (w *writer) counts(name string, t tally, trip *Trip) {
	w.text(name)
	w.uint(uint64(t.entities))
	w.uint(uint64(t.requests))
	if trip == nil {
		w.uint(0)
		return
	}
	w.uint(1)
	w.moment(trip.Time)
	w.text(trip.Reason)
	w.uint(uint64(trip.Entities))
	w.uint(uint64(trip.Seen))
	w.uint(uint64(trip.Withdrawn))
}

// brake reads the counts. Those of rules and policies that the set does not have in the same version are dropped, so
// that a rule that was changed after it tripped may act again.
func (r *stateReader) brake(set *Set) brake {
	b := newBrake(set)
	b.interval = r.int()
	for kind := range b.seen {
		c := &b.seen[kind]
		c.requests = int(r.uint())
		c.before = tally{int(r.uint()), int(r.uint())}
		for i := 0; i < len(c.bits) && c.requests != 0; i++ {
			c.bits[i] = r.uint()
			c.ones += bits.OnesCount64(c.bits[i])
		}
	}
	places := map[string]func(tally, *Trip){}
	for i, rule := range set.rules {
		places[rule.name] = func(t tally, trip *Trip) { b.rules[i], b.tripped[i] = t, trip }
	}
	for i, p := range set.policies {
		places[p.name] = func(t tally, trip *Trip) { b.policies[i], b.frozen[i] = t, trip }
	}
	for range r.count() {
		name, t, trip := r.counts()
		if put := places[name]; put != nil {
			put(t, trip)
		}
	}
	return b
}

func (r *stateReader) counts() (name string, t tally, trip *Trip) {
	name = r.text()
	t = tally{int(r.uint()), int(r.uint())}
	if r.uint() != 0 {
		trip = &Trip{
			Name: name, Time: r.moment(), Reason: r.text(), Entities: int(r.uint()), Seen: int(r.uint()), Withdrawn: int(r.uint()),
		}
	}
	return name, t, trip
}
