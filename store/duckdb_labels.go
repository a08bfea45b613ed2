package store

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/duckdb/duckdb-go/v2"

	"sundew"
)

var _ LabelStore = (*DuckDB)(nil)

const labelColumns = `time, entity_kind::VARCHAR, entity_key, verdict::VARCHAR, said_by, coalesce(note, '')`

// labelTable is the table labels as rows are handed to it.
func labelTable() []column {
	return []column{
		{"time", duckdb.TYPE_TIMESTAMP},
		{"entity_kind", duckdb.TYPE_VARCHAR},
		{"entity_key", duckdb.TYPE_VARCHAR},
		{"verdict", duckdb.TYPE_VARCHAR},
		{"said_by", duckdb.TYPE_VARCHAR},
		{"note", duckdb.TYPE_VARCHAR},
	}
}

// replaceLabels removes what the same persons said of the same entities at the same times, then adds.
func replaceLabels(ctx context.Context, conn *sql.Conn, labels []sundew.Label) error {
	last := lastSaid(labels)
	err := runWithRows(ctx, conn, `
		DELETE FROM labels AS old USING appended_data AS new
		WHERE old.time = new.time AND old.entity_kind::VARCHAR = new.entity_kind AND old.entity_key = new.entity_key AND old.said_by = new.said_by`,
		labelTable(), last, appendLabel)
	if err != nil {
		return err
	}
	return appendRows(ctx, conn, "labels", last, appendLabel)
}

func lastSaid(labels []sundew.Label) []*sundew.Label {
	type said struct {
		at  int64
		of  sundew.Entity
		who string
	}
	index := make(map[said]int, len(labels))
	var last []*sundew.Label
	for i := range labels {
		l := &labels[i]
		key := said{l.Time.UnixMicro(), l.Entity, l.By}
		if n, found := index[key]; found {
			last[n] = l
			continue
		}
		index[key] = len(last)
		last = append(last, l)
	}
	return last
}

func appendLabel(values []driver.Value, l *sundew.Label) ([]driver.Value, error) {
	return append(values, l.Time.UTC(), l.Entity.Kind.String(), required(l.Entity.Key), l.Verdict.String(), required(l.By), text(l.Note)), nil
}

func scanLabel(r row) (l sundew.Label, err error) {
	var kind, verdict string
	if err := r.Scan(&l.Time, &kind, &l.Entity.Key, &verdict, &l.By, &l.Note); err != nil {
		return l, err
	}
	l.Entity.Kind = kindOf(kind)
	return l, l.Verdict.UnmarshalText([]byte(verdict))
}

// Labels lists what analysts said. See LabelStore.
func (d *DuckDB) Labels(ctx context.Context, r sundew.Range, limit int) ([]sundew.Label, error) {
	return ask(ctx, d, "labels", `SELECT `+labelColumns+` FROM labels`+duringRange+`ORDER BY time DESC, entity_kind, entity_key, said_by LIMIT ?`,
		scanLabel, r.From.UnixMicro(), r.To.UnixMicro(), bounded(limit))
}
