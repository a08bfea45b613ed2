//go:build unix

package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sundew"
)

// BenchmarkRecord writes batches of requests with the fields that a gateway usually sends. The processor time of all
// threads says more than the clock, on which the engine also waits for the disk and for neighbours.
func BenchmarkRecord(b *testing.B) {
	for _, where := range []struct{ name, path string }{{"memory", ""}, {"disk", "sundew.duckdb"}} {
		for _, size := range []int{1000, 10_000} {
			b.Run(fmt.Sprintf("%s/batch=%d", where.name, size), func(b *testing.B) {
				path := where.path
				if path != "" {
					path = filepath.Join(b.TempDir(), path)
				}
				s := openDuckDB(b, path)
				defer func() { _ = s.Close() }()
				batch := usual(size)
				var rows int64
				start := processorTime(b)
				for b.Loop() {
					if err := s.Record(b.Context(), batch, nil, nil); err != nil {
						b.Fatal(err)
					}
					rows += int64(size)
					renumber(&batch)
				}
				b.ReportMetric(float64((processorTime(b)-start).Nanoseconds())/float64(rows), "cpu-ns/row")
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// usual is a batch of n requests of some thousand clients.
func usual(n int) sundew.Batch {
	random := rand.New(rand.NewPCG(7, 11))
	events := make([]sundew.Event, n)
	for i := range events {
		client := random.IntN(3000)
		e := request(int64(i), time.Duration(i)*time.Millisecond, fmt.Sprintf("203.%d.%d.%d", client%7, client%83, client%251))
		e.Path, e.Route, e.Status = fmt.Sprintf("/api/v2/orders/%d", random.IntN(100_000)), "/api/v2/orders/{id}", 200
		e.UserAgent = "ShopApp/4.12.1 (iPhone; iOS 19.2; Scale/3.00)"
		e.Device, e.Account = fmt.Sprintf("9f3c7a52-0000-4000-8000-%012d", client), fmt.Sprintf("user-%d", client)
		e.JA4, e.Country, e.ASN = "t13d1516h2_8daaf6152771_b0da82dd1658", "DE", 3320
		e.ResponseBytes, e.Duration, e.RequestID = int64(random.IntN(1<<14)), 12*time.Millisecond, fmt.Sprintf("%016x", random.Uint64())
		e.Gateway, e.GatewayEpoch, e.GatewaySequence = "gw-1", 3, uint64(i+1)
		events[i] = e
	}
	return batchOf(events...)
}

// renumber makes the batch the one that follows it in the log.
func renumber(b *sundew.Batch) {
	n := int64(len(b.Events))
	for i := range b.Events {
		b.Events[i].Offset += n
		b.Events[i].Time = b.Events[i].Time.Add(time.Second)
	}
	b.Position.First += n
	b.Position.Next += n
}
