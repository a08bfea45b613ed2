package store

import (
	"context"
	"database/sql"
	"fmt"
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

// Prune removes rows that are older than the newest event by more than the retention, and decisions only once they have
// expired by then too. It returns how many. Age is counted in event time, so that old logs can be studied at any time.
// Resume points stay.
func (d *DuckDB) Prune(ctx context.Context) (removed int64, err error) {
	if d.config.Retention == 0 {
		return 0, nil
	}
	err = d.write(ctx, "prune", func(ctx context.Context, conn *sql.Conn) (func(), error) {
		var newest sql.NullTime
		if err := conn.QueryRowContext(ctx, `SELECT max(time) FROM events`).Scan(&newest); err != nil {
			return nil, err
		}
		if !newest.Valid {
			return func() {}, nil
		}
		oldest := newest.Time.Add(-d.config.Retention).UnixMicro()
		for _, statement := range []string{
			`DELETE FROM events WHERE time < make_timestamp(?)`,
			`DELETE FROM scores WHERE time < make_timestamp(?)`,
			`DELETE FROM evaluations WHERE time < make_timestamp(?)`,
			`DELETE FROM dead_letters WHERE time < make_timestamp(?)`,
			`DELETE FROM decisions WHERE greatest(time, expires) < make_timestamp(?)`,
		} {
			result, err := conn.ExecContext(ctx, statement, oldest)
			if err != nil {
				return nil, err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return nil, err
			}
			removed += n
		}
		return func() { d.metrics.pruned.Add(float64(removed)) }, nil
	})
	if err != nil {
		return 0, fmt.Errorf("prune: %w", err)
	}
	return removed, nil
}
