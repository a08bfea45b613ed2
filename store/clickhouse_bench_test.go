//go:build unix

package store

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkRecordClickHouse writes batches of the requests of BenchmarkRecord. The processor time is that of the client:
// the server is another process.
func BenchmarkRecordClickHouse(b *testing.B) {
	for _, size := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			c := openClickHouse(b)
			batch := usual(size)
			var rows int64
			var spent time.Duration
			for b.Loop() {
				start := processorTime(b)
				if err := c.Record(b.Context(), batch, nil, nil); err != nil {
					b.Fatal(err)
				}
				spent += processorTime(b) - start
				rows += int64(size)
				renumber(&batch)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(rows), "cpu-ns/row")
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
