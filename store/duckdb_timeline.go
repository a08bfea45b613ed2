package store

import (
	"context"
	"fmt"
	"slices"

	"sundew"
)

// relatedPerKind is how many entities of each kind a Timeline names beside its own.
const relatedPerKind = 20

// Timeline tells what is known of an entity in the range. See Store.
func (d *DuckDB) Timeline(ctx context.Context, e sundew.Entity, r sundew.Range, limit int) (sundew.Timeline, error) {
	e, err := e.Canonical()
	if err != nil {
		return sundew.Timeline{}, fmt.Errorf("timeline: %w", err)
	}
	where, err := names(e)
	if err != nil {
		return sundew.Timeline{}, fmt.Errorf("timeline: %w", err)
	}
	timeline := sundew.Timeline{Entity: e}
	if timeline.Requests, err = d.countEvents(ctx, where, r); err != nil {
		return timeline, err
	}
	if timeline.Events, err = d.events(ctx, "events of entity", where, r, limit); err != nil {
		return timeline, err
	}
	if timeline.Scores, err = d.scoresOf(ctx, e, r, limit); err != nil {
		return timeline, err
	}
	if timeline.Decisions, err = d.decisionsOn(ctx, e, r, limit); err != nil {
		return timeline, err
	}
	if timeline.Related, err = d.related(ctx, e, where, r); err != nil {
		return timeline, err
	}
	slices.Reverse(timeline.Events)
	slices.Reverse(timeline.Scores)
	slices.Reverse(timeline.Decisions)
	return timeline, nil
}

func (d *DuckDB) countEvents(ctx context.Context, where condition, r sundew.Range) (int64, error) {
	counts, err := ask(ctx, d, "requests of entity", `
		SELECT count(*) FROM events WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND `+where.sql,
		func(r row) (n int64, err error) { return n, r.Scan(&n) },
		append([]any{r.From.UnixMicro(), r.To.UnixMicro()}, where.args...)...)
	if err != nil {
		return 0, err
	}
	return counts[0], nil
}

// events lists the events that a condition admits, newest first.
func (d *DuckDB) events(ctx context.Context, what string, where condition, r sundew.Range, limit int) ([]sundew.Event, error) {
	args := append([]any{r.From.UnixMicro(), r.To.UnixMicro()}, where.args...)
	return ask(ctx, d, what, `
		SELECT `+eventColumns+` FROM events WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND `+where.sql+`
		ORDER BY time DESC, log_partition DESC, log_offset DESC LIMIT ?`,
		scanEvent, append(args, bounded(limit))...)
}

func (d *DuckDB) scoresOf(ctx context.Context, e sundew.Entity, r sundew.Range, limit int) ([]sundew.ScorePoint, error) {
	return ask(ctx, d, "scores of entity", `
		SELECT `+scoreColumns+` FROM scores
		WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND entity_kind::VARCHAR = ? AND entity_key = ?
		ORDER BY time DESC, rowid DESC LIMIT ?`,
		scanScore, r.From.UnixMicro(), r.To.UnixMicro(), e.Kind.String(), e.Key, bounded(limit))
}

func (d *DuckDB) decisionsOn(ctx context.Context, e sundew.Entity, r sundew.Range, limit int) ([]sundew.Decision, error) {
	return ask(ctx, d, "decisions on entity", `
		SELECT `+decisionColumns+` FROM decisions
		WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND entity_kind::VARCHAR = ? AND entity_key = ?
		ORDER BY time DESC, version DESC, id LIMIT ?`,
		scanDecision, r.From.UnixMicro(), r.To.UnixMicro(), e.Kind.String(), e.Key, bounded(limit))
}

// related lists who else stood in the requests of an entity, most requests first. Decisions and points of the others are
// not looked up.
func (d *DuckDB) related(ctx context.Context, e sundew.Entity, where condition, r sundew.Range) ([]sundew.EntityActivity, error) {
	var others []sundew.EntityActivity
	for _, g := range groupings(sundew.KindNone) {
		busiest, err := d.busiest(ctx, g, where, r, relatedPerKind)
		if err != nil {
			return nil, err
		}
		others = append(others, busiest...)
	}
	others = slices.DeleteFunc(others, func(other sundew.EntityActivity) bool { return other.Entity == e })
	slices.SortFunc(others, busierFirst)
	return others, nil
}
