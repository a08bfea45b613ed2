package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"sundew"
)

// decisionColumns is what scanDecision reads, in the order of the table.
const decisionColumns = `id, time, entity_kind::VARCHAR, entity_key, coalesce(narrowed_by, ''), action::VARCHAR, delay_ns, score,
	coalesce(rule, ''), coalesce(evidence, ''), expires, shadow, version, coalesce(basis, ''), coalesce(sentence, '')`

// replaceDecisions removes what is stored under the same IDs, then appends. Each ID comes once.
func replaceDecisions(ctx context.Context, conn *sql.Conn, ds []*sundew.Decision) error {
	err := runWithRows(ctx, conn, `DELETE FROM decisions WHERE id IN (SELECT id FROM appended_data)`,
		[]column{{"id", duckdb.TYPE_VARCHAR}}, ds, func(values []driver.Value, d *sundew.Decision) ([]driver.Value, error) {
			return append(values, required(d.ID)), nil
		})
	if err != nil {
		return err
	}
	return appendRows(ctx, conn, "decisions", ds, appendDecision)
}

// lastByID keeps the last decision of each ID.
func lastByID(ds []sundew.Decision) []*sundew.Decision {
	place := make(map[string]int, len(ds))
	var last []*sundew.Decision
	for i := range ds {
		at, found := place[ds[i].ID]
		if found {
			last[at] = &ds[i]
			continue
		}
		place[ds[i].ID] = len(last)
		last = append(last, &ds[i])
	}
	return last
}

// appendDecision appends the values of a row of the table decisions.
func appendDecision(values []driver.Value, d *sundew.Decision) ([]driver.Value, error) {
	if d.ID == "" {
		return nil, fmt.Errorf("decision on %s by rule %q has no id", d.Entity, d.Rule)
	}
	evidence, err := evidenceText(d.Evidence)
	if err != nil {
		return nil, fmt.Errorf("decision %s: %w", d.ID, err)
	}
	narrowed, err := entitiesText(d.And)
	if err != nil {
		return nil, fmt.Errorf("decision %s: %w", d.ID, err)
	}
	return append(values,
		text(d.ID), d.Time.UTC(), d.Entity.Kind.String(), required(d.Entity.Key), narrowed, d.Action.String(),
		int64(d.Delay), d.Score, text(d.Rule), evidence, d.Expires.UTC(), d.Shadow, d.Version, text(string(d.Basis)),
		text(d.Sentence),
	), nil
}

func entitiesText(entities []sundew.Entity) (driver.Value, error) {
	if len(entities) == 0 {
		return nil, nil
	}
	return json.Marshal(entities)
}

func scanDecision(r row) (sundew.Decision, error) {
	var (
		d                                         sundew.Decision
		kind, narrowed, action, evidence, reasons string
	)
	err := r.Scan(
		&d.ID, &d.Time, &kind, &d.Entity.Key, &narrowed, &action,
		&d.Delay, &d.Score, &d.Rule, &evidence, &d.Expires, &d.Shadow, &d.Version, &reasons,
		&d.Sentence,
	)
	if err != nil {
		return d, err
	}
	d.Entity.Kind = kindOf(kind)
	d.Action = actionOf(action)
	d.Basis = sundew.Basis(reasons)
	if narrowed != "" {
		if err := json.Unmarshal([]byte(narrowed), &d.And); err != nil {
			return d, fmt.Errorf("stored decision %s: %w", d.ID, err)
		}
	}
	d.Evidence, err = evidenceOf(evidence)
	return d, err
}

func kindOf(word string) sundew.Kind {
	kind, err := sundew.ParseKind(word)
	if err != nil {
		return sundew.KindNone // the column admits known words and the empty one alone
	}
	return kind
}

// Decision finds a decision by its ID. See Store.
func (d *DuckDB) Decision(ctx context.Context, id string) (sundew.Decision, bool, error) {
	found, err := ask(ctx, d, "decision", `SELECT `+decisionColumns+` FROM decisions WHERE id = ?`, scanDecision, id)
	if err != nil || len(found) == 0 {
		return sundew.Decision{}, false, err
	}
	return found[0], true, nil
}

// Decisions lists the decisions made in the range, newest first. See Store.
func (d *DuckDB) Decisions(ctx context.Context, r sundew.Range, limit int) ([]sundew.Decision, error) {
	return ask(ctx, d, "decisions", `SELECT `+decisionColumns+` FROM decisions
		WHERE time >= make_timestamp(?) AND time < make_timestamp(?)
		ORDER BY time DESC, version DESC, id LIMIT ?`,
		scanDecision, r.From.UnixMicro(), r.To.UnixMicro(), bounded(limit))
}

// Requests lists the requests behind a decision, newest first. See Store.
func (d *DuckDB) Requests(ctx context.Context, decision sundew.Decision, limit int) ([]sundew.Event, error) {
	where, err := namesAll(append([]sundew.Entity{decision.Entity}, decision.And...))
	if err != nil {
		return nil, fmt.Errorf("requests behind decision %s: %w", decision.ID, err)
	}
	from, to := behind(decision)
	return d.events(ctx, "requests behind decision", where, sundew.Range{From: from, To: to.Truncate(time.Microsecond).Add(time.Microsecond)}, limit)
}
