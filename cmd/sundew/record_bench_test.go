package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew"
	"sundew/ingest"
	"sundew/store"
	"sundew/store/clickhousetest"
)

// BenchmarkHistoryInClickHouse records simulated traffic, or the canonical JSON lines of the file in SUNDEW_BENCH_LOG, merges
// it as a server does in time, and reports bytes per event on disk and how long the console's questions take.
func BenchmarkHistoryInClickHouse(b *testing.B) {
	log := os.Getenv("SUNDEW_BENCH_LOG")
	if log == "" {
		log = filepath.Join(b.TempDir(), "log.ndjson")
		args := []string{"simulate", "--clients", "1000", "--out", log, "--truth", log + ".truth"}
		if code := run(b.Context(), args, terminal{nil, io.Discard, io.Discard}); code != exitDone {
			b.Fatalf("simulate ended with %d", code)
		}
	}
	server := clickhousetest.Start(b, "", "127.0.0.1:0")
	defer server.Kill()
	c := store.DefaultClickHouseConfig()
	c.DSN, c.Retention, c.QueryTimeout = server.URL+"/history", 0, time.Minute
	history, err := store.OpenClickHouse(b.Context(), c, quietLog())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = history.Close() }()
	for b.Loop() {
		first, last, events := recordLog(b, history, log)
		options, err := clickhouse.ParseDSN(c.DSN)
		if err != nil {
			b.Fatal(err)
		}
		options.ReadTimeout = time.Hour
		conn, err := clickhouse.Open(options)
		if err != nil {
			b.Fatal(err)
		}
		if err := conn.Exec(b.Context(), `OPTIMIZE TABLE events FINAL`); err != nil {
			b.Fatal(err)
		}
		var bytes uint64
		if err := conn.QueryRow(b.Context(), `SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'history' AND table = 'events'`).Scan(&bytes); err != nil {
			b.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(events), "events")
		b.ReportMetric(float64(bytes)/float64(events), "B/event")
		all := sundew.Range{From: first.Time.Truncate(time.Minute), To: last.Time.Add(time.Second)}
		ask := func(unit string, question func() error) {
			start := time.Now()
			if err := question(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(time.Since(start).Milliseconds()), unit)
		}
		ask("ms/timeline-of-address", func() error {
			_, err := history.Timeline(b.Context(), sundew.Entity{Kind: sundew.KindIP, Key: last.Client.String()}, all, 100)
			return err
		})
		ask("ms/timeline-of-device", func() error {
			_, err := history.Timeline(b.Context(), sundew.Entity{Kind: sundew.KindDevice, Key: last.Device}, all, 100)
			return err
		})
		ask("ms/top", func() error {
			_, err := history.TopEntities(b.Context(), all, sundew.KindIP, 20)
			return err
		})
		ask("ms/overview", func() error {
			_, err := history.Overview(b.Context(), all, 10*time.Minute)
			return err
		})
	}
}

// recordLog records a log in batches as `sundew record` gathers them, and returns its first event and its last one with a
// device.
func recordLog(b *testing.B, to store.Store, path string) (first, last sundew.Event, events int64) {
	b.Helper()
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	decoder, err := ingest.NewDecoder("json")
	if err != nil {
		b.Fatal(err)
	}
	var batch sundew.Batch
	record := func() {
		batch.Position.Next = events
		if err := to.Record(b.Context(), batch, nil, nil); err != nil {
			b.Fatal(err)
		}
		batch = sundew.Batch{Events: batch.Events[:0], Position: sundew.Position{First: events}}
	}
	for lines := bufio.NewReaderSize(file, 1<<20); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		e := sundew.NewEvent()
		if err := decoder.Decode(line[:len(line)-1], &e); err != nil {
			b.Fatal(err)
		}
		e.Offset = events
		events++
		if events == 1 {
			first = e
		}
		if e.Device != "" {
			last = e
		}
		if batch.Events = append(batch.Events, e); len(batch.Events) == gatherRows {
			record()
		}
	}
	record()
	return first, last, events
}
