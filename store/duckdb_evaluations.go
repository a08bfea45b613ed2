package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"sundew"
)

var _ EvaluationStore = (*DuckDB)(nil)

// featureColumn is where the table evaluations keeps a feature.
func featureColumn(f sundew.Feature) string { return "feature_" + sundew.Catalogue[f].Name }

// addFeatureColumns brings the table evaluations up to the catalogue of this program.
func addFeatureColumns(ctx context.Context, db *sql.DB) error {
	for f := range sundew.Feature(sundew.NumFeatures) {
		if _, err := db.ExecContext(ctx, `ALTER TABLE evaluations ADD COLUMN IF NOT EXISTS `+featureColumn(f)+` DOUBLE`); err != nil {
			return err
		}
	}
	return nil
}

// evaluationTable is the table evaluations as rows are handed to it.
func evaluationTable() []column {
	columns := []column{
		{"log_partition", duckdb.TYPE_INTEGER},
		{"log_offset", duckdb.TYPE_BIGINT},
		{"time", duckdb.TYPE_TIMESTAMP},
		{"entity_kind", duckdb.TYPE_VARCHAR},
		{"entity_key", duckdb.TYPE_VARCHAR},
		{"points", duckdb.TYPE_DOUBLE},
		{"nats", duckdb.TYPE_DOUBLE},
		{"weight", duckdb.TYPE_DOUBLE},
		{"evidence", duckdb.TYPE_VARCHAR},
		{"fired", duckdb.TYPE_VARCHAR},
		{"method", duckdb.TYPE_VARCHAR},
		{"host", duckdb.TYPE_VARCHAR},
		{"path", duckdb.TYPE_VARCHAR},
		{"route", duckdb.TYPE_VARCHAR},
		{"status", duckdb.TYPE_SMALLINT},
	}
	for f := range sundew.Feature(sundew.NumFeatures) {
		columns = append(columns, column{featureColumn(f), duckdb.TYPE_DOUBLE})
	}
	return columns
}

func appendEvaluation(values []driver.Value, e *Evaluation) ([]driver.Value, error) {
	var fired driver.Value
	if len(e.Fired) > 0 {
		list, err := json.Marshal(e.Fired)
		if err != nil {
			return nil, err
		}
		fired = list
	}
	evidence, err := evidenceText(e.Evidence)
	if err != nil {
		return nil, fmt.Errorf("evaluation of %s: %w", e.Entity, err)
	}
	values = append(values,
		e.Event.Partition, e.Event.Offset, e.Time.UTC(), e.Entity.Kind.String(), required(e.Entity.Key),
		finite(e.Points), finite(e.Nats), e.Weight, evidence, fired,
		text(e.Event.Method), text(e.Event.Host), text(e.Event.Path), text(e.Event.Route), int16(e.Event.Status),
	)
	for _, feature := range e.Features {
		if math.IsNaN(feature) {
			values = append(values, nil)
			continue
		}
		values = append(values, feature)
	}
	return values, nil
}

// RecordEvaluations keeps what rules were asked about. See EvaluationStore.
func (d *DuckDB) RecordEvaluations(ctx context.Context, evaluations []Evaluation) error {
	if err := checkEvaluations(evaluations); err != nil {
		return fmt.Errorf("record evaluations: %w", err)
	}
	err := d.write(ctx, "evaluations", func(ctx context.Context, conn *sql.Conn) (func(), error) {
		stored, err := positions(ctx, conn)
		if err != nil {
			return nil, fmt.Errorf("resume points: %w", err)
		}
		reached := maps.Clone(stored)
		fresh := freshEvaluations(evaluations, stored, reached)
		columns := evaluationTable()
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = c.name
		}
		insert := `INSERT INTO evaluations (` + strings.Join(names, ", ") + `) SELECT * FROM appended_data`
		if err := runWithRows(ctx, conn, insert, columns, fresh, appendEvaluation); err != nil {
			return nil, err
		}
		if err := movePositions(ctx, conn, stored, reached); err != nil {
			return nil, fmt.Errorf("resume points: %w", err)
		}
		return func() {
			d.metrics.rows.WithLabelValues("evaluations").Add(float64(len(fresh)))
			d.metrics.repeated.WithLabelValues("evaluations").Add(float64(len(evaluations) - len(fresh)))
		}, nil
	})
	if err != nil {
		return fmt.Errorf("record evaluations: %w", err)
	}
	return nil
}

func checkEvaluations(evaluations []Evaluation) error {
	for i := range evaluations {
		switch e := &evaluations[i]; {
		case e.Event == nil:
			return fmt.Errorf("evaluation %d of %s has no event, so nobody can tell whether it came before", i, e.Entity)
		case !(e.Weight >= 1) || math.IsInf(e.Weight, 1):
			return fmt.Errorf("evaluation %d of %s has weight %g: want at least 1", i, e.Entity, e.Weight)
		}
	}
	return nil
}

// freshEvaluations returns those that are not stored yet, and moves the resume points of evaluations in reached.
func freshEvaluations(evaluations []Evaluation, stored, reached map[int32]position) []*Evaluation {
	var fresh []*Evaluation
	for i := range evaluations {
		e := &evaluations[i]
		if e.Event.Offset < stored[e.Event.Partition].evaluationsNext {
			continue
		}
		fresh = append(fresh, e)
		p := reached[e.Event.Partition]
		p.evaluationsNext = max(p.evaluationsNext, e.Event.Offset+1)
		reached[e.Event.Partition] = p
	}
	return fresh
}

// ScanEvaluations reads evaluations as chunks of columns. See EvaluationStore.
func (d *DuckDB) ScanEvaluations(ctx context.Context, q EvaluationQuery, each func(*EvaluationChunk) error) error {
	err := d.scanEvaluations(ctx, q, each)
	if err != nil {
		return fmt.Errorf("scan evaluations: %w", err)
	}
	return nil
}

func (d *DuckDB) scanEvaluations(ctx context.Context, q EvaluationQuery, each func(*EvaluationChunk) error) error {
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
	return conn.Raw(func(driverConn any) error {
		rows, err := d.evaluationRows(ctx, driverConn.(driver.QueryerContext), q)
		if err != nil {
			return err
		}
		return errors.Join(passChunks(ctx, rows, q, each), rows.Close())
	})
}

// evaluationRows goes around database/sql, whose conversions cost more than the query. The driver has the whole answer in
// the engine's memory, under its limit, when it returns.
func (d *DuckDB) evaluationRows(ctx context.Context, conn driver.QueryerContext, q EvaluationQuery) (driver.Rows, error) {
	limited, cancel := context.WithTimeout(ctx, d.config.QueryTimeout)
	defer cancel()
	query, args := evaluationSQL(q)
	rows, err := conn.QueryContext(limited, query, args)
	switch {
	case err == nil:
		return rows, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	d.metrics.errors.WithLabelValues("query").Inc()
	if limited.Err() != nil {
		return nil, fmt.Errorf("no answer within %s: ask for a shorter range, or raise query_timeout: %w", d.config.QueryTimeout, limited.Err())
	}
	return nil, err
}

// evaluationSQL asks for the fixed columns, the features, then the request.
func evaluationSQL(q EvaluationQuery) (query string, args []driver.NamedValue) {
	bind := func(value any) {
		args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: value})
	}
	where := []string{`time >= make_timestamp(?)`, `time < make_timestamp(?)`}
	bind(q.Range.From.UnixMicro())
	bind(q.Range.To.UnixMicro())
	if q.Kind != sundew.KindNone {
		where = append(where, `entity_kind = CAST(? AS `+kindType+`)`)
		bind(q.Kind.String())
	}
	for _, b := range q.Where {
		column := featureColumn(b.Feature)
		where = append(where, `(`+column+` IS NULL OR `+column+` BETWEEN ? AND ?)`)
		bind(b.Min)
		bind(b.Max)
	}
	evidence := `NULL AS evidence`
	if q.Evidence {
		evidence = `evidence`
	}
	asked := []string{`epoch_us(time) AS micros, entity_kind::VARCHAR AS kind, entity_key, points, nats, weight, fired`, evidence}
	for _, f := range q.Features {
		asked = append(asked, featureColumn(f))
	}
	columns, from := strings.Join(asked, ", "), ` FROM evaluations WHERE `+strings.Join(where, ` AND `)
	const order = ` ORDER BY micros, log_partition, log_offset, kind, entity_key`
	switch q.Requests {
	case RequestLine:
		return `SELECT ` + columns + `, log_partition, log_offset, method, host, path, route, status` + from + order, args
	case RequestWhole:
		return `WITH wanted AS (
			SELECT ` + columns + `, log_partition AS at_partition, log_offset AS at_offset, method AS at_method, host AS at_host,
				path AS at_path, route AS at_route, status AS at_status` + from + `
		)
		SELECT wanted.*, time IS NOT NULL, ` + eventColumns + `
		FROM wanted LEFT JOIN events ON log_partition = at_partition AND log_offset = at_offset
		ORDER BY micros, at_partition, at_offset, kind, entity_key`, args
	}
	return `SELECT ` + columns + from + order, args
}

// kindType is the type of the columns that name a kind of entity.
const kindType = `ENUM ('', 'ip', 'prefix', 'device', 'account', 'api_key', 'fingerprint', 'asn')`

// passChunks fills one chunk over and over. It looks at the context once per chunk.
func passChunks(ctx context.Context, rows driver.Rows, q EvaluationQuery, each func(*EvaluationChunk) error) error {
	values := make([]driver.Value, len(rows.Columns()))
	c := EvaluationChunk{Features: make([][]float64, len(q.Features))}
	for {
		c.empty()
		err := c.fill(rows, values, q)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c.Len() == 0 {
			return nil
		}
		if err := each(&c); err != nil {
			return err
		}
	}
}

func (c *EvaluationChunk) empty() {
	c.Time, c.Entity, c.Points, c.Nats, c.Weight = c.Time[:0], c.Entity[:0], c.Points[:0], c.Nats[:0], c.Weight[:0]
	c.Fired, c.Evidence, c.Events = c.Fired[:0], c.Evidence[:0], c.Events[:0]
	for i := range c.Features {
		c.Features[i] = c.Features[i][:0]
	}
}

// fill reads as many rows as the engine has in one chunk of its own, or fewer at the end.
func (c *EvaluationChunk) fill(rows driver.Rows, values []driver.Value, q EvaluationQuery) error {
	for range duckdb.GetDataChunkCapacity() {
		if err := rows.Next(values); err != nil {
			return err
		}
		if err := c.add(values, q); err != nil {
			return err
		}
	}
	return nil
}

// add takes a row as evaluationSQL orders its columns.
func (c *EvaluationChunk) add(values driverRow, q EvaluationQuery) error {
	var (
		at                   int64
		kind, key            string
		fired, evidence      string
		points, nats, weight float64
		rules                []string
	)
	if err := values.Scan(&at, &kind, &key, &points, &nats, &weight, &fired, &evidence); err != nil {
		return err
	}
	if fired != "" {
		if err := json.Unmarshal([]byte(fired), &rules); err != nil {
			return fmt.Errorf("stored evaluation: %w", err)
		}
	}
	c.Time, c.Entity = append(c.Time, at), append(c.Entity, sundew.Entity{Kind: kindOf(kind), Key: key})
	c.Points, c.Nats, c.Weight, c.Fired = append(c.Points, points), append(c.Nats, nats), append(c.Weight, weight), append(c.Fired, rules)

	if q.Evidence {
		stored, err := evidenceOf(evidence)
		if err != nil {
			return err
		}
		c.Evidence = append(c.Evidence, stored)
	}
	values = values[8:]
	for i := range c.Features {
		feature, stored := values[i].(float64)
		if !stored {
			feature = math.NaN()
		}
		c.Features[i] = append(c.Features[i], feature)
	}
	if q.Requests == RequestNone {
		return nil
	}
	event, err := values[len(c.Features):].event(at)
	c.Events = append(c.Events, event)
	return err
}

// driverRow is a row as the driver hands it over.
type driverRow []driver.Value

var _ row = driverRow{}

// event is the request of an evaluation: the whole one where it was asked for and is there.
func (r driverRow) event(at int64) (sundew.Event, error) {
	if len(r) > 7 && r[7] == true {
		return scanEvent(r[8:])
	}
	e := sundew.NewEvent()
	e.Time = time.UnixMicro(at).UTC()
	err := r.Scan(&e.Partition, &e.Offset, &e.Method, &e.Host, &e.Path, &e.Route, &e.Status)
	return e, err
}

// Scan takes the values in the types of the engine; NULL becomes the zero value.
func (r driverRow) Scan(dest ...any) error {
	for i := range dest {
		var fits bool
		switch to := dest[i].(type) {
		case *string:
			*to, fits = r[i].(string)
		case *int32:
			*to, fits = r[i].(int32)
		case *int64:
			*to, fits = r[i].(int64)
		case *uint32:
			*to, fits = r[i].(uint32)
		case *uint64:
			*to, fits = r[i].(uint64)
		case *float64:
			*to, fits = r[i].(float64)
		case *time.Time:
			*to, fits = r[i].(time.Time)
		case *int:
			var short int16
			short, fits = r[i].(int16)
			*to = int(short)
		case *time.Duration:
			var nanoseconds int64
			nanoseconds, fits = r[i].(int64)
			*to = time.Duration(nanoseconds)
		}
		if !fits && r[i] != nil {
			return fmt.Errorf("column %d: a %T does not fit into a %T", i, r[i], dest[i])
		}
	}
	return nil
}
