package store

import (
	"context"
	"fmt"
	"os"
	"time"
)

var _ Checker = (*DuckDB)(nil)

// Check looks the store over. See Checker.
func (d *DuckDB) Check(ctx context.Context) (h Health, err error) {
	leave, err := d.enter()
	if err != nil {
		return h, fmt.Errorf("check: %w", err)
	}
	h.Schema, err = schemaVersion(ctx, d.db)
	leave()
	if err != nil {
		return h, fmt.Errorf("check: %w", err)
	}
	if d.config.Path != "" {
		info, err := os.Stat(d.config.Path)
		if err != nil {
			return h, fmt.Errorf("check: %w", err)
		}
		h.Bytes = info.Size()
	}
	if h.Tables, err = d.checkTables(ctx); err != nil {
		return h, err
	}
	if h.Partitions, err = d.checkPartitions(ctx); err != nil {
		return h, err
	}
	h.Audit, err = d.checkAudit(ctx)
	return h, err
}

func (d *DuckDB) checkTables(ctx context.Context) ([]TableHealth, error) {
	newest, _, err := newestEvent(ctx, d.db)
	if err != nil {
		return nil, fmt.Errorf("check events: %w", err)
	}
	var tables []TableHealth
	for _, t := range retained() {
		oldest, limited := d.config.oldest(t.name, newest)
		if !limited {
			oldest = 0
		}
		found, err := ask(ctx, d, "check "+t.name, `
			SELECT count(*), coalesce(epoch_us(min(time)), 0), coalesce(epoch_us(max(time)), 0), count(*) FILTER (`+t.age+` < make_timestamp(?)) FROM `+t.name,
			func(r row) (h TableHealth, err error) {
				var first, last int64
				err = r.Scan(&h.Rows, &first, &last, &h.Beyond)
				if h.Rows > 0 {
					h.Oldest, h.Newest = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
				}
				return h, err
			}, oldest)
		if err != nil {
			return nil, err
		}
		found[0].Name, found[0].Retention = t.name, d.config.retention(t.name)
		tables = append(tables, found[0])
	}
	return tables, nil
}

// checkPartitions walks through the offsets of each partition in their order.
func (d *DuckDB) checkPartitions(ctx context.Context) ([]PartitionHealth, error) {
	return ask(ctx, d, "check partitions", `
		WITH walked AS (
			SELECT log_partition, log_offset, log_offset - lag(log_offset) OVER (PARTITION BY log_partition ORDER BY log_offset) AS step FROM events
		), summed AS (
			SELECT log_partition, count(*) AS events, min(log_offset) AS first, max(log_offset) AS last,
				count(*) FILTER (step = 0) AS repeated, coalesce(sum(step - 1) FILTER (step > 1), 0)::BIGINT AS absent,
				coalesce(max(step - 1) FILTER (step > 1), 0) AS longest, coalesce(arg_max(log_offset - step, step) FILTER (step > 1), 0) AS after
			FROM walked GROUP BY log_partition
		)
		SELECT log_partition, coalesce(events_next, 0), coalesce(scores_next, 0), coalesce(evaluations_next, 0), coalesce(events, 0),
			coalesce(first, 0), coalesce(last, 0), coalesce(repeated, 0), coalesce(absent, 0), coalesce(longest, 0), coalesce(after, 0)
		FROM positions FULL JOIN summed USING (log_partition) ORDER BY log_partition`,
		func(r row) (p PartitionHealth, err error) {
			return p, r.Scan(&p.Partition, &p.Next, &p.ScoresNext, &p.EvaluationsNext, &p.Events, &p.First, &p.Last, &p.Repeated, &p.Absent, &p.LongestGap, &p.GapAfter)
		})
}

// checkAudit follows the chain of the audit from its beginning.
func (d *DuckDB) checkAudit(ctx context.Context) (problem string, err error) {
	entries, err := ask(ctx, d, "check audit", `SELECT `+auditColumns+` FROM audit ORDER BY number`, scanAudit)
	before := ""
	for i := range entries {
		e := &entries[i]
		if e.Number != int64(i+1) {
			return fmt.Sprintf("entry %d is missing or there twice", i+1), nil
		}
		if e.link(before) != e.Hash {
			return fmt.Sprintf("entry %d was changed after it was written", e.Number), nil
		}
		before = e.Hash
	}
	return "", err
}
