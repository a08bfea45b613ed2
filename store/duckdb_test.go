package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openDuckDB(t testing.TB, path string) *DuckDB {
	t.Helper()
	config := DefaultDuckDBConfig()
	config.Path, config.Threads = path, 2
	return openWith(t, config)
}

func openWith(t testing.TB, config DuckDBConfig) *DuckDB {
	t.Helper()
	d, err := OpenDuckDB(t.Context(), config, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // for tests that stop before their own
	return d
}

func closeStore(t *testing.T, s Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDuckDBInMemory(t *testing.T) {
	testStore(t, func(t *testing.T) Store { return openDuckDB(t, "") })
}

func TestDuckDBOnDisk(t *testing.T) {
	testStore(t, func(t *testing.T) Store { return openDuckDB(t, filepath.Join(t.TempDir(), "sundew.duckdb")) })
}

func TestReopeningGoesOnFromTheResumePoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder", "sundew.duckdb")
	b := batchOf(request(0, 0, "192.0.2.1"), request(1, time.Second, "192.0.2.1"))
	want := decision("d-1", 0, ip("192.0.2.1"), sundew.ActionBlock)
	scores := []sundew.Score{{Time: noon, Entity: ip("192.0.2.1"), Points: 80, Event: &b.Events[0]}}
	for range 3 {
		d := openDuckDB(t, path)
		record(t, d, b, scores, []sundew.Decision{want})
		equal(t, "counts", counts(t, d), Counts{Events: 2, Scores: 1, Decisions: 1})
		equal(t, "resume", resume(t, d, 0), int64(2))
		got, found, err := d.Decision(t.Context(), "d-1")
		if err != nil || !found {
			t.Fatalf("found %v, %v", found, err)
		}
		equal(t, "decision", got, want)
		closeStore(t, d)
	}
}

func TestOpenRefuses(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open.duckdb")
	openDuckDB(t, open)

	newer := filepath.Join(t.TempDir(), "newer.duckdb")
	d := openDuckDB(t, newer)
	if _, err := d.db.ExecContext(t.Context(), `INSERT INTO schema_steps VALUES (99)`); err != nil {
		t.Fatal(err)
	}
	closeStore(t, d)

	tests := []struct {
		name   string
		change func(*DuckDBConfig)
		want   []string
	}{
		{"a file that is open in this process", func(c *DuckDBConfig) { c.Path = open }, []string{open, "open already", "another store path"}},
		{"a file of a newer program", func(c *DuckDBConfig) { c.Path = newer }, []string{newer, "version 99", "newer sundew"}},
		{"a folder in place of a file", func(c *DuckDBConfig) { c.Path = t.TempDir() }, []string{"open "}},
		{"a path that reads as settings", func(c *DuckDBConfig) { c.Path = "a?b" }, []string{"path", "choose another name"}},
		{"negative threads", func(c *DuckDBConfig) { c.Threads = -1 }, []string{"threads"}},
		{"points beyond the scale", func(c *DuckDBConfig) { c.MinPoints = 101 }, []string{"min_points"}},
		{"a memory limit that is none", func(c *DuckDBConfig) { c.MemoryLimit = "much" }, []string{"memory_limit"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			config := DefaultDuckDBConfig()
			config.Path = ""
			test.change(&config)
			_, err := OpenDuckDB(t.Context(), config, quiet())
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
	t.Run("not after it was closed", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a.duckdb")
		closeStore(t, openDuckDB(t, path))
		closeStore(t, openDuckDB(t, path))
	})
}

func TestPointsBelowTheMinimumAreCountedOnly(t *testing.T) {
	reg := prometheus.NewRegistry()
	config := DuckDBConfig{MinPoints: 50, Metrics: reg}
	d := openWith(t, config)
	b := batchOf(request(10, 0, "192.0.2.1"), request(11, 0, "192.0.2.1"))
	scores := []sundew.Score{
		{Time: noon, Entity: ip("192.0.2.1"), Points: 49.999, Event: &b.Events[0]},
		{Time: noon, Entity: ip("192.0.2.1"), Points: 50, Event: &b.Events[1]},
	}
	record(t, d, b, scores, nil)
	record(t, d, b, scores, nil)
	later := batchOf(request(15, 0, "192.0.2.1"))
	record(t, d, later, nil, nil)
	if err := d.RecordDeadLetters(t.Context(), []sundew.DeadLetter{{Source: "a"}, {Source: "a"}}); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP sundew_store_missing_offsets_total Offsets between the resume point and the first offset of a batch: lines that never reached the store.
# TYPE sundew_store_missing_offsets_total counter
sundew_store_missing_offsets_total 3
# HELP sundew_store_repeated_rows_total Rows that came again and were skipped, by table.
# TYPE sundew_store_repeated_rows_total counter
sundew_store_repeated_rows_total{table="dead_letters"} 1
sundew_store_repeated_rows_total{table="events"} 2
sundew_store_repeated_rows_total{table="scores"} 2
# HELP sundew_store_rows_total Rows committed, by table.
# TYPE sundew_store_rows_total counter
sundew_store_rows_total{table="dead_letters"} 1
sundew_store_rows_total{table="decisions"} 0
sundew_store_rows_total{table="events"} 3
sundew_store_rows_total{table="scores"} 1
# HELP sundew_store_scores_below_total Scores not kept because their points are below the configured minimum.
# TYPE sundew_store_scores_below_total counter
sundew_store_scores_below_total 1
`
	err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sundew_store_missing_offsets_total",
		"sundew_store_repeated_rows_total", "sundew_store_rows_total", "sundew_store_scores_below_total")
	if err != nil {
		t.Error(err)
	}
	closeStore(t, d)
	openWith(t, config) // the registry is free again
}

func TestPruneKeepsTheRetention(t *testing.T) {
	d := openWith(t, DuckDBConfig{Retention: time.Hour})
	if removed, err := d.Prune(t.Context()); err != nil || removed != 0 {
		t.Fatalf("of nothing: %d rows, %v", removed, err)
	}
	b := batchOf(request(0, -time.Microsecond, "192.0.2.1"), request(1, 0, "192.0.2.2"), request(2, time.Hour, "192.0.2.3"))
	scores := []sundew.Score{{Time: at(-time.Second), Entity: ip("192.0.2.1"), Points: 80, Event: &b.Events[0]}}
	gone := decision("gone", -2*time.Hour, ip("192.0.2.1"), sundew.ActionBlock)
	inForce := decision("in force", -2*time.Hour, ip("192.0.2.1"), sundew.ActionBlock)
	inForce.Expires = at(5 * time.Hour)
	record(t, d, b, scores, []sundew.Decision{gone, inForce})
	if err := d.RecordDeadLetters(t.Context(), []sundew.DeadLetter{{Time: at(-time.Minute), Source: "a"}}); err != nil {
		t.Fatal(err)
	}
	removed, err := d.Prune(t.Context())
	if err != nil || removed != 5 {
		t.Errorf("removed %d rows, %v; want an event, its minute, a score, a decision and a letter", removed, err)
	}
	equal(t, "counts", counts(t, d), Counts{Events: 2, Decisions: 1})
	record(t, d, b, nil, nil)
	equal(t, "what was pruned does not come back", counts(t, d), Counts{Events: 2, Decisions: 1})
}

func TestRunPrunesAndEnds(t *testing.T) {
	d := openWith(t, DuckDBConfig{Retention: time.Hour, Metrics: nil})
	record(t, d, batchOf(request(0, 0, "192.0.2.1"), request(1, 2*time.Hour, "192.0.2.1")), nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	for testutil.ToFloat64(d.metrics.pruned) == 0 && t.Context().Err() == nil {
		counts(t, d) // each look gives Run its turn
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	equal(t, "counts", counts(t, d), Counts{Events: 1})
}

func TestAQueryEndsWithItsTime(t *testing.T) {
	d := openWith(t, DuckDBConfig{QueryTimeout: 50 * time.Millisecond})
	endless := func(ctx context.Context) error {
		_, err := ask(ctx, d, "endless", `SELECT sum(a.range * b.range) FROM range(100000000) a, range(100000000) b`, func(r row) (n any, err error) { return n, r.Scan(&n) })
		return err
	}
	err := endless(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "query_timeout") {
		t.Errorf("got %v, want the time-out with its remedy", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := endless(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "query_timeout") {
		t.Errorf("got %v, want the caller's own deadline", err)
	}
	equal(t, "counts of a later call", counts(t, d), Counts{})
}

// TestQuestionsWhileRecording has readers and writers at once; every answer holds whole batches.
func TestQuestionsWhileRecording(t *testing.T) {
	d := openDuckDB(t, filepath.Join(t.TempDir(), "sundew.duckdb"))
	const partitions, batches, size = 3, 20, 50
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for partition := range int32(partitions) {
		writers.Go(func() {
			for n := range int64(batches) {
				var events []sundew.Event
				for i := range int64(size) {
					e := request(n*size+i, time.Duration(n)*time.Second, "192.0.2.1")
					e.Partition = partition
					events = append(events, e)
				}
				if err := d.Record(t.Context(), batchOf(events...), nil, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Go(func() {
		for {
			c, err := d.Count(t.Context())
			if err != nil || c.Events%size != 0 {
				t.Errorf("%d events are no whole batches; %v", c.Events, err)
			}
			if _, err := d.TopEntities(t.Context(), always, sundew.KindNone, 5); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
	equal(t, "counts", counts(t, d), Counts{Events: partitions * batches * size})
	for partition := range int32(partitions) {
		equal(t, fmt.Sprintf("resume of partition %d", partition), resume(t, d, partition), int64(batches*size))
	}
}

func TestEndsOfNetworks(t *testing.T) {
	tests := []struct{ prefix, first, last string }{
		{"10.1.2.3/24", "10.1.2.0", "10.1.2.255"},
		{"10.0.0.0/8", "10.0.0.0", "10.255.255.255"},
		{"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
		{"192.0.2.1/32", "192.0.2.1", "192.0.2.1"},
		{"192.0.2.1/31", "192.0.2.0", "192.0.2.1"},
		{"2001:db8::/47", "2001:db8::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff"},
		{"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"fe80::1/128", "fe80::1", "fe80::1"},
	}
	for _, test := range tests {
		first, last := ends(netip.MustParsePrefix(test.prefix))
		equal(t, test.prefix, []string{first.String(), last.String()}, []string{test.first, test.last})
	}
}

func TestOpenReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sundew.duckdb")
	config := DuckDBConfig{Path: path}
	if _, err := OpenDuckDBReadOnly(t.Context(), config, quiet()); err == nil || !strings.Contains(err.Error(), "no store") {
		t.Errorf("of nothing: %v", err)
	}
	if _, err := os.Stat(path + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it left a lock behind: %v", err)
	}
	d := openDuckDB(t, path)
	record(t, d, batchOf(request(0, 0, "192.0.2.1")), nil, nil)
	if _, err := OpenDuckDBReadOnly(t.Context(), config, quiet()); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is written: got %v, want ErrInUse", err)
	}
	closeStore(t, d)

	var readers []*DuckDB
	for range 2 {
		reader, err := OpenDuckDBReadOnly(t.Context(), config, quiet())
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, reader)
		equal(t, "counts", counts(t, reader), Counts{Events: 1})
		if err := reader.Record(t.Context(), batchOf(request(1, 0, "192.0.2.1")), nil, nil); err == nil {
			t.Error("it wrote")
		}
	}
	if _, err := OpenDuckDB(t.Context(), config, quiet()); !errors.Is(err, ErrInUse) {
		t.Errorf("while it is read: got %v, want ErrInUse", err)
	}
	for _, reader := range readers {
		closeStore(t, reader)
	}

	for version, want := range map[int]string{99: "newer sundew", 1: "sundew store migrate"} {
		config.Path = filepath.Join(t.TempDir(), "sundew.duckdb")
		d := openDuckDB(t, config.Path)
		if _, err := d.db.ExecContext(t.Context(), `UPDATE schema_steps SET version = ?`, version); err != nil {
			t.Fatal(err)
		}
		closeStore(t, d)
		if _, err := OpenDuckDBReadOnly(t.Context(), config, quiet()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("schema %d: got %v, want %q", version, err, want)
		}
	}
}
