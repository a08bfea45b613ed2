package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew"
)

// Timeline tells what is known of an entity in the range. See Store.
func (c *ClickHouse) Timeline(ctx context.Context, e sundew.Entity, r sundew.Range, limit int) (sundew.Timeline, error) {
	e, err := e.Canonical()
	if err != nil {
		return sundew.Timeline{}, fmt.Errorf("timeline: %w", err)
	}
	where, err := eventsOf(e, 0)
	if err != nil {
		return sundew.Timeline{}, fmt.Errorf("timeline: %w", err)
	}
	timeline := sundew.Timeline{Entity: e}
	if timeline.Requests, err = c.countEvents(ctx, where, r); err != nil {
		return timeline, err
	}
	if timeline.Events, err = c.events(ctx, "events of entity", where, r, limit); err != nil {
		return timeline, err
	}
	if timeline.Scores, err = c.scoresOf(ctx, e, r, limit); err != nil {
		return timeline, err
	}
	if timeline.Decisions, err = c.decisionsOn(ctx, e, r, limit); err != nil {
		return timeline, err
	}
	if timeline.Related, err = c.related(ctx, e, where, r); err != nil {
		return timeline, err
	}
	slices.Reverse(timeline.Events)
	slices.Reverse(timeline.Scores)
	slices.Reverse(timeline.Decisions)
	return timeline, nil
}

func (c *ClickHouse) countEvents(ctx context.Context, where condition, r sundew.Range) (int64, error) {
	counts, err := inquire(ctx, c, "requests of entity", `SELECT count() FROM events WHERE `+inRange+` AND `+where.sql,
		func(r row) (n uint64, err error) { return n, r.Scan(&n) }, rangeArgs(r, where.args...)...)
	if err != nil {
		return 0, err
	}
	return int64(counts[0]), nil
}

// events lists the events that a condition admits, newest first.
func (c *ClickHouse) events(ctx context.Context, what string, where condition, r sundew.Range, limit int) ([]sundew.Event, error) {
	return inquire(ctx, c, what, `
		SELECT `+eventNames+` FROM events WHERE `+inRange+` AND `+where.sql+`
		ORDER BY time DESC, log_partition DESC, log_offset DESC LIMIT {limit:UInt32}`,
		scanEventRow, rangeArgs(r, append(slices.Clone(where.args), limitArg(limit))...)...)
}

const onEntity = inRange + ` AND entity_kind = {kind:String} AND entity_key = {key:String}`

func entityArgs(e sundew.Entity, more ...any) []any {
	return append([]any{clickhouse.Named("kind", e.Kind.String()), clickhouse.Named("key", e.Key)}, more...)
}

func (c *ClickHouse) scoresOf(ctx context.Context, e sundew.Entity, r sundew.Range, limit int) ([]sundew.ScorePoint, error) {
	return inquire(ctx, c, "scores of entity", `SELECT time, points, nats, evidence FROM scores WHERE `+onEntity+`
		ORDER BY time DESC, log_partition DESC, log_offset DESC LIMIT {limit:UInt32}`,
		func(r row) (sundew.ScorePoint, error) {
			p, err := scanScore(r)
			p.Time = p.Time.UTC()
			return p, err
		}, rangeArgs(r, entityArgs(e, limitArg(limit))...)...)
}

func (c *ClickHouse) decisionsOn(ctx context.Context, e sundew.Entity, r sundew.Range, limit int) ([]sundew.Decision, error) {
	return inquire(ctx, c, "decisions on entity", `SELECT `+decisionNames+` FROM decisions FINAL WHERE `+onEntity+`
		ORDER BY time DESC, version DESC, id LIMIT {limit:UInt32}`,
		scanDecisionRow, rangeArgs(r, entityArgs(e, limitArg(limit))...)...)
}

// related lists who else stood in the requests of an entity, most requests first. Decisions and points of the others are
// not looked up.
func (c *ClickHouse) related(ctx context.Context, e sundew.Entity, where condition, r sundew.Range) ([]sundew.EntityActivity, error) {
	var others []sundew.EntityActivity
	for _, g := range gatherings(sundew.KindNone) {
		busiest, err := c.busiest(ctx, g, where, r, relatedPerKind)
		if err != nil {
			return nil, err
		}
		others = append(others, busiest...)
	}
	others = slices.DeleteFunc(others, func(other sundew.EntityActivity) bool { return other.Entity == e })
	slices.SortFunc(others, busierFirst)
	return others, nil
}
