package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"sundew"
)

// recordTimeout bounds a write whose caller gave no deadline: the disk is stuck if it takes longer.
const recordTimeout = 2 * time.Minute

// position is the resume point of a partition. Scores and evaluations have one of their own, since they may arrive apart
// from the events.
type position struct {
	eventsNext, scoresNext, evaluationsNext int64
}

// Record keeps a batch, its scores and its decisions in one transaction. See Store.
func (d *DuckDB) Record(ctx context.Context, b sundew.Batch, scores []sundew.Score, ds []sundew.Decision) error {
	if err := checkOffsets(b); err != nil {
		return fmt.Errorf("record batch: %w", err)
	}
	start := time.Now()
	err := d.write(ctx, "record", func(ctx context.Context, conn *sql.Conn) (func(), error) {
		return d.recordIn(ctx, conn, b, scores, ds)
	})
	if err != nil {
		return fmt.Errorf("record batch: %w", err)
	}
	d.metrics.seconds.Observe(time.Since(start).Seconds())
	return nil
}

// checkOffsets finds events that a resume point could not account for.
func checkOffsets(b sundew.Batch) error {
	for i := range b.Events {
		e := &b.Events[i]
		if e.Partition != b.Position.Partition || e.Offset < b.Position.First || e.Offset >= b.Position.Next {
			return fmt.Errorf("event %d stands at partition %d offset %d, outside the batch's partition %d offsets %d to %d: its source numbers them wrongly",
				i, e.Partition, e.Offset, b.Position.Partition, b.Position.First, b.Position.Next-1)
		}
	}
	return nil
}

// recordIn returns what to count after the commit.
func (d *DuckDB) recordIn(ctx context.Context, conn *sql.Conn, b sundew.Batch, scores []sundew.Score, ds []sundew.Decision) (func(), error) {
	stored, err := positions(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("resume points: %w", err)
	}
	reached := maps.Clone(stored)
	at := stored[b.Position.Partition]

	events := eventsFrom(b.Events, at.eventsNext)
	if err := appendRows(ctx, conn, "events", events, appendEvent); err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	if err := appendRows(ctx, conn, "minutes", minutesOf(events), appendMinute); err != nil {
		return nil, fmt.Errorf("minutes: %w", err)
	}
	if err := replaceLabels(ctx, conn, b.Labels); err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	moved := at
	moved.eventsNext = max(at.eventsNext, b.Position.Next)
	reached[b.Position.Partition] = moved

	chosen := chooseScores(scores, d.config.MinPoints, stored, reached)
	if err := appendRows(ctx, conn, "scores", chosen.kept, appendScore); err != nil {
		return nil, fmt.Errorf("scores: %w", err)
	}
	decisions, err := withoutErased(ctx, conn, lastByID(ds))
	if err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	if err := replaceDecisions(ctx, conn, decisions); err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	if err := movePositions(ctx, conn, stored, reached); err != nil {
		return nil, fmt.Errorf("resume points: %w", err)
	}
	return func() {
		d.metrics.rows.WithLabelValues("events").Add(float64(len(events)))
		d.metrics.rows.WithLabelValues("scores").Add(float64(len(chosen.kept)))
		d.metrics.rows.WithLabelValues("decisions").Add(float64(len(decisions)))
		d.metrics.repeated.WithLabelValues("events").Add(float64(len(b.Events) - len(events)))
		d.metrics.repeated.WithLabelValues("scores").Add(float64(chosen.repeated))
		d.metrics.below.Add(float64(chosen.below))
		if at.eventsNext > 0 && b.Position.First > at.eventsNext {
			d.metrics.gaps.Add(float64(b.Position.First - at.eventsNext))
		}
	}, nil
}

// eventsFrom returns the events from an offset on, those of one client together: what a client has in common then compresses
// better, which made two million requests of BenchmarkStore 66 bytes each in place of 73.
func eventsFrom(events []sundew.Event, next int64) []*sundew.Event {
	chosen := make([]*sundew.Event, 0, len(events))
	for i := range events {
		if events[i].Offset >= next {
			chosen = append(chosen, &events[i])
		}
	}
	slices.SortStableFunc(chosen, func(a, b *sundew.Event) int { return a.Client.Compare(b.Client) })
	return chosen
}

// write runs change in a transaction, one at a time, and calls what change returned once the commit holds.
func (d *DuckDB) write(ctx context.Context, operation string, change func(context.Context, *sql.Conn) (committed func(), err error)) (err error) {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	d.writing.Lock()
	defer d.writing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()

	committed, err := d.transact(ctx, change)
	if err != nil {
		d.metrics.errors.WithLabelValues(operation).Inc()
		return err
	}
	committed()
	return nil
}

func (d *DuckDB) transact(ctx context.Context, change func(context.Context, *sql.Conn) (func(), error)) (committed func(), err error) {
	// The appender belongs to a driver connection, so the transaction is held on a connection and not on a sql.Tx.
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // hands the connection back to the pool
	if _, err := conn.ExecContext(ctx, `BEGIN TRANSACTION`); err != nil {
		return nil, err
	}
	committed, err = change(ctx, conn)
	if err == nil {
		err = ctx.Err() // the last chance to leave nothing behind
	}
	if err == nil {
		_, err = conn.ExecContext(context.WithoutCancel(ctx), `COMMIT`)
	}
	if err != nil {
		return nil, errors.Join(err, rollBack(ctx, conn))
	}
	return committed, nil
}

// rollBack undoes what a failed change did. A transaction that the engine has given up by itself is as good.
func rollBack(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
	var known *duckdb.Error
	if errors.As(err, &known) && known.Type == duckdb.ErrorTypeTransaction {
		return nil
	}
	return err
}

// appendRows adds rows to a table by whole chunks of columns.
func appendRows[T any](ctx context.Context, conn *sql.Conn, table string, rows []T, values func([]driver.Value, T) ([]driver.Value, error)) error {
	if len(rows) == 0 {
		return nil
	}
	return conn.Raw(func(driverConn any) error {
		appender, err := duckdb.NewAppenderFromConn(driverConn.(driver.Conn), "", table)
		if err != nil {
			return err
		}
		return errors.Join(feed(ctx, appender, rows, values), appender.Close())
	})
}

// feed looks at the context once per chunk of the engine.
func feed[T any](ctx context.Context, appender *duckdb.Appender, rows []T, values func([]driver.Value, T) ([]driver.Value, error)) error {
	chunk := duckdb.GetDataChunkCapacity()
	var buffer []driver.Value
	for i := range rows {
		if i%chunk == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		row, err := values(buffer[:0], rows[i])
		if err != nil {
			return err
		}
		if err := appender.AppendRow(row...); err != nil {
			return err
		}
		buffer = row
	}
	return nil
}

// runWithRows runs a statement that finds the rows in the table appended_data.
func runWithRows[T any](ctx context.Context, conn *sql.Conn, query string, columns []column, rows []T, values func([]driver.Value, T) ([]driver.Value, error)) error {
	if len(rows) == 0 {
		return nil
	}
	names := make([]string, len(columns))
	types := make([]duckdb.TypeInfo, len(columns))
	for i, c := range columns {
		info, err := duckdb.NewTypeInfo(c.kind)
		if err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
		names[i], types[i] = c.name, info
	}
	return conn.Raw(func(driverConn any) error {
		appender, err := duckdb.NewQueryAppender(driverConn.(driver.Conn), query, "appended_data", types, names)
		if err != nil {
			return err
		}
		return errors.Join(feed(ctx, appender, rows, values), appender.Close())
	})
}

// column is one of the table appended_data.
type column struct {
	name string
	kind duckdb.Type
}

// positions reads every resume point: there are no more than partitions of the log.
func positions(ctx context.Context, conn asker) (map[int32]position, error) {
	type of struct {
		partition int32
		position
	}
	found, err := collect(ctx, conn, `SELECT log_partition, events_next, scores_next, evaluations_next FROM positions`, func(r row) (p of, err error) {
		return p, r.Scan(&p.partition, &p.eventsNext, &p.scoresNext, &p.evaluationsNext)
	})
	stored := make(map[int32]position, len(found)+1)
	for _, p := range found {
		stored[p.partition] = p.position
	}
	return stored, err
}

func movePositions(ctx context.Context, conn *sql.Conn, stored, reached map[int32]position) error {
	for partition, p := range reached {
		if p == stored[partition] {
			continue
		}
		if _, err := conn.ExecContext(ctx, `DELETE FROM positions WHERE log_partition = ?`, partition); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, `INSERT INTO positions VALUES (?, ?, ?, ?)`, partition, p.eventsNext, p.scoresNext, p.evaluationsNext); err != nil {
			return err
		}
	}
	return nil
}

// Resume returns the offset that the next batch of the partition should start from. See Store.
func (d *DuckDB) Resume(ctx context.Context, partition int32) (next int64, err error) {
	found, err := ask(ctx, d, "resume point", `SELECT events_next FROM positions WHERE log_partition = ?`, func(r row) (next int64, err error) {
		return next, r.Scan(&next)
	}, partition)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}
