package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"sundew"
	"sundew/rules"
	"sundew/scoring"
	"sundew/sim"
	"sundew/store"
)

// BenchmarkStore asks a store what analysts ask. It is filled by simulated traffic with all attacks, scored and decided
// upon as live traffic is. SUNDEW_BENCH_EVENTS says how many events, by default 200,000; SUNDEW_BENCH_STORE is a file that
// stays, so that another run finds it filled.
func BenchmarkStore(b *testing.B) {
	events := int64(200_000)
	if text := os.Getenv("SUNDEW_BENCH_EVENTS"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		events = n
	}
	path := os.Getenv("SUNDEW_BENCH_STORE")
	if path == "" {
		path = filepath.Join(b.TempDir(), "store.duckdb")
	}
	if _, err := os.Stat(path); err != nil {
		fillStore(b, path, events)
	}
	config := store.DefaultDuckDBConfig()
	config.Path = path
	d, err := store.OpenDuckDB(b.Context(), config, quietLog())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	counts, err := d.Count(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d events, %d scores, %d decisions in %d bytes, %.1f per event", counts.Events, counts.Scores, counts.Decisions, info.Size(), float64(info.Size())/float64(counts.Events))
	askStore(b, d)
}

// benchStart is when the simulated traffic begins.
var benchStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// fillStore runs the pipeline of replay over simulated traffic of a day or more, until there are enough events.
func fillStore(b *testing.B, path string, events int64) {
	config := store.DefaultDuckDBConfig()
	config.Path = path
	d, err := store.OpenDuckDB(b.Context(), config, quietLog())
	if err != nil {
		b.Fatal(err)
	}
	traffic := sim.DefaultConfig()
	traffic.Start, traffic.Duration, traffic.Clients = benchStart, 30*24*time.Hour, max(1000, int(events/200))
	source, err := sim.New(traffic)
	if err != nil {
		b.Fatal(err)
	}
	scorer, err := scoring.New(scoring.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	set, err := loadRules("")
	if err != nil {
		b.Fatal(err)
	}
	pipeline := sundew.Pipeline{
		Source: &firstEvents{Source: source, left: events}, Scorer: scorer, Policy: rules.NewEngine(set, rules.DefaultConfig()),
		Recorder: recordAll{d, history{d, config.MinPoints, config.Evaluations}},
	}
	if err := errors.Join(pipeline.Run(b.Context()), d.Close()); err != nil {
		b.Fatal(err)
	}
}

// firstEvents ends a source after so many events, in batches of the size that is usual from Kafka.
type firstEvents struct {
	sundew.Source
	left int64
}

func (f *firstEvents) Next(ctx context.Context) (sundew.Batch, error) {
	if f.left <= 0 {
		return sundew.Batch{}, io.EOF
	}
	var all sundew.Batch
	for len(all.Events) < 8000 {
		batch, err := f.Source.Next(ctx)
		if errors.Is(err, io.EOF) && len(all.Events) > 0 {
			break
		}
		if err != nil {
			return batch, err
		}
		if len(all.Events) == 0 {
			all.Position = batch.Position
		}
		all.Events, all.Position.Next = append(all.Events, batch.Events...), batch.Position.Next
	}
	f.left -= int64(len(all.Events))
	return all, nil
}

// recordAll keeps a batch as the live system does: events and decisions from their topics, the rest from scoring.
type recordAll struct {
	store *store.DuckDB
	history
}

func (r recordAll) Record(ctx context.Context, batch sundew.Batch, scores []sundew.Score, ds []sundew.Decision) error {
	forStore := (&defaultPrivacy).ForStore()
	for i := range batch.Events {
		forStore(&batch.Events[i])
	}
	if err := r.store.Record(ctx, batch, nil, ds); err != nil {
		return err
	}
	return r.history.Record(ctx, batch, scores, ds)
}

var defaultPrivacy = defaultConfig().Ingest.Privacy

// askStore asks about the whole time and about its last hour.
func askStore(b *testing.B, d *store.DuckDB) {
	ctx := b.Context()
	end := newest(b, d)
	month := sundew.Range{From: benchStart, To: end}
	hour := sundew.Range{From: end.Add(-time.Hour), To: end}
	for _, span := range []struct {
		name string
		sundew.Range
	}{{"all", month}, {"hour", hour}} {
		top, err := d.TopEntities(ctx, span.Range, sundew.KindNone, 1000)
		if err != nil || len(top) == 0 {
			b.Fatalf("top of %s: %v, %v", span.name, top, err)
		}
		ds, err := d.Decisions(ctx, span.Range, 1)
		if err != nil || len(ds) == 0 {
			b.Fatalf("decisions of %s: %v, %v", span.name, ds, err)
		}
		step := roundStep(span.To.Sub(span.From))
		questions := []struct {
			name string
			ask  func() error
		}{
			{"overview", func() error { _, err := d.Overview(ctx, span.Range, step); return err }},
			{"top", func() error { _, err := d.TopEntities(ctx, span.Range, sundew.KindNone, 20); return err }},
			{"top-ip", func() error { _, err := d.TopEntities(ctx, span.Range, sundew.KindIP, 20); return err }},
			{"worst-entity", func() error { _, err := d.Timeline(ctx, top[0].Entity, span.Range, 100); return err }},
			{"quiet-entity", func() error { _, err := d.Timeline(ctx, top[len(top)-1].Entity, span.Range, 100); return err }},
			{"decisions", func() error { _, err := d.Decisions(ctx, span.Range, 100); return err }},
			{"requests", func() error { _, err := d.Requests(ctx, ds[0], 100); return err }},
			{"rules", func() error { _, err := d.RuleStatistics(ctx, span.Range); return err }},
			{"channels", func() error { _, err := d.ChannelStatistics(ctx, span.Range); return err }},
			{"coverage", func() error { _, err := d.FieldCoverage(ctx, span.Range); return err }},
			{"features", func() error { _, err := d.FeaturePercentiles(ctx, span.Range, sundew.KindIP); return err }},
		}
		for _, q := range questions {
			b.Run(span.name+"/"+q.name, func(b *testing.B) {
				for b.Loop() {
					if err := q.ask(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(span.name+"/evaluations", func(b *testing.B) {
			scan := store.EvaluationQuery{Range: span.Range, Features: []sundew.Feature{sundew.Requests1m, sundew.ClientErrorRatio10m, sundew.DistinctPaths1h}}
			n := 0
			for b.Loop() {
				n = 0
				if err := d.ScanEvaluations(ctx, scan, func(c *store.EvaluationChunk) error { n += c.Len(); return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "rows")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(n, 1)), "ns/row")
		})
	}
}

// newest is the time right behind the newest event.
func newest(b *testing.B, d *store.DuckDB) time.Time {
	points, err := d.Overview(b.Context(), sundew.Range{From: benchStart, To: benchStart.AddDate(0, 0, 31)}, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range slices.Backward(points) {
		if p.Requests > 0 {
			return p.Time.Add(time.Hour)
		}
	}
	b.Fatal("the store has no events")
	return time.Time{}
}
