package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"sundew"
)

// deadLetterTable is the table dead_letters as rows are handed to it.
func deadLetterTable() []column {
	return []column{
		{"source", duckdb.TYPE_VARCHAR},
		{"log_partition", duckdb.TYPE_INTEGER},
		{"log_offset", duckdb.TYPE_BIGINT},
		{"time", duckdb.TYPE_TIMESTAMP},
		{"format", duckdb.TYPE_VARCHAR},
		{"reason", duckdb.TYPE_VARCHAR},
		{"detail", duckdb.TYPE_VARCHAR},
		{"line", duckdb.TYPE_VARCHAR},
	}
}

// RecordDeadLetters keeps lines that could not be read. See Store.
func (d *DuckDB) RecordDeadLetters(ctx context.Context, letters []sundew.DeadLetter) error {
	err := d.write(ctx, "dead letters", func(ctx context.Context, conn *sql.Conn) (func(), error) {
		last := lastByPlace(letters)
		stored, err := countRows(ctx, conn, "dead_letters")
		if err != nil {
			return nil, err
		}
		if err := replaceReplayed(ctx, conn, last); err != nil {
			return nil, err
		}
		last = slices.DeleteFunc(last, func(l *sundew.DeadLetter) bool { return l.Replayed })
		err = runWithRows(ctx, conn, `
			INSERT INTO dead_letters SELECT appended_data.* FROM appended_data
			ANTI JOIN dead_letters USING (source, log_partition, log_offset)`, deadLetterTable(), last, appendDeadLetter)
		if err != nil {
			return nil, err
		}
		total, err := countRows(ctx, conn, "dead_letters")
		if err != nil {
			return nil, err
		}
		return func() {
			added := max(total-stored, 0) // replayed letters leave
			d.metrics.rows.WithLabelValues("dead_letters").Add(float64(added))
			d.metrics.repeated.WithLabelValues("dead_letters").Add(float64(int64(len(letters)) - added))
		}, nil
	})
	if err != nil {
		return fmt.Errorf("record dead letters: %w", err)
	}
	return nil
}

// replaceReplayed makes room for the letters whose line was tried again.
func replaceReplayed(ctx context.Context, conn *sql.Conn, letters []*sundew.DeadLetter) error {
	again := slices.DeleteFunc(slices.Clone(letters), func(l *sundew.DeadLetter) bool { return l.Attempt == 0 })
	return runWithRows(ctx, conn, `
		DELETE FROM dead_letters AS old USING appended_data AS again
		WHERE old.source = again.source AND old.log_partition = again.log_partition AND old.log_offset = again.log_offset`,
		deadLetterTable(), again, appendDeadLetter)
}

// letterPlace is what the letters of one line have in common.
type letterPlace struct {
	source    string
	partition int32
	offset    int64
}

func letterPlaceOf(l *sundew.DeadLetter) letterPlace {
	return letterPlace{l.Source, l.Partition, l.Offset}
}

// lastByPlace keeps the last letter of each place in a source.
func lastByPlace(letters []sundew.DeadLetter) []*sundew.DeadLetter {
	index := make(map[letterPlace]int, len(letters))
	var last []*sundew.DeadLetter
	for i := range letters {
		at := letterPlaceOf(&letters[i])
		if n, seen := index[at]; seen {
			last[n] = &letters[i]
			continue
		}
		index[at] = len(last)
		last = append(last, &letters[i])
	}
	return last
}

func appendDeadLetter(values []driver.Value, l *sundew.DeadLetter) ([]driver.Value, error) {
	return append(values,
		required(l.Source), l.Partition, l.Offset, l.Time.UTC(), text(l.Format), text(l.Reason), text(l.Detail), text(l.Line),
	), nil
}

// letterColumns is what scanDeadLetter reads.
const letterColumns = `source, log_partition, log_offset, time, coalesce(format, ''), coalesce(reason, ''), coalesce(detail, ''), coalesce(line, '')`

func scanDeadLetter(r row) (l sundew.DeadLetter, err error) {
	err = r.Scan(&l.Source, &l.Partition, &l.Offset, &l.Time, &l.Format, &l.Reason, &l.Detail, &l.Line)
	return l, err
}

// DeadLetters lists the lines rejected in the range, newest first. See Store.
func (d *DuckDB) DeadLetters(ctx context.Context, r sundew.Range, limit int) ([]sundew.DeadLetter, error) {
	return ask(ctx, d, "dead letters", `
		SELECT `+letterColumns+` FROM dead_letters WHERE time >= make_timestamp(?) AND time < make_timestamp(?)
		ORDER BY time DESC, source, log_partition DESC, log_offset DESC LIMIT ?`,
		scanDeadLetter, r.From.UnixMicro(), r.To.UnixMicro(), bounded(limit))
}

func countRows(ctx context.Context, from asker, table string) (int64, error) {
	counts, err := collect(ctx, from, `SELECT count(*) FROM `+table, func(r row) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return 0, err
	}
	return counts[0], nil
}

// Count says how many rows are stored. See Store.
func (d *DuckDB) Count(ctx context.Context) (Counts, error) {
	counts, err := ask(ctx, d, "count", `
		SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM decisions), (SELECT count(*) FROM scores), (SELECT count(*) FROM dead_letters)`,
		func(r row) (c Counts, err error) {
			return c, r.Scan(&c.Events, &c.Decisions, &c.Scores, &c.DeadLetters)
		})
	if err != nil {
		return Counts{}, err
	}
	return counts[0], nil
}
