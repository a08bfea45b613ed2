package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew"
)

// decisionRow is a row of the table decisions.
type decisionRow struct {
	*sundew.Decision
	narrowedBy, evidence string
}

var decisionsTable = []columnOf[decisionRow]{
	texts("id", func(d decisionRow) string { return d.ID }),
	times("time", func(d decisionRow) time.Time { return d.Time }),
	words("entity_kind", func(d decisionRow) string { return d.Entity.Kind.String() }),
	texts("entity_key", func(d decisionRow) string { return d.Entity.Key }),
	texts("narrowed_by", func(d decisionRow) string { return d.narrowedBy }),
	words("action", func(d decisionRow) string { return d.Action.String() }),
	int64s("delay_ns", func(d decisionRow) int64 { return int64(d.Delay) }),
	values("score", func(d decisionRow) float64 { return d.Score }),
	words("rule", func(d decisionRow) string { return d.Rule }),
	texts("evidence", func(d decisionRow) string { return d.evidence }),
	times("expires", func(d decisionRow) time.Time { return d.Expires }),
	values("shadow", func(d decisionRow) bool { return d.Shadow }),
	int64s("version", func(d decisionRow) int64 { return d.Version }),
	words("basis", func(d decisionRow) string { return string(d.Basis) }),
	texts("sentence", func(d decisionRow) string { return d.Sentence }),
}

// decisionNames is what scanDecisionRow reads.
var decisionNames = namesOf(decisionsTable)

// newDecisionRows keeps the last decision of each ID.
func newDecisionRows(ds []sundew.Decision) ([]decisionRow, error) {
	last := lastByID(ds)
	rows := make([]decisionRow, len(last))
	for i, d := range last {
		if d.ID == "" {
			return nil, fmt.Errorf("decision on %s by rule %q has no id", d.Entity, d.Rule)
		}
		evidence, err := evidenceJSON(d.Evidence)
		if err != nil {
			return nil, fmt.Errorf("decision %s: %w", d.ID, err)
		}
		rows[i] = decisionRow{Decision: d, evidence: evidence}
		if len(d.And) > 0 {
			narrowedBy, err := json.Marshal(d.And)
			if err != nil {
				return nil, fmt.Errorf("decision %s: %w", d.ID, err)
			}
			rows[i].narrowedBy = string(narrowedBy)
		}
	}
	return rows, nil
}

func (c *ClickHouse) insertDecisions(ctx context.Context, rows []decisionRow) error {
	columns := append([]columnOf[decisionRow]{constant[decisionRow]("written", uint64(time.Now().UnixNano()))}, decisionsTable...)
	if err := insert(ctx, c, "decisions", "", rows, columns); err != nil {
		return err
	}
	c.metrics.rows.WithLabelValues("decisions").Add(float64(len(rows)))
	return nil
}

func scanDecisionRow(r row) (sundew.Decision, error) {
	var (
		d                                       sundew.Decision
		kind, narrowed, action, evidence, basis string
		delay                                   int64
	)
	err := r.Scan(
		&d.ID, &d.Time, &kind, &d.Entity.Key, &narrowed, &action,
		&delay, &d.Score, &d.Rule, &evidence, &d.Expires, &d.Shadow, &d.Version, &basis,
		&d.Sentence,
	)
	if err != nil {
		return d, err
	}
	d.Time, d.Expires, d.Delay = d.Time.UTC(), d.Expires.UTC(), time.Duration(delay)
	d.Entity.Kind, d.Action, d.Basis = kindOf(kind), actionOf(action), sundew.Basis(basis)
	if narrowed != "" {
		if err := json.Unmarshal([]byte(narrowed), &d.And); err != nil {
			return d, fmt.Errorf("stored decision %s: %w", d.ID, err)
		}
	}
	d.Evidence, err = evidenceOf(evidence)
	return d, err
}

// Decision finds a decision by its ID. See Store.
func (c *ClickHouse) Decision(ctx context.Context, id string) (sundew.Decision, bool, error) {
	found, err := inquire(ctx, c, "decision", `SELECT `+decisionNames+` FROM decisions FINAL WHERE id = {id:String}`,
		scanDecisionRow, clickhouse.Named("id", id))
	if err != nil || len(found) == 0 {
		return sundew.Decision{}, false, err
	}
	return found[0], true, nil
}

// Decisions lists the decisions made in the range, newest first. See Store.
func (c *ClickHouse) Decisions(ctx context.Context, r sundew.Range, limit int) ([]sundew.Decision, error) {
	return inquire(ctx, c, "decisions", `SELECT `+decisionNames+` FROM decisions FINAL WHERE `+inRange+`
		ORDER BY time DESC, version DESC, id LIMIT {limit:UInt32}`,
		scanDecisionRow, rangeArgs(r, limitArg(limit))...)
}

// Requests lists the requests behind a decision, newest first. See Store.
func (c *ClickHouse) Requests(ctx context.Context, decision sundew.Decision, limit int) ([]sundew.Event, error) {
	where, err := eventsNaming(append([]sundew.Entity{decision.Entity}, decision.And...))
	if err != nil {
		return nil, fmt.Errorf("requests behind decision %s: %w", decision.ID, err)
	}
	from, to := behind(decision)
	return c.events(ctx, "requests behind decision", where, sundew.Range{From: from, To: to.Truncate(time.Microsecond).Add(time.Microsecond)}, limit)
}
