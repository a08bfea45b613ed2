package store

import (
	"context"
	"fmt"
	"time"

	"sundew"
)

var deadLettersTable = []columnOf[*sundew.DeadLetter]{
	texts("source", func(l *sundew.DeadLetter) string { return l.Source }),
	values("log_partition", func(l *sundew.DeadLetter) int32 { return l.Partition }),
	int64s("log_offset", func(l *sundew.DeadLetter) int64 { return l.Offset }),
	times("time", func(l *sundew.DeadLetter) time.Time { return l.Time }),
	words("format", func(l *sundew.DeadLetter) string { return l.Format }),
	words("reason", func(l *sundew.DeadLetter) string { return l.Reason }),
	texts("detail", func(l *sundew.DeadLetter) string { return l.Detail }),
	texts("line", func(l *sundew.DeadLetter) string { return l.Line }),
	values("attempt", func(l *sundew.DeadLetter) uint32 { return uint32(l.Attempt) }),
	values("gone", func(l *sundew.DeadLetter) uint8 {
		if l.Replayed {
			return 1
		}
		return 0
	}),
}

// RecordDeadLetters keeps lines that could not be read. See Store.
func (c *ClickHouse) RecordDeadLetters(ctx context.Context, letters []sundew.DeadLetter) error {
	last := lastByPlace(letters)
	err := c.write(ctx, "dead letters", func(ctx context.Context) error {
		return insert(ctx, c, "dead_letters", "", last, deadLettersTable)
	})
	if err != nil {
		return fmt.Errorf("record dead letters: %w", err)
	}
	c.metrics.rows.WithLabelValues("dead_letters").Add(float64(len(last)))
	c.metrics.repeated.WithLabelValues("dead_letters").Add(float64(len(letters) - len(last)))
	return nil
}

// DeadLetters lists the lines rejected in the range, newest first. See Store.
func (c *ClickHouse) DeadLetters(ctx context.Context, r sundew.Range, limit int) ([]sundew.DeadLetter, error) {
	return inquire(ctx, c, "dead letters", `
		SELECT source, log_partition, log_offset, time, format, reason, detail, line FROM dead_letters FINAL WHERE `+inRange+`
		ORDER BY time DESC, source, log_partition DESC, log_offset DESC LIMIT {limit:UInt32}`,
		func(r row) (l sundew.DeadLetter, err error) {
			err = r.Scan(&l.Source, &l.Partition, &l.Offset, &l.Time, &l.Format, &l.Reason, &l.Detail, &l.Line)
			l.Time = l.Time.UTC()
			return l, err
		}, rangeArgs(r, limitArg(limit))...)
}

// Count says how many rows are stored. See Store.
func (c *ClickHouse) Count(ctx context.Context) (Counts, error) {
	counts, err := inquire(ctx, c, "count", `
		SELECT (SELECT count() FROM events), (SELECT count() FROM decisions FINAL), (SELECT count() FROM scores), (SELECT count() FROM dead_letters FINAL)`,
		func(r row) (Counts, error) {
			var n [4]uint64
			err := r.Scan(&n[0], &n[1], &n[2], &n[3])
			return Counts{Events: int64(n[0]), Decisions: int64(n[1]), Scores: int64(n[2]), DeadLetters: int64(n[3])}, err
		})
	if err != nil {
		return Counts{}, err
	}
	return counts[0], nil
}
