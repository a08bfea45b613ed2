package ingest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
)

// BenchmarkListener posts canonical lines over loopback, 2,000 in a body, to a listener in front of the embedded broker with
// its log on disk. Clients, listener and broker share the machine's cores, and a body counts when it is acknowledged.
func BenchmarkListener(b *testing.B) {
	lines, _ := benchLines()
	var plain, compressed [][]byte
	const inBody = 2000
	for i := 0; i+inBody <= len(lines); i += inBody {
		body := bytes.Join(lines[i:i+inBody], []byte("\n"))
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(body)
		_ = w.Close()
		plain, compressed = append(plain, body), append(compressed, z.Bytes())
	}
	b.Run("plain", func(b *testing.B) { benchmarkListener(b, plain, "", inBody) })
	b.Run("gzip", func(b *testing.B) { benchmarkListener(b, compressed, "gzip", inBody) })
}

func benchmarkListener(b *testing.B, bodies [][]byte, encoding string, inBody int) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(cluster.Close)
	c := DefaultKafkaConfig()
	c.Brokers = cluster.ListenAddrs()
	if err := EnsureTopics(b.Context(), c, 2); err != nil {
		b.Fatal(err)
	}
	handler, err := NewListener(DefaultListenerConfig(), running(b, c, ProducerOptions{}), prometheus.NewRegistry(), quiet())
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	bodiesPosted := 0
	started, startedCPU := time.Now(), cpu(b)
	for b.Loop() {
		bodiesPosted += postAll(b, server.URL+"/ingest/v1/logs?format=json", bodies, encoding)
	}
	n := float64(bodiesPosted * inBody)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(n/time.Since(started).Seconds(), "events/s")
	b.ReportMetric(float64((cpu(b)-startedCPU).Nanoseconds())/n, "cpu-ns/event")
}

// postAll posts every body once, from twice as many clients as there are cores.
func postAll(b *testing.B, url string, bodies [][]byte, encoding string) int {
	b.Helper()
	next := make(chan []byte)
	var clients sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		clients.Go(func() {
			for body := range next {
				request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					continue
				}
				request.Header.Set("Content-Encoding", encoding)
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					b.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				if answer.StatusCode != http.StatusAccepted {
					b.Errorf("status %d", answer.StatusCode)
				}
			}
		})
	}
	for _, body := range bodies {
		next <- body
	}
	close(next)
	clients.Wait()
	return len(bodies)
}
