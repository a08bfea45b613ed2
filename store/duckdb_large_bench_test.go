//go:build unix

package store

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sundew"
)

// BenchmarkManyAddresses has a store of requests from 2 in 10 as many addresses, over ten days. It asks for the busiest of
// them and for one, then removes the older half. SUNDEW_BENCH_EVENTS says how many requests, by default a million.
func BenchmarkManyAddresses(b *testing.B) {
	events := int64(1_000_000)
	if text := os.Getenv("SUNDEW_BENCH_EVENTS"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		events = n
	}
	const days = 10
	d := openDuckDB(b, filepath.Join(b.TempDir(), "s.duckdb"))
	defer func() { _ = d.Close() }()
	fillAddresses(b, d, events, events/5, days*24*time.Hour)
	all := sundew.Range{From: noon, To: noon.AddDate(0, 0, days)}
	top, err := d.TopEntities(b.Context(), all, sundew.KindIP, 20)
	if err != nil || len(top) != 20 {
		b.Fatalf("%v, %v", top, err)
	}
	b.Run("top", func(b *testing.B) {
		for b.Loop() {
			if _, err := d.TopEntities(b.Context(), all, sundew.KindIP, 20); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("address", func(b *testing.B) {
		for b.Loop() {
			if _, err := d.Timeline(b.Context(), top[0].Entity, all, 100); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("retention", func(b *testing.B) {
		d.config.Retention = days / 2 * 24 * time.Hour
		for b.Loop() { // what is gone is gone: the first time counts
			start := time.Now()
			removed, err := d.Prune(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if removed > 0 {
				b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(removed), "ns/removed-row")
			}
		}
	})
}

// fillAddresses writes as Record does, but without the events ever being in this program: rows in the order of time, whose
// address is drawn from a skewed distribution.
func fillAddresses(b *testing.B, d *DuckDB, events, addresses int64, length time.Duration) {
	_, err := d.db.ExecContext(b.Context(), `
		INSERT INTO events BY NAME
		SELECT 0 AS log_partition, i AS log_offset, make_timestamp(CAST(? AS BIGINT) + i * CAST(? AS BIGINT)) AS time, 0 AS client_high,
			281470681743360 + floor(CAST(? AS BIGINT) * (hash(i) / 18446744073709551616.0) ** 1.3)::UBIGINT AS client_low,
			200 AS status, -1 AS request_bytes, 500 + hash(i) % 9000 AS response_bytes, 12000000 AS duration_ns, 3320 AS asn, '' AS auth, '' AS attestation,
			'' AS signature, -1 AS captcha_score, -1 AS device_age_ns, 0 AS gateway_epoch, i AS gateway_sequence, '' AS edge_action, 0 AS edge_delay_ns,
			'GET' AS method, '/api/v2/orders/' || hash(i) % 100000 AS path, '/api/v2/orders/{id}' AS route, 'd' || hash(i) % 50000 AS device
		FROM range(CAST(? AS BIGINT)) AS numbers(i)`,
		noon.UnixMicro(), length.Microseconds()/events, addresses, events)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := d.db.ExecContext(b.Context(), `CHECKPOINT`); err != nil {
		b.Fatal(err)
	}
}
