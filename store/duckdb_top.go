package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sundew"
)

// ties is how many entities beyond the limit are looked at, so that among equal points requests decide.
const ties = 500

// TopEntities lists entities with decisions first, then by highest points, then by requests. See Store.
func (d *DuckDB) TopEntities(ctx context.Context, r sundew.Range, kind sundew.Kind, limit int) ([]sundew.EntityActivity, error) {
	limit = bounded(limit)
	suspects, err := d.suspects(ctx, r, kind, limit+ties)
	if err != nil {
		return nil, err
	}
	if err := d.countEach(ctx, r, suspects); err != nil {
		return nil, err
	}
	top := suspects
	if len(suspects) < limit {
		known := make(map[sundew.Entity]bool, len(suspects))
		for _, s := range suspects {
			known[s.Entity] = true
		}
		for _, g := range groupings(kind) {
			busiest, err := d.busiest(ctx, g, condition{sql: "true"}, r, limit+len(suspects))
			if err != nil {
				return nil, err
			}
			for _, b := range busiest {
				if !known[b.Entity] {
					top = append(top, b)
				}
			}
		}
	}
	slices.SortFunc(top, worstFirst)
	return top[:min(limit, len(top))], nil
}

func worstFirst(a, b sundew.EntityActivity) int {
	return cmp.Or(
		cmp.Compare(min(b.Decisions, 1), min(a.Decisions, 1)),
		cmp.Compare(b.Points, a.Points),
		busierFirst(a, b),
	)
}

func busierFirst(a, b sundew.EntityActivity) int {
	return cmp.Or(
		cmp.Compare(b.Requests, a.Requests),
		cmp.Compare(a.Entity.Kind, b.Entity.Kind),
		strings.Compare(a.Entity.Key, b.Entity.Key),
	)
}

// suspects lists entities with decisions or scores in the range; requests are not counted yet.
func (d *DuckDB) suspects(ctx context.Context, r sundew.Range, kind sundew.Kind, limit int) ([]sundew.EntityActivity, error) {
	from, to, only := r.From.UnixMicro(), r.To.UnixMicro(), kind.String()
	return ask(ctx, d, "entities with decisions or scores", `
		WITH acted AS (
			SELECT entity_kind, entity_key, count(*) AS decisions, max(`+effective+`::ENUM ('', 'observe', 'tarpit', 'challenge', 'block')) AS action,
				last(rule ORDER BY time, version) AS rule, last(sentence ORDER BY time, version) AS sentence,
				max(score) AS points, min(time) AS first_seen, max(time) AS last_seen
			FROM decisions
			WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND (CAST(? AS VARCHAR) = '' OR entity_kind::VARCHAR = ?)
			GROUP BY entity_kind, entity_key
		), scored AS (
			SELECT entity_kind, entity_key, max(points) AS points, min(time) AS first_seen, max(time) AS last_seen
			FROM scores
			WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND (CAST(? AS VARCHAR) = '' OR entity_kind::VARCHAR = ?)
			GROUP BY entity_kind, entity_key
		)
		SELECT entity_kind::VARCHAR AS kind, entity_key, coalesce(scored.points, acted.points) AS highest, coalesce(decisions, 0) AS n,
			coalesce(action::VARCHAR, ''), coalesce(rule, ''), coalesce(sentence, ''),
			least(acted.first_seen, scored.first_seen), greatest(acted.last_seen, scored.last_seen)
		FROM acted FULL JOIN scored USING (entity_kind, entity_key)
		ORDER BY n > 0 DESC, highest DESC, kind, entity_key LIMIT ?`,
		scanSuspect, from, to, only, only, from, to, only, only, limit)
}

func scanSuspect(r row) (sundew.EntityActivity, error) {
	var (
		a            sundew.EntityActivity
		kind, action string
	)
	err := r.Scan(&kind, &a.Entity.Key, &a.Points, &a.Decisions, &action, &a.Rule, &a.Sentence, &a.FirstSeen, &a.LastSeen)
	a.Entity.Kind = kindOf(kind)
	a.Action = actionOf(action)
	return a, err
}

// busiest lists the entities of a grouping with the most requests among the events that a condition admits.
func (d *DuckDB) busiest(ctx context.Context, g grouping, where condition, r sundew.Range, limit int) ([]sundew.EntityActivity, error) {
	args := append([]any{r.From.UnixMicro(), r.To.UnixMicro()}, where.args...)
	return ask(ctx, d, "entities by requests", `
		SELECT `+g.high+` AS high, `+g.low+` AS low, `+g.key+` AS entity_key, count(*) AS requests, min(time), max(time)
		FROM events WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND `+where.sql+` AND `+g.where+`
		GROUP BY high, low, entity_key ORDER BY requests DESC, high, low, entity_key LIMIT ?`,
		g.scan, append(args, limit)...)
}

func (g *grouping) scan(r row) (sundew.EntityActivity, error) {
	var (
		a  sundew.EntityActivity
		at place
	)
	err := r.Scan(&at.high, &at.low, &at.key, &a.Requests, &a.FirstSeen, &a.LastSeen)
	a.Entity = g.entity(at)
	return a, err
}

// countEach fills in the requests of each entity, by one query per grouping.
func (d *DuckDB) countEach(ctx context.Context, r sundew.Range, activities []sundew.EntityActivity) error {
	wanted := map[grouping][]place{}
	index := make(map[sundew.Entity]*sundew.EntityActivity, len(activities))
	for i := range activities {
		entity := activities[i].Entity
		g, at, err := groupingOf(entity)
		if err != nil {
			continue // a key that no event can have: it stays at 0 requests
		}
		wanted[g] = append(wanted[g], at)
		index[g.entity(at)] = &activities[i]
	}
	for g, places := range wanted {
		counted, err := d.countAt(ctx, g, places, r)
		if err != nil {
			return err
		}
		for _, c := range counted {
			a, found := index[c.Entity]
			if !found {
				return fmt.Errorf("count requests of %s: it was not asked for", c.Entity)
			}
			a.Requests = c.Requests
			a.FirstSeen = earlier(a.FirstSeen, c.FirstSeen)
			a.LastSeen = later(a.LastSeen, c.LastSeen)
		}
	}
	return nil
}

func (d *DuckDB) countAt(ctx context.Context, g grouping, places []place, r sundew.Range) ([]sundew.EntityActivity, error) {
	one := "(" + wordArg + ", " + wordArg + ", CAST(? AS VARCHAR))"
	args := make([]any, 0, 3*len(places)+2)
	for _, at := range places {
		args = append(args, word(at.high), word(at.low), at.key)
	}
	return ask(ctx, d, "requests of entities", `
		WITH wanted(high, low, entity_key) AS (VALUES `+strings.Repeat(one+", ", len(places)-1)+one+`),
		seen AS (
			SELECT `+g.high+` AS high, `+g.low+` AS low, `+g.key+` AS entity_key, time
			FROM events WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND `+g.where+`
		)
		SELECT high, low, entity_key, count(*), min(time), max(time)
		FROM seen SEMI JOIN wanted USING (high, low, entity_key) GROUP BY high, low, entity_key`,
		g.scan, append(args, r.From.UnixMicro(), r.To.UnixMicro())...)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
