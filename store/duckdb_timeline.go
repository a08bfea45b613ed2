package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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
	found, err := d.chooseEvents(ctx, where, r, limit)
	if err != nil {
		return timeline, err
	}
	timeline.Requests, timeline.Related = found.requests, withoutEntity(found.related, e)
	if timeline.Events, err = d.eventsAt(ctx, where, found.newest); err != nil {
		return timeline, err
	}
	if timeline.Scores, err = d.scoresOf(ctx, e, r, limit); err != nil {
		return timeline, err
	}
	if timeline.Decisions, err = d.decisionsOn(ctx, e, r, limit); err != nil {
		return timeline, err
	}
	slices.Reverse(timeline.Events)
	slices.Reverse(timeline.Scores)
	slices.Reverse(timeline.Decisions)
	return timeline, nil
}

// chosenEvents is what one look at the events of an entity tells.
type chosenEvents struct {
	requests int64
	newest   []eventRow
	related  []sundew.EntityActivity // of every grouping the busiest
}

// eventRow is where the table events has a row.
type eventRow struct {
	id   int64
	time time.Time
}

// The numbers of rows in the answer of chooseEvents that stand for no grouping.
const (
	allChosen = -1
	newestOne = -2
)

// chooseEvents goes through the events that a condition admits once, however much is asked of them.
func (d *DuckDB) chooseEvents(ctx context.Context, where condition, r sundew.Range, limit int) (chosen chosenEvents, err error) {
	all := groupings(sundew.KindNone)
	parts := []string{
		`(SELECT ` + strconv.Itoa(allChosen) + ` AS part, 0::UBIGINT AS high, 0::UBIGINT AS low, '' AS entity_key, count(*) AS requests, 0::BIGINT AS first, 0::BIGINT AS last FROM chosen)`,
		`(SELECT ` + strconv.Itoa(newestOne) + `, 0, 0, '', id, epoch_us(time), 0 FROM chosen ORDER BY time DESC, log_partition DESC, log_offset DESC LIMIT ?)`,
	}
	for i, g := range all {
		parts = append(parts, `(SELECT `+strconv.Itoa(i)+`, `+g.high+` AS high, `+g.low+` AS low, `+g.key+` AS entity_key, count(*) AS requests, epoch_us(min(time)), epoch_us(max(time))
			FROM chosen WHERE `+g.where+` GROUP BY ALL ORDER BY requests DESC, high, low, entity_key LIMIT `+strconv.Itoa(relatedPerKind)+`)`)
	}
	query := `
		WITH chosen AS MATERIALIZED (
			SELECT rowid AS id, time, log_partition, log_offset, client_high, client_low, device, account, api_key, ja4, asn
			FROM events` + duringRange + `AND ` + where.sql + `
		)
		` + strings.Join(parts, `
		UNION ALL `)
	args := append([]any{r.From.UnixMicro(), r.To.UnixMicro()}, where.args...)
	args = append(args, bounded(limit))
	_, err = ask(ctx, d, "events of entity", query, func(r row) (none struct{}, err error) {
		var part, requests, first, last int64
		var at place
		if err := r.Scan(&part, &at.high, &at.low, &at.key, &requests, &first, &last); err != nil {
			return none, err
		}
		switch part {
		case allChosen:
			chosen.requests = requests
		case newestOne:
			chosen.newest = append(chosen.newest, eventRow{requests, time.UnixMicro(first).UTC()})
		default:
			chosen.related = append(chosen.related, sundew.EntityActivity{
				Entity: all[part].entity(at), Requests: requests, FirstSeen: time.UnixMicro(first).UTC(), LastSeen: time.UnixMicro(last).UTC(),
			})
		}
		return none, nil
	}, args...)
	slices.SortFunc(chosen.related, busierFirst)
	return chosen, err
}

func withoutEntity(related []sundew.EntityActivity, e sundew.Entity) []sundew.EntityActivity {
	return slices.DeleteFunc(related, func(other sundew.EntityActivity) bool { return other.Entity == e })
}

// eventsAt reads rows of events, newest first. Their times tell the engine where to look; the condition is asked again, for
// since the rows were chosen others may have taken their places.
func (d *DuckDB) eventsAt(ctx context.Context, where condition, rows []eventRow) ([]sundew.Event, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, len(rows))
	first, last := rows[0].time, rows[0].time
	for i, at := range rows {
		ids[i] = strconv.FormatInt(at.id, 10)
		first, last = earlier(first, at.time), later(last, at.time)
	}
	args := append([]any{first.UnixMicro(), last.UnixMicro() + 1}, where.args...)
	return ask(ctx, d, "events of entity", `
		SELECT `+eventColumns+` FROM events`+duringRange+`AND `+where.sql+` AND rowid IN (SELECT unnest(string_split(?, ','))::BIGINT)
		ORDER BY time DESC, log_partition DESC, log_offset DESC`,
		scanEvent, append(args, strings.Join(ids, ","))...)
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
