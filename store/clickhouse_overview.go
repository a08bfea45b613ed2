package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew"
)

// Overview counts the range in steps. See Store. Where the range starts at a full minute and steps are of full minutes, its
// full minutes come from what the table has counted already, whatever their number of requests.
func (c *ClickHouse) Overview(ctx context.Context, r sundew.Range, step time.Duration) ([]sundew.OverviewPoint, error) {
	points, err := emptyPoints(r, step)
	if err != nil || len(points) == 0 {
		return points, err
	}
	counted := fullMinutes(r, step)
	if err := c.countRequests(ctx, points, r.From, counted, step, minutesInRange, minuteMicros); err != nil {
		return nil, err
	}
	rest := sundew.Range{From: later(counted.To, r.From), To: r.To}
	if err := c.countRequests(ctx, points, r.From, rest, step, inRange, `toUnixTimestamp64Micro(time)`); err != nil {
		return nil, err
	}
	if err := c.countDecisions(ctx, points, r, step); err != nil {
		return nil, err
	}
	return points, nil
}

// The expressions that the projection per_minute is made of.
const (
	minuteOf       = `intDiv(toUnixTimestamp64Micro(time), 60000000)`
	minuteMicros   = minuteOf + ` * 60000000`
	minutesInRange = minuteOf + ` >= intDiv({from:Int64}, 60000000) AND ` + minuteOf + ` < intDiv({to:Int64}, 60000000)`
)

// fullMinutes is the part of the range, from its start on, that whole minutes of the clock make up; it is empty where the
// steps do not begin with minutes.
func fullMinutes(r sundew.Range, step time.Duration) sundew.Range {
	if !r.From.Equal(r.From.Truncate(time.Minute)) || step%time.Minute != 0 {
		return sundew.Range{}
	}
	return sundew.Range{From: r.From, To: r.To.Truncate(time.Minute)}
}

// countRequests adds the requests of a part of the range, which starts at start, to the points.
func (c *ClickHouse) countRequests(ctx context.Context, points []sundew.OverviewPoint, start time.Time, part sundew.Range, step time.Duration, where, at string) error {
	if !part.From.Before(part.To) {
		return nil
	}
	_, err := inquire(ctx, c, "overview of requests", `
		SELECT intDiv(`+at+` - {start:Int64}, {step:Int64}) AS step, count(), countIf(status BETWEEN 400 AND 499), countIf(status BETWEEN 500 AND 599)
		FROM events WHERE `+where+` GROUP BY step`,
		func(r row) (none struct{}, err error) {
			var i int64
			var requests, client, server uint64
			if err := r.Scan(&i, &requests, &client, &server); err != nil {
				return none, err
			}
			p := &points[i]
			p.Requests += int64(requests)
			p.ClientErrors += int64(client)
			p.ServerErrors += int64(server)
			return none, nil
		}, rangeArgs(part, stepArgs(start, step)...)...)
	return err
}

func stepArgs(start time.Time, step time.Duration) []any {
	return []any{clickhouse.Named("start", start.UnixMicro()), clickhouse.Named("step", step.Microseconds())}
}

// effectiveAction is the action that a decision has: one in shadow is written down and touches nothing.
const effectiveAction = `if(shadow, 'observe', toString(action))`

func (c *ClickHouse) countDecisions(ctx context.Context, points []sundew.OverviewPoint, r sundew.Range, step time.Duration) error {
	_, err := inquire(ctx, c, "overview of decisions", `
		SELECT intDiv(toUnixTimestamp64Micro(time) - {start:Int64}, {step:Int64}) AS step,
			countIf(`+effectiveAction+` = 'observe'), countIf(`+effectiveAction+` = 'tarpit'),
			countIf(`+effectiveAction+` = 'challenge'), countIf(`+effectiveAction+` = 'block')
		FROM decisions FINAL WHERE `+inRange+` GROUP BY step`,
		func(r row) (none struct{}, err error) {
			var i int64
			var observed, tarpitted, challenged, blocked uint64
			if err := r.Scan(&i, &observed, &tarpitted, &challenged, &blocked); err != nil {
				return none, err
			}
			p := &points[i]
			p.Observed, p.Tarpitted, p.Challenged, p.Blocked = int64(observed), int64(tarpitted), int64(challenged), int64(blocked)
			return none, nil
		}, rangeArgs(r, stepArgs(r.From, step)...)...)
	return err
}
