package ingest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
)

// brokerOfBenchmarks in the environment makes a process of the tests the broker of a benchmark.
const brokerOfBenchmarks = "SUNDEW_BENCHMARK_BROKER"

// TestMain becomes the broker of a benchmark where it is asked to: in a process of its own it does not count as work of
// those who read from it.
func TestMain(m *testing.M) {
	if os.Getenv(brokerOfBenchmarks) == "" {
		os.Exit(m.Run())
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(cluster.ListenAddrs()[0])
	_, _ = io.Copy(io.Discard, os.Stdin) // until whoever asked has gone
	cluster.Close()
}

// apart starts a broker in another process.
func apart(b *testing.B) KafkaConfig {
	b.Helper()
	command := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // our own binary
	command.Env = append(os.Environ(), brokerOfBenchmarks+"=1")
	command.Stderr = os.Stderr
	hold, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = hold.Close()
		_ = command.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	c := DefaultKafkaConfig()
	c.Brokers = []string{strings.TrimSpace(address)}
	return c
}

// cpu is what this process has used, in user and system time.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkConsume reads a partition of canonical lines from its start to its end, with the reader of TopicSource and with
// the library's, both with fetches of 1 MiB. The library's commits nothing, which is to its advantage.
func BenchmarkConsume(b *testing.B) {
	const laps = 8 // of all lines
	for _, compression := range []string{"none", "lz4"} {
		b.Run(compression, func(b *testing.B) {
			c := apart(b)
			c.Compression = compression
			lines, _ := benchLines()
			n := fill(b, c, lines, laps)
			ours, theirs := time.Duration(0), time.Duration(0)
			var allocated float64
			for round := 0; b.Loop(); round++ {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				start := cpu(b)
				consume(b, c, n)
				took := cpu(b) - start
				runtime.ReadMemStats(&after)
				if ours == 0 || took < ours {
					ours, allocated = took, float64(after.Mallocs-before.Mallocs)/float64(n)
				}
				runtime.GC()
				start = cpu(b)
				consumeByReader(b, c, fmt.Sprint("group-", round), n)
				if took := cpu(b) - start; theirs == 0 || took < theirs {
					theirs = took
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(ours.Nanoseconds())/float64(n), "cpu-ns/record")
			b.ReportMetric(float64(theirs.Nanoseconds())/float64(n), "reader-cpu-ns/record")
			b.ReportMetric(float64(theirs)/float64(ours), "x-cheaper")
			b.ReportMetric(allocated, "allocs/record")
		})
	}
}

// fill writes the lines, so many times, to a topic of one partition.
func fill(b *testing.B, c KafkaConfig, lines [][]byte, times int) (n int) {
	b.Helper()
	if err := EnsureTopics(b.Context(), c, 1); err != nil {
		b.Fatal(err)
	}
	p := running(b, c, ProducerOptions{})
	records := make([]Record, len(lines))
	for i := range lines {
		records[i].Value = lines[i]
	}
	for range times {
		if err := p.Produce(b.Context(), TopicRequests, 0, records); err != nil {
			b.Fatal(err)
		}
		n += len(records)
	}
	return n
}

func consume(b *testing.B, c KafkaConfig, n int) {
	b.Helper()
	client, err := newBroker(c)
	if err != nil {
		b.Fatal(err)
	}
	defer client.close()
	r := partitionReader{broker: client, topic: TopicRequests, next: LogStart, maxBytes: defaultFetchBytes, maxWait: defaultFetchWait}
	if err := r.start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for r.next < int64(n) {
		if _, err := r.fetch(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func consumeByReader(b *testing.B, c KafkaConfig, group string, n int) {
	b.Helper()
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: c.Brokers, GroupID: group, Topic: TopicRequests, StartOffset: kafka.FirstOffset,
		MinBytes: 1, MaxBytes: defaultFetchBytes, MaxWait: defaultFetchWait, QueueCapacity: 1000,
	})
	defer func() { _ = r.Close() }()
	for range n {
		if _, err := r.FetchMessage(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
