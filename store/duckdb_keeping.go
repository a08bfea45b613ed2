package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sundew"
)

var _ Keeper = (*DuckDB)(nil)

// ofEntity holds for rows of the entity itself.
const ofEntity = `entity_kind = CAST(? AS ` + kindType + `) AND entity_key = ?`

// holding says which rows of each table are a person's.
type holding struct{ requests, evaluations, own, narrowed, letters condition }

func holdingOf(e sundew.Entity) (h holding, err error) {
	if h.requests, err = names(e); err != nil {
		return h, err
	}
	key := []any{e.Kind.String(), e.Key}
	h.own = condition{ofEntity, key}
	text, err := json.Marshal(e)
	if err != nil {
		return h, err
	}
	h.narrowed = condition{`(` + ofEntity + ` OR contains(coalesce(narrowed_by, ''), ?))`, append(key[:2:2], string(text))}
	h.evaluations = condition{
		`(` + ofEntity + ` OR (log_partition, log_offset) IN (SELECT (log_partition, log_offset) FROM events WHERE ` + h.requests.sql + `))`,
		append(key[:2:2], h.requests.args...),
	}
	h.letters = condition{`contains(coalesce(line, ''), ?)`, []any{e.Key}}
	return h, nil
}

// Erase removes what is kept of an entity. See Keeper.
func (d *DuckDB) Erase(ctx context.Context, who sundew.Entity, by string, now time.Time) (erased Erased, err error) {
	who, err = who.Canonical()
	if err == nil {
		err = validPerson(by)
	}
	if err != nil {
		return erased, fmt.Errorf("erase: %w", err)
	}
	h, err := holdingOf(who)
	if err != nil {
		return erased, fmt.Errorf("erase: %w", err)
	}
	err = d.write(ctx, "erase", func(ctx context.Context, conn *sql.Conn) (func(), error) {
		if err := takeFromMinutes(ctx, conn, h.requests); err != nil {
			return nil, err
		}
		for _, part := range []struct {
			rows  *int64
			table string
			where condition
		}{
			{&erased.Evaluations, "evaluations", h.evaluations}, // which looks at the events
			{&erased.Requests, "events", h.requests},
			{&erased.Scores, "scores", h.own},
			{&erased.Decisions, "decisions", h.narrowed},
			{&erased.Labels, "labels", h.own},
			{&erased.DeadLetters, "dead_letters", h.letters},
		} {
			result, err := conn.ExecContext(ctx, `DELETE FROM `+part.table+` WHERE `+part.where.sql, part.where.args...)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", part.table, err)
			}
			if *part.rows, err = result.RowsAffected(); err != nil {
				return nil, err
			}
		}
		if _, err := conn.ExecContext(ctx, `INSERT INTO erasures VALUES (?, make_timestamp(?))`, fingerprint(who), now.UnixMicro()); err != nil {
			return nil, err
		}
		return func() {}, writeAudit(ctx, conn, by, "erase", who, erased, now)
	})
	if err != nil {
		return Erased{}, fmt.Errorf("erase: %w", err)
	}
	return erased, nil
}

// writeAudit appends an entry that names the entity by its kind and fingerprint alone.
func writeAudit(ctx context.Context, conn *sql.Conn, by, action string, who sundew.Entity, what any, now time.Time) error {
	detail, err := json.Marshal(map[string]any{"kind": who.Kind, "entity_sha256": fingerprint(who), "rows": what})
	if err != nil {
		return err
	}
	last, err := collect(ctx, conn, `SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1`, func(r row) (e AuditEntry, err error) {
		return e, r.Scan(&e.Number, &e.Hash)
	})
	if err != nil {
		return err
	}
	entry := AuditEntry{Number: 1, Time: now, By: by, Action: action, Detail: string(detail)}
	before := ""
	if len(last) > 0 {
		entry.Number, before = last[0].Number+1, last[0].Hash
	}
	_, err = conn.ExecContext(ctx, `INSERT INTO audit VALUES (?, make_timestamp(?), ?, ?, ?, ?)`,
		entry.Number, now.UnixMicro(), by, action, entry.Detail, entry.link(before))
	return err
}

// Export hands over what is kept of an entity. See Keeper.
func (d *DuckDB) Export(ctx context.Context, who sundew.Entity, by string, now time.Time, each func(Record) error) error {
	who, err := who.Canonical()
	if err == nil {
		err = validPerson(by)
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	h, err := holdingOf(who)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	rows := map[string]int64{}
	err = d.readAll(ctx, h, func(r Record) error {
		rows[r.Kind]++
		return each(r)
	})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	err = d.write(ctx, "export", func(ctx context.Context, conn *sql.Conn) (func(), error) {
		return func() {}, writeAudit(ctx, conn, by, "export", who, rows, now)
	})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// readAll reads the whole holding as it is at one moment. Writers do not wait for who takes it.
func (d *DuckDB) readAll(ctx context.Context, h holding, each func(Record) error) error {
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // hands the connection back to the pool
	if _, err := conn.ExecContext(ctx, `BEGIN TRANSACTION`); err != nil {
		return err
	}
	return errors.Join(exportAll(ctx, conn, h, each), rollBack(ctx, conn)) // nothing was changed
}

func exportAll(ctx context.Context, conn *sql.Conn, h holding, each func(Record) error) error {
	if err := export(ctx, conn, "request", `SELECT `+eventColumns+` FROM events WHERE `+h.requests.sql+` ORDER BY time, log_partition, log_offset`, h.requests.args, each,
		func(r row) (any, error) {
			e, err := scanEvent(r)
			return json.RawMessage(e.AppendJSON(nil)), err
		}); err != nil {
		return err
	}
	if err := export(ctx, conn, "score", `SELECT `+scoreColumns+` FROM scores WHERE `+h.own.sql+` ORDER BY time, rowid`, h.own.args, each,
		func(r row) (any, error) { return scanScore(r) }); err != nil {
		return err
	}
	if err := export(ctx, conn, "decision", `SELECT `+decisionColumns+` FROM decisions WHERE `+h.narrowed.sql+` ORDER BY time, version, id`, h.narrowed.args, each,
		func(r row) (any, error) { return scanDecision(r) }); err != nil {
		return err
	}
	if err := export(ctx, conn, "label", `SELECT `+labelColumns+` FROM labels WHERE `+h.own.sql+` ORDER BY time, said_by`, h.own.args, each,
		func(r row) (any, error) { return scanLabel(r) }); err != nil {
		return err
	}
	if err := export(ctx, conn, "dead_letter", `SELECT `+letterColumns+` FROM dead_letters WHERE `+h.letters.sql+` ORDER BY time, source, log_partition, log_offset`, h.letters.args, each,
		func(r row) (any, error) { return scanDeadLetter(r) }); err != nil {
		return err
	}
	return export(ctx, conn, "evaluation", `
		SELECT time, entity_kind::VARCHAR, entity_key, points, nats, weight, coalesce(fired, '[]'), coalesce(method, ''), coalesce(path, '')
		FROM evaluations WHERE `+h.evaluations.sql+` ORDER BY time, log_partition, log_offset, entity_kind, entity_key`, h.evaluations.args, each, scanExported)
}

// export passes the rows of one query on as they come.
func export(ctx context.Context, conn *sql.Conn, kind, query string, args []any, each func(Record) error, scan func(row) (any, error)) error {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has told what there is to tell
	for rows.Next() {
		value, err := scan(rows)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		if err := each(Record{kind, text}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanExported reads an evaluation for its subject: what was judged, and what followed.
func scanExported(r row) (any, error) {
	var e struct {
		Time   time.Time       `json:"time"`
		Entity sundew.Entity   `json:"entity"`
		Points float64         `json:"points"`
		Nats   float64         `json:"nats"`
		Weight float64         `json:"weight"`
		Fired  json.RawMessage `json:"fired"`
		Method string          `json:"method"`
		Path   string          `json:"path"`
	}
	var kind, fired string
	err := r.Scan(&e.Time, &kind, &e.Entity.Key, &e.Points, &e.Nats, &e.Weight, &fired, &e.Method, &e.Path)
	e.Entity.Kind, e.Fired = kindOf(kind), json.RawMessage(fired)
	return e, err
}

// Audit lists who did what. See Keeper.
func (d *DuckDB) Audit(ctx context.Context, limit int) ([]AuditEntry, error) {
	return ask(ctx, d, "audit", `SELECT `+auditColumns+` FROM audit ORDER BY number DESC LIMIT ?`, scanAudit, bounded(limit))
}

const auditColumns = `number, time, actor, action, coalesce(detail, ''), hash`

func scanAudit(r row) (e AuditEntry, err error) {
	return e, r.Scan(&e.Number, &e.Time, &e.By, &e.Action, &e.Detail, &e.Hash)
}

// erasedUntil reads when each fingerprint was erased last.
func erasedUntil(ctx context.Context, conn asker) (map[string]time.Time, error) {
	type erasure struct {
		entity string
		until  time.Time
	}
	found, err := collect(ctx, conn, `SELECT entity, max(until) FROM erasures GROUP BY entity`, func(r row) (e erasure, err error) {
		return e, r.Scan(&e.entity, &e.until)
	})
	until := make(map[string]time.Time, len(found))
	for _, e := range found {
		until[e.entity] = e.until
	}
	return until, err
}

// withoutErased leaves out decisions about entities that were erased after them.
func withoutErased(ctx context.Context, conn asker, ds []*sundew.Decision) ([]*sundew.Decision, error) {
	if len(ds) == 0 {
		return ds, nil
	}
	until, err := erasedUntil(ctx, conn)
	if err != nil || len(until) == 0 {
		return ds, err
	}
	var kept []*sundew.Decision
	for _, d := range ds {
		gone := false
		for _, e := range append([]sundew.Entity{d.Entity}, d.And...) {
			gone = gone || !d.Time.After(until[fingerprint(e)])
		}
		if !gone {
			kept = append(kept, d)
		}
	}
	return kept, nil
}
