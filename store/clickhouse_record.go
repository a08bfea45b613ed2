package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew"
)

// Record keeps a batch, its scores and its decisions. See Store, and ClickHouse for what an error leaves behind.
func (c *ClickHouse) Record(ctx context.Context, b sundew.Batch, scores []sundew.Score, ds []sundew.Decision) error {
	rows, err := newDecisionRows(ds)
	if err == nil {
		err = checkOffsets(b)
	}
	if err != nil {
		return fmt.Errorf("record batch: %w", err)
	}
	start := time.Now()
	err = c.write(ctx, "record", func(ctx context.Context) error {
		if err := c.insertDecisions(ctx, rows); err != nil {
			return fmt.Errorf("decisions: %w", err)
		}
		if err := c.recordScores(ctx, scores); err != nil {
			return fmt.Errorf("scores: %w", err)
		}
		if b.Position == (sundew.Position{}) && len(b.Events) == 0 {
			return nil
		}
		if err := c.recordEvents(ctx, b); err != nil {
			return fmt.Errorf("events: %w", err)
		}
		return c.movePosition(ctx, b.Position)
	})
	if err != nil {
		return fmt.Errorf("record batch: %w", err)
	}
	c.metrics.seconds.Observe(time.Since(start).Seconds())
	return nil
}

func (c *ClickHouse) write(ctx context.Context, operation string, change func(context.Context) error) error {
	leave, err := c.enter()
	if err != nil {
		return err
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	err = limited.Err()
	if err == nil {
		err = change(limited)
	}
	if err == nil {
		return nil
	}
	c.metrics.errors.WithLabelValues(operation).Inc()
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return explained(err)
}

// maxRaces is how often in a row another recorder of the partition, or a server that died, may be in the way of one batch.
const maxRaces = 5

// recordEvents inserts the events that the table does not have. Their insert carries a token that names the first of
// them, so that of several recorders of the partition which begin at the same event, or of an insert that came through
// although its answer did not, the server takes one and passes over the others without a word. The table is asked again
// what it holds after each insert.
func (c *ClickHouse) recordEvents(ctx context.Context, b sundew.Batch) error {
	next, err := c.resumePoint(ctx, b.Position.Partition)
	if err != nil {
		return err
	}
	if gap := b.Position.First - next; next > 0 && gap > 0 {
		c.metrics.gaps.Add(float64(gap))
	}
	stale := 0
	for range maxRaces {
		events := eventsFrom(b.Events, next)
		if len(events) == 0 {
			return nil
		}
		token := fmt.Sprintf("%d/%d/%d", b.Position.Partition, events[0].Offset, stale)
		if err := c.insertEvents(ctx, events, token); err != nil {
			return err
		}
		reached, err := c.resumePoint(ctx, b.Position.Partition)
		if err != nil {
			return err
		}
		if reached > events[len(events)-1].Offset {
			c.metrics.rows.WithLabelValues("events").Add(float64(len(events)))
			c.metrics.repeated.WithLabelValues("events").Add(float64(len(b.Events) - len(events)))
			return nil
		}
		if reached == next {
			// A single server that was killed may know a token whose rows it lost. A replica that lags behind cannot be
			// told from that, so there the caller has to come again.
			if c.config.Cluster != "" {
				return fmt.Errorf("the replica does not show the rows from offset %d on yet", next)
			}
			stale++
		}
		next = reached
	}
	return fmt.Errorf("after %d tries the table still ends at offset %d: does another program write to it?", maxRaces, next)
}

// resumePoint is the offset after the last one of the partition in the tables.
func (c *ClickHouse) resumePoint(ctx context.Context, partition int32) (int64, error) {
	points, err := gather(ctx, c, `
		SELECT max(next) FROM (
			SELECT max(events_next) AS next FROM positions WHERE log_partition = {partition:Int32}
			UNION ALL
			SELECT max(log_offset) + 1 FROM events WHERE log_partition = {partition:Int32} GROUP BY log_partition
		)`,
		func(r row) (next int64, err error) { return next, r.Scan(&next) }, clickhouse.Named("partition", partition))
	if err != nil {
		return 0, fmt.Errorf("resume point: %w", err)
	}
	return points[0], nil
}

func (c *ClickHouse) movePosition(ctx context.Context, at sundew.Position) error {
	return insert(ctx, c, "positions", "", []sundew.Position{at}, []columnOf[sundew.Position]{
		values("log_partition", func(p sundew.Position) int32 { return p.Partition }),
		int64s("events_next", func(p sundew.Position) int64 { return p.Next }),
	})
}

// Resume returns the offset that the next batch of the partition should start from. See Store.
func (c *ClickHouse) Resume(ctx context.Context, partition int32) (next int64, err error) {
	leave, err := c.enter()
	if err != nil {
		return 0, fmt.Errorf("resume point: %w", err)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, c.config.QueryTimeout)
	defer cancel()
	if next, err = c.resumePoint(ctx, partition); err != nil {
		return 0, explained(err)
	}
	return next, nil
}

// insert adds rows as one block. A token makes the server take the block once; without one it is taken whenever it comes.
func insert[T any](ctx context.Context, c *ClickHouse, table, token string, rows []T, columns []columnOf[T]) error {
	if len(rows) == 0 {
		return nil
	}
	settings := clickhouse.Settings{"insert_deduplicate": 0, "async_insert": 0}
	if token != "" {
		settings = clickhouse.Settings{"insert_deduplicate": 1, "insert_deduplication_token": token, "async_insert": 0}
	}
	columns = withoutBlank(columns, rows)
	batch, err := c.conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(settings)),
		"INSERT INTO "+table+" ("+namesOf(columns)+")")
	if err != nil {
		return err
	}
	defer func() { _ = batch.Close() }() // after Send it does nothing
	var s scratch
	into := batch.Columns()
	for some := range slices.Chunk(rows, rowsInCache) {
		for i := range columns {
			if err := columns[i].fill(into[i], some, &s); err != nil {
				return fmt.Errorf("column %s: %w", columns[i].name, err)
			}
		}
	}
	return batch.Send()
}
