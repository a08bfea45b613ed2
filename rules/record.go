package rules

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sundew"
)

// A record is what the engine knows of one entity.
type record struct {
	entity        sundew.Entity
	contributions []contribution // by the order of rules
	standing      standing
	shadows       []shadow // by the order of rules
	version       int64    // of the last decision
	counted       int64    // interval of the brake in which it was last counted as acted on

	touched      uint64  // the table's clock at the last score
	older, newer *record // neighbours by touched
}

// A shadow is the standing that a shadow rule would have led to.
type shadow struct {
	rule     *rule
	standing standing
}

func byRule(c contribution, r *rule) int { return cmp.Compare(c.rule.order, r.order) }

// contribution returns what a rule has to say, nil for nothing.
func (rec *record) contribution(r *rule) *contribution {
	i, found := slices.BinarySearchFunc(rec.contributions, r, byRule)
	if !found {
		return nil
	}
	return &rec.contributions[i]
}

// note takes the outcome of a rule into account and says whether the rule has fired: its condition holds, and has held
// for as long as the rule asks.
func (rec *record) note(r *rule, matched bool, now time.Time) bool {
	i, found := slices.BinarySearchFunc(rec.contributions, r, byRule)
	if !matched {
		if found {
			rec.contributions[i].since = time.Time{}
		}
		return false
	}
	if !found {
		rec.contributions = slices.Insert(rec.contributions, i, contribution{rule: r, lot: lotOf(r.ID, rec.entity)})
	}
	c := &rec.contributions[i]
	if c.since.IsZero() {
		c.since = now
	}
	if now.Sub(c.since) < r.hold {
		return false
	}
	c.match(now)
	return true
}

// together combines the points of the rules that act and may lead to an action, and of one more where one is given. n is
// how many rules count. Rules with a ladder to themselves are left out.
func (e *Engine) together(rec *record, do sundew.Action, extra *rule, now time.Time) (level float64, strongest *rule, n int) {
	most := 0.0
	for i := range rec.contributions {
		c := &rec.contributions[i]
		if !c.mayLead(do, now) || (c.rule != extra && (len(c.rule.ladder) > 0 || !e.acts(c))) {
			continue
		}
		value := c.at(now)
		level = either(level, value)
		n++
		if value > most {
			most, strongest = value, c.rule
		}
	}
	return level, strongest, n
}

func (rec *record) shadowOf(r *rule) *standing {
	i, found := slices.BinarySearchFunc(rec.shadows, r, func(s shadow, r *rule) int { return cmp.Compare(s.rule.order, r.order) })
	if !found {
		rec.shadows = slices.Insert(rec.shadows, i, shadow{rule: r})
	}
	return &rec.shadows[i].standing
}

// spent says whether the record could be made anew without a difference, but for the version, which event time lifts.
func (rec *record) spent(now time.Time) bool {
	if !rec.standing.spent(now) {
		return false
	}
	for i := range rec.contributions {
		if c := &rec.contributions[i]; c.at(now) >= leastPoints || !c.since.IsZero() {
			return false
		}
	}
	for i := range rec.shadows {
		if !rec.shadows[i].standing.spent(now) {
			return false
		}
	}
	return true
}

// A table holds records up to a limit. Its clock counts touches, so which record is forgotten depends on the order of
// scores alone.
type table struct {
	limit     int
	records   map[sundew.Entity]*record
	oldest    *record
	newest    *record
	clock     uint64
	forgotten uint64
}

func newTable(limit int) table {
	return table{limit: limit, records: map[sundew.Entity]*record{}}
}

func (t *table) len() int { return len(t.records) }

func (t *table) find(e sundew.Entity) *record { return t.records[e] }

// add makes a record, in the place of the one that has been quiet for longest when the table is full.
func (t *table) add(e sundew.Entity) *record {
	if len(t.records) >= t.limit {
		t.remove(t.oldest)
		t.forgotten++
	}
	e.Key = strings.Clone(e.Key) // the event's may stand among other texts, which would stay with it
	rec := &record{entity: e}
	t.records[e] = rec
	t.append(rec)
	return rec
}

func (t *table) touch(rec *record) {
	t.unlink(rec)
	t.append(rec)
}

// sweep drops the quietest records while they are spent.
func (t *table) sweep(now time.Time) {
	for t.oldest != nil && t.oldest.spent(now) {
		t.remove(t.oldest)
	}
}

func (t *table) remove(rec *record) {
	t.unlink(rec)
	delete(t.records, rec.entity)
}

func (t *table) append(rec *record) {
	t.clock++
	rec.touched = t.clock
	rec.older, rec.newer = t.newest, nil
	if t.newest != nil {
		t.newest.newer = rec
	} else {
		t.oldest = rec
	}
	t.newest = rec
}

func (t *table) unlink(rec *record) {
	if rec.older != nil {
		rec.older.newer = rec.newer
	} else {
		t.oldest = rec.newer
	}
	if rec.newer != nil {
		rec.newer.older = rec.older
	} else {
		t.newest = rec.older
	}
	rec.older, rec.newer = nil, nil
}
