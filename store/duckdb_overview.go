package store

import (
	"context"
	"fmt"
	"time"

	"sundew"
)

// Overview counts the range in steps. See Store.
func (d *DuckDB) Overview(ctx context.Context, r sundew.Range, step time.Duration) ([]sundew.OverviewPoint, error) {
	points, err := emptyPoints(r, step)
	if err != nil || len(points) == 0 {
		return points, err
	}
	if err := d.countRequests(ctx, points, r, step); err != nil {
		return nil, err
	}
	if err := d.countDecisions(ctx, points, r, step); err != nil {
		return nil, err
	}
	return points, nil
}

// emptyPoints returns the steps of a range before anything is counted.
func emptyPoints(r sundew.Range, step time.Duration) ([]sundew.OverviewPoint, error) {
	if step < minStep {
		return nil, fmt.Errorf("overview: a step of %s is too short: ask for %s or more", step, minStep)
	}
	from := r.From.UTC().Truncate(time.Microsecond)
	step = step.Truncate(time.Microsecond)
	span := r.To.Sub(from)
	if span <= 0 {
		return []sundew.OverviewPoint{}, nil
	}
	n := int64((span-1)/step) + 1
	if n > MaxRows {
		return nil, fmt.Errorf("overview: %s in steps of %s are %d points, more than %d: ask for longer steps or a shorter range", span, step, n, MaxRows)
	}
	points := make([]sundew.OverviewPoint, n)
	for i := range points {
		points[i].Time = from.Add(time.Duration(i) * step)
	}
	return points, nil
}

// stepOf numbers the step that a row falls into; the range bounds it from 0 to the number of steps less one.
const stepOf = `(epoch_us(time) - CAST(? AS BIGINT)) // CAST(? AS BIGINT)`

// countRequests sums up minutes where steps begin and end with them; the rest of the last minute, and steps that cut minutes,
// are counted from events.
func (d *DuckDB) countRequests(ctx context.Context, points []sundew.OverviewPoint, r sundew.Range, step time.Duration) error {
	whole, rest := fullMinutes(r, step), r
	if whole.From.Before(whole.To) {
		rest.From = whole.To
		err := d.sumRequests(ctx, points, `SELECT `+stepOf+` AS step, sum(requests)::BIGINT, sum(client_errors)::BIGINT, sum(server_errors)::BIGINT FROM minutes`, r.From, step, whole)
		if err != nil {
			return err
		}
	}
	return d.sumRequests(ctx, points, `
		SELECT `+stepOf+` AS step, count(*), count(*) FILTER (status BETWEEN 400 AND 499), count(*) FILTER (status BETWEEN 500 AND 599)
		FROM events`, r.From, step, rest)
}

// sumRequests adds what a table holds of a part of the range, which starts at start, to the points.
func (d *DuckDB) sumRequests(ctx context.Context, points []sundew.OverviewPoint, table string, start time.Time, step time.Duration, part sundew.Range) error {
	_, err := ask(ctx, d, "overview of requests", table+duringRange+`GROUP BY step`,
		func(r row) (none struct{}, err error) {
			var i, requests, client, server int64
			if err := r.Scan(&i, &requests, &client, &server); err != nil {
				return none, err
			}
			p := &points[i]
			p.Requests, p.ClientErrors, p.ServerErrors = p.Requests+requests, p.ClientErrors+client, p.ServerErrors+server
			return none, nil
		}, start.UnixMicro(), step.Microseconds(), part.From.UnixMicro(), part.To.UnixMicro())
	return err
}

// effective is the action that a decision has: one in shadow is written down and touches nothing.
const effective = `(CASE WHEN shadow THEN 'observe' ELSE action::VARCHAR END)`

func (d *DuckDB) countDecisions(ctx context.Context, points []sundew.OverviewPoint, r sundew.Range, step time.Duration) error {
	_, err := ask(ctx, d, "overview of decisions", `
		SELECT `+stepOf+` AS step, count(*) FILTER (`+effective+` = 'observe'), count(*) FILTER (`+effective+` = 'tarpit'),
			count(*) FILTER (`+effective+` = 'challenge'), count(*) FILTER (`+effective+` = 'block')
		FROM decisions WHERE time >= make_timestamp(?) AND time < make_timestamp(?) GROUP BY step`,
		func(r row) (none struct{}, err error) {
			var i, observed, tarpitted, challenged, blocked int64
			if err := r.Scan(&i, &observed, &tarpitted, &challenged, &blocked); err != nil {
				return none, err
			}
			p := &points[i]
			p.Observed, p.Tarpitted, p.Challenged, p.Blocked = observed, tarpitted, challenged, blocked
			return none, nil
		}, r.From.UnixMicro(), step.Microseconds(), r.From.UnixMicro(), r.To.UnixMicro())
	return err
}
