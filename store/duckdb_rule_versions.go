package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

var _ RuleVersionStore = (*DuckDB)(nil)

const ruleVersionColumns = `id, version, status, entity_kind, coalesce(title, ''), coalesce(owner, ''), first_loaded, last_loaded`

// ruleVersionTable is the table rule_versions as rows are handed to it.
func ruleVersionTable() []column {
	return []column{
		{"id", duckdb.TYPE_VARCHAR},
		{"version", duckdb.TYPE_VARCHAR},
		{"status", duckdb.TYPE_VARCHAR},
		{"entity_kind", duckdb.TYPE_VARCHAR},
		{"title", duckdb.TYPE_VARCHAR},
		{"owner", duckdb.TYPE_VARCHAR},
		{"first_loaded", duckdb.TYPE_TIMESTAMP},
		{"last_loaded", duckdb.TYPE_TIMESTAMP},
	}
}

func appendRuleVersion(values []driver.Value, v *RuleVersion) ([]driver.Value, error) {
	return append(values, required(v.ID), required(v.Version), required(v.Status), required(v.Kind), text(v.Title), text(v.Owner), v.First.UTC(), v.Last.UTC()), nil
}

func scanRuleVersion(r row) (v RuleVersion, err error) {
	return v, r.Scan(&v.ID, &v.Version, &v.Status, &v.Kind, &v.Title, &v.Owner, &v.First, &v.Last)
}

// RecordRuleVersions remembers which rules were loaded. See RuleVersionStore.
func (d *DuckDB) RecordRuleVersions(ctx context.Context, loaded []RuleVersion, at time.Time) error {
	err := d.write(ctx, "rule versions", func(ctx context.Context, conn *sql.Conn) (func(), error) {
		known, err := collect(ctx, conn, `SELECT `+ruleVersionColumns+` FROM rule_versions`, scanRuleVersion)
		if err != nil {
			return nil, err
		}
		type key struct{ id, version, status string }
		before := make(map[key]RuleVersion, len(known))
		for _, v := range known {
			before[key{v.ID, v.Version, v.Status}] = v
		}
		merged := map[key]bool{}
		var rows []*RuleVersion
		for _, v := range loaded {
			k := key{v.ID, v.Version, v.Status}
			if merged[k] {
				continue
			}
			merged[k] = true
			v.First, v.Last = at, at
			if b, found := before[k]; found {
				v.First, v.Last = earlier(b.First, at), later(b.Last, at)
			}
			rows = append(rows, &v)
		}
		err = runWithRows(ctx, conn, `
			DELETE FROM rule_versions AS old USING appended_data AS new
			WHERE old.id = new.id AND old.version = new.version AND old.status = new.status`, ruleVersionTable(), rows, appendRuleVersion)
		if err != nil {
			return nil, err
		}
		return func() {}, appendRows(ctx, conn, "rule_versions", rows, appendRuleVersion)
	})
	if err != nil {
		return fmt.Errorf("record rule versions: %w", err)
	}
	return nil
}

// RuleVersions lists which rules ran. See RuleVersionStore.
func (d *DuckDB) RuleVersions(ctx context.Context, limit int) ([]RuleVersion, error) {
	return ask(ctx, d, "rule versions", `SELECT `+ruleVersionColumns+` FROM rule_versions ORDER BY last_loaded DESC, id, first_loaded DESC, status LIMIT ?`,
		scanRuleVersion, bounded(limit))
}
