package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const pruneEvery = time.Hour

// Run removes rows beyond the retention, at once and then every hour, until ctx ends, which is nil. What it cannot remove
// it logs and tries again.
func (d *DuckDB) Run(ctx context.Context) error {
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		removed, err := d.Prune(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			d.log.ErrorContext(ctx, "rows beyond the retention stay", "error", err)
		case removed > 0:
			d.log.InfoContext(ctx, "removed rows beyond the retention", "rows", removed, "retention", d.config.Retention)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// retained are the tables that grow with the log, with what holds for rows that are older than a time.
func retained() []retainedTable {
	return []retainedTable{
		{"events", "time"},
		{"minutes", "time"},
		{"scores", "time"},
		{"evaluations", "time"},
		{"decisions", "greatest(time, expires)"}, // one in force stays
		{"labels", "time"},
		{"dead_letters", "time"},
	}
}

type retainedTable struct{ name, age string }

// retention is how long a table keeps its rows, 0 for ever.
func (c *DuckDBConfig) retention(table string) time.Duration {
	if own, found := c.RetentionOf[table]; found {
		return own
	}
	return c.Retention
}

// wholeFor is the age from which rows of events or dead letters may be gone, 0 for never.
func (c *DuckDBConfig) wholeFor() (age time.Duration) {
	limits := []time.Duration{c.retention("events"), c.retention("dead_letters")}
	if c.Thin.Rate > 1 {
		limits = append(limits, c.Thin.After)
	}
	for _, limit := range limits {
		if limit > 0 && (age == 0 || limit < age) {
			age = limit
		}
	}
	return age
}

func (c *DuckDBConfig) validateRetention() error {
	if c.Retention < 0 {
		return fmt.Errorf("retention: %s is negative: want 0 to keep everything, or a duration such as 720h", c.Retention)
	}
	var names []string
	for _, t := range retained() {
		names = append(names, t.name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.RetentionOf)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("retention_of: there is no table %q: want %s", name, strings.Join(names, ", "))
		}
		if c.RetentionOf[name] < 0 {
			return fmt.Errorf("retention_of: %s: %s is negative: want 0 to keep everything, or a duration such as 720h", name, c.RetentionOf[name])
		}
	}
	if c.Thin.Rate < 0 || c.Thin.After < 0 {
		return fmt.Errorf("thin: rate %d after %s: want neither to be negative", c.Thin.Rate, c.Thin.After)
	}
	return nil
}

// EventThinning says what becomes of requests that are old and not old enough to leave: of so many clients, one keeps its
// requests. Requests that an edge acted on stay, and the counts of Overview are those of all.
type EventThinning struct {
	After time.Duration `yaml:"after"` // age from which requests are thinned out; 0 never
	Rate  int           `yaml:"rate"`  // one client in so many keeps its requests; 0 and 1 mean all
}

// Prune removes rows that are older than the newest event by more than the retention of their table, and decisions only
// once they have expired by then too; then it thins out older events. It returns how many rows it removed. Age is counted in
// event time, so that old logs can be studied at any time, and ends with whole minutes. Resume points stay.
func (d *DuckDB) Prune(ctx context.Context) (removed int64, err error) {
	err = d.write(ctx, "prune", func(ctx context.Context, conn *sql.Conn) (func(), error) {
		newest, found, err := newestEvent(ctx, conn)
		if err != nil || !found {
			return func() {}, err
		}
		for _, t := range retained() {
			oldest, limited := d.config.oldest(t.name, newest)
			if !limited {
				continue
			}
			n, err := execCount(ctx, conn, `DELETE FROM `+t.name+` WHERE `+t.age+` < make_timestamp(?)`, oldest)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
			removed += n
		}
		thinned, err := d.thin(ctx, conn, newest)
		removed += thinned
		return func() { d.metrics.pruned.Add(float64(removed)) }, err
	})
	if err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	return removed, nil
}

func newestEvent(ctx context.Context, from asker) (newest time.Time, found bool, err error) {
	times, err := collect(ctx, from, `SELECT max(time) FROM events`, func(r row) (t sql.NullTime, err error) { return t, r.Scan(&t) })
	if err != nil {
		return newest, false, err
	}
	return times[0].Time, times[0].Valid, nil
}

// oldest is the time, in microseconds, of the oldest row that a table keeps.
func (c *DuckDBConfig) oldest(table string, newest time.Time) (micros int64, limited bool) {
	keep := c.retention(table)
	return startOfMinute(newest.Add(-keep).UnixMicro()), keep > 0
}

func execCount(ctx context.Context, conn *sql.Conn, statement string, args ...any) (int64, error) {
	result, err := conn.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// thin removes the events of most clients between where it left off and the age at which events are thinned. The engine's
// hash may change with its version, so what was thinned once is left alone.
func (d *DuckDB) thin(ctx context.Context, conn *sql.Conn, newest time.Time) (int64, error) {
	if d.config.Thin.After == 0 || d.config.Thin.Rate <= 1 {
		return 0, nil
	}
	until := startOfMinute(newest.Add(-d.config.Thin.After).UnixMicro())
	done, err := collect(ctx, conn, `SELECT coalesce(max(epoch_us(until)), 0) FROM thinned`, func(r row) (micros int64, err error) { return micros, r.Scan(&micros) })
	if err != nil || done[0] >= until {
		return 0, err
	}
	removed, err := execCount(ctx, conn, `
		DELETE FROM events WHERE time >= make_timestamp(?) AND time < make_timestamp(?) AND edge_action IN ('', 'observe')
			AND hash(client_high, client_low) % CAST(? AS UBIGINT) <> 0`, done[0], until, d.config.Thin.Rate)
	if err != nil {
		return 0, fmt.Errorf("thin events: %w", err)
	}
	if _, err := conn.ExecContext(ctx, `DELETE FROM thinned`); err != nil {
		return 0, err
	}
	_, err = conn.ExecContext(ctx, `INSERT INTO thinned VALUES (make_timestamp(?))`, until)
	return removed, err
}
