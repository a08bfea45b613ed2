package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sundew"
)

// quiet is a logger for tests that expect warnings.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// embedded starts a broker of the test's own.
func embedded(t *testing.T, options ...kfake.Opt) (KafkaConfig, *kfake.Cluster) {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c := DefaultKafkaConfig()
	c.Brokers = cluster.ListenAddrs()
	return c, cluster
}

// everyBroker runs a test on a broker of its own and, where KAFKA_BROKERS names some, on those too.
func everyBroker(t *testing.T, run func(t *testing.T, c KafkaConfig)) {
	t.Run("embedded", func(t *testing.T) {
		c, _ := embedded(t)
		run(t, c)
	})
	brokers := os.Getenv("KAFKA_BROKERS")
	if brokers == "" {
		return
	}
	t.Run("named in KAFKA_BROKERS", func(t *testing.T) {
		c := DefaultKafkaConfig()
		c.Brokers = strings.Split(brokers, ",")
		run(t, c)
	})
}

// newTopic creates a topic that no other test uses.
func newTopic(t *testing.T, c KafkaConfig, partitions int, policy string) string {
	t.Helper()
	name := fmt.Sprintf("sundew.test.%d", rand.Uint64())
	if err := ensureTopics(t.Context(), c, []kafka.TopicConfig{topicConfig(c, name, partitions, policy, -1)}); err != nil {
		t.Fatal(err)
	}
	return name
}

// running starts a producer that stops at the end of the test.
func running(t testing.TB, c KafkaConfig, o ProducerOptions) *Producer {
	t.Helper()
	p, err := NewProducer(c, o)
	if err != nil {
		t.Fatal(err)
	}
	startProducer(t, p)
	return p
}

// startProducer runs a producer until the test ends.
func startProducer(t testing.TB, p *Producer) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("producer: %v", err)
		}
	})
}

func within10s(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// lineOf is a canonical line of the n-th request of somebody.
func lineOf(who, n int) Record {
	e := event(func(e *sundew.Event) { e.Gateway, e.GatewaySequence = strconv.Itoa(who), uint64(n)+1 })
	return Record{Key: fmt.Appendf(nil, "key-%d", who), Value: e.AppendJSON(nil)}
}

// take reads n events and dead letters together, and checks that batches join.
func take(ctx context.Context, t *testing.T, s *TopicSource, n int) (events []sundew.Event, letters []sundew.DeadLetter) {
	t.Helper()
	next := int64(-1)
	for len(events)+len(letters) < n {
		b, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("after %d events and %d dead letters of %d: %v", len(events), len(letters), n, err)
		}
		if next >= 0 && b.Position.First != next {
			t.Fatalf("a batch begins at %d, the one before ended at %d", b.Position.First, next)
		}
		next = b.Position.Next
		events, letters = append(events, b.Events...), append(letters, b.Rejected...)
	}
	return events, letters
}

func open(t *testing.T, c KafkaConfig, topic string, partition int32, from int64, o TopicOptions) *TopicSource {
	t.Helper()
	s, err := OpenTopic(c, topic, partition, from, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestWhatConcurrentCallersProduceIsReadInTheirOrder(t *testing.T) {
	everyBroker(t, func(t *testing.T, c KafkaConfig) {
		const callers, calls, lines, partitions = 8, 20, 25, 3
		ctx := within10s(t)
		topic := newTopic(t, c, partitions, "delete")
		p := running(t, c, ProducerOptions{})
		var group sync.WaitGroup
		for who := range callers {
			group.Go(func() {
				for call := range calls {
					var records []Record
					for i := range lines {
						records = append(records, lineOf(who, call*lines+i))
					}
					if err := p.Produce(ctx, topic, ByKey, records); err != nil {
						t.Errorf("caller %d: %v", who, err)
					}
				}
			})
		}
		group.Wait()

		reg := prometheus.NewRegistry()
		metrics := NewMetrics(reg)
		want := make([]int, partitions)
		for who := range callers {
			want[PartitionOf(fmt.Appendf(nil, "key-%d", who), partitions)] += calls * lines
		}
		for partition := range int32(partitions) {
			if want[partition] == 0 {
				continue
			}
			s := open(t, c, topic, partition, LogStart, TopicOptions{MaxBytes: 20_000, Metrics: metrics})
			if lag, err := s.Lag(ctx); err != nil || lag != int64(want[partition]) {
				t.Errorf("lag before the first batch: %d, %v, want %d", lag, err, want[partition])
			}
			events, letters := take(ctx, t, s, want[partition])
			last := map[string]uint64{}
			for i, e := range events {
				if e.GatewaySequence != last[e.Gateway]+1 || e.Partition != partition || e.Offset != int64(i) {
					t.Fatalf("line %d of gateway %s at %d/%d follows line %d", e.GatewaySequence, e.Gateway, e.Partition, e.Offset, last[e.Gateway])
				}
				last[e.Gateway]++
			}
			if len(letters) > 0 {
				t.Errorf("dead letters: %+v", letters)
			}
			if lag, err := s.Lag(ctx); err != nil || lag != 0 {
				t.Errorf("lag at the end: %d, %v", lag, err)
			}
		}
		if got := testutil.ToFloat64(metrics.result.WithLabelValues("parsed")); got != callers*calls*lines {
			t.Errorf("counted %v lines", got)
		}
	})
}

func TestRecordsOfSeveralFormatsInOnePartition(t *testing.T) {
	everyBroker(t, func(t *testing.T, c KafkaConfig) {
		ctx := within10s(t)
		topic := newTopic(t, c, 1, "delete")
		p := running(t, c, ProducerOptions{})
		format := func(name string) []Header { return []Header{{Key: "format", Value: []byte(name)}} }
		if err := p.Produce(ctx, topic, 0, []Record{
			{Value: []byte(nginxLine + "\r\n"), Headers: format("nginx")},
			{Value: []byte(jsonLine)},
			{Value: []byte(jsonLine), Headers: format("cobol")},
			{Value: nil},
			{Value: []byte("rubbish"), Headers: format("nginx")},
			{Value: []byte(strings.Repeat("x", sundew.MaxLine+1))},
			{Value: []byte(nginxLine)},
		}); err != nil {
			t.Fatal(err)
		}
		s := open(t, c, topic, 0, 0, TopicOptions{})
		events, letters := take(ctx, t, s, 6)
		var offsets []int64
		for _, e := range events {
			offsets = append(offsets, e.Offset)
		}
		if want := []int64{0, 1, 6}; !reflect.DeepEqual(offsets, want) {
			t.Errorf("events at %v, want %v", offsets, want)
		}
		var reasons []string
		for _, l := range letters {
			reasons = append(reasons, fmt.Sprintf("%d %s %s", l.Offset, l.Format, l.Reason))
			if l.Source != topic || l.Time.IsZero() || l.Line == "" {
				t.Errorf("dead letter %+v", l)
			}
		}
		want := []string{"2 cobol unknown format", "4 nginx not a combined log line", "5 auto line too long"}
		if !reflect.DeepEqual(reasons, want) {
			t.Errorf("got %q, want %q", reasons, want)
		}
	})
}

// trim deletes the records in front of an offset, as retention does.
func trim(t *testing.T, c KafkaConfig, topic string, before int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	request := kmsg.NewDeleteRecordsRequest()
	request.TimeoutMillis = 5000
	part := kmsg.NewDeleteRecordsRequestTopic()
	part.Topic = topic
	part.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: before}}
	request.Topics = append(request.Topics, part)
	answer, err := request.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

func TestAGapStopsTheReader(t *testing.T) {
	everyBroker(t, func(t *testing.T, c KafkaConfig) {
		ctx := within10s(t)
		topic := newTopic(t, c, 1, "delete")
		p := running(t, c, ProducerOptions{})
		for i := range 100 {
			if err := p.Produce(ctx, topic, 0, []Record{lineOf(0, i)}); err != nil {
				t.Fatal(err)
			}
		}
		reading := open(t, c, topic, 0, 0, TopicOptions{MaxBytes: 1, Logger: quiet()})
		take(ctx, t, reading, 1)
		trim(t, c, topic, 60)

		tests := []struct {
			name   string
			source *TopicSource
			want   GapError
		}{
			{"retention overtook the place to start", open(t, c, topic, 0, 11, TopicOptions{}), GapError{topic, 0, 11, 60, 100}},
			{"the log is shorter than the place", open(t, c, topic, 0, 1000, TopicOptions{Logger: quiet()}), GapError{topic, 0, 1000, 60, 100}},
		}
		for _, tt := range tests {
			_, err := tt.source.Next(ctx)
			gap, ok := errors.AsType[*GapError](err)
			if !ok || *gap != tt.want || !strings.Contains(err.Error(), "rebuild the state") {
				t.Errorf("%s: got %v, want %+v", tt.name, err, tt.want)
			}
		}
		for {
			b, err := reading.Next(ctx)
			if gap, ok := errors.AsType[*GapError](err); ok {
				if gap.Start != 60 {
					t.Errorf("a reader on its way: %v", err)
				}
				break
			}
			if err != nil || b.Position.First >= 60 {
				t.Fatalf("a reader that retention overtakes goes on at %d: %v", b.Position.First, err)
			}
		}
		if events, _ := take(ctx, t, open(t, c, topic, 0, LogStart, TopicOptions{}), 40); events[0].Offset != 60 {
			t.Errorf("the start of the log is %d, want 60", events[0].Offset)
		}
		if events, _ := take(ctx, t, open(t, c, topic, 0, 95, TopicOptions{}), 5); events[0].Offset != 95 {
			t.Errorf("reading from 95 begins at %d", events[0].Offset)
		}
	})
}

// TestControlRecordsAreNoGap reads what a transactional producer of another make wrote: its commit holds an offset.
func TestControlRecordsAreNoGap(t *testing.T) {
	everyBroker(t, func(t *testing.T, c KafkaConfig) {
		ctx := within10s(t)
		topic := newTopic(t, c, 1, "delete")
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for i := range 3 {
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			record := lineOf(0, i)
			if err := client.ProduceSync(ctx, &kgo.Record{Value: record.Value}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
				t.Fatal(err)
			}
		}
		events, _ := take(ctx, t, open(t, c, topic, 0, 0, TopicOptions{}), 3)
		if got := []int64{events[0].Offset, events[1].Offset, events[2].Offset}; !reflect.DeepEqual(got, []int64{0, 2, 4}) {
			t.Errorf("events at %v, want 0, 2, 4", got)
		}
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	c, _ := embedded(t)
	topic := newTopic(t, c, 1, "delete")
	ctx, cancel := context.WithCancel(t.Context())
	s := open(t, c, topic, 0, LogStart, TopicOptions{})
	done := make(chan error)
	go func() {
		_, err := s.Next(ctx)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestNothingIsLostWhileTheBrokerIsAway stops the broker under a producer and a reader and starts it again.
func TestNothingIsLostWhileTheBrokerIsAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	first, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	c := DefaultKafkaConfig()
	c.Brokers = first.ListenAddrs()
	_, portText, _ := strings.Cut(c.Brokers[0], ":")
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	topic := newTopic(t, c, 1, "delete")
	p := running(t, c, ProducerOptions{})
	s := open(t, c, topic, 0, LogStart, TopicOptions{})
	if err := p.Produce(ctx, topic, 0, []Record{lineOf(0, 0)}); err != nil {
		t.Fatal(err)
	}
	take(ctx, t, s, 1)
	first.Close()

	produced := make(chan error, 1)
	go func() { produced <- p.Produce(ctx, topic, 0, []Record{lineOf(0, 1), lineOf(0, 2)}) }()
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if _, err := s.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading without a broker: %v", err)
	}
	second, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir), kfake.Ports(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	events, _ := take(ctx, t, s, 2)
	if err := <-produced; err != nil {
		t.Errorf("producing over a restart: %v", err)
	}
	if events[0].GatewaySequence != 2 || events[1].GatewaySequence != 3 {
		t.Errorf("read %d and %d, want 2 and 3", events[0].GatewaySequence, events[1].GatewaySequence)
	}
}

func TestAnErrorOfUnknownOutcomeIsTriedAgain(t *testing.T) {
	c, cluster := embedded(t)
	ctx := within10s(t)
	topic := newTopic(t, c, 1, "delete")
	failures := 0
	cluster.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if failures++; failures > 3 {
			return nil, nil, false
		}
		in := request.(*kmsg.ProduceRequest)
		out := in.ResponseKind().(*kmsg.ProduceResponse)
		for _, asked := range in.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic = asked.Topic
			part := kmsg.NewProduceResponseTopicPartition()
			part.ErrorCode = kerr.UnknownServerError.Code // what a full disk gives
			topic.Partitions = append(topic.Partitions, part)
			out.Topics = append(out.Topics, topic)
		}
		return out, nil, true
	})
	reg := prometheus.NewRegistry()
	p := running(t, c, ProducerOptions{Registerer: reg})
	if err := p.Produce(ctx, topic, 0, []Record{lineOf(0, 0)}); err != nil {
		t.Fatal(err)
	}
	if got := testutil.ToFloat64(p.metrics.failures.WithLabelValues(topic)); got != 3 {
		t.Errorf("counted %v failures, want 3", got)
	}
	take(ctx, t, open(t, c, topic, 0, 0, TopicOptions{}), 1)
}

func TestRecordsThatABrokerRefuses(t *testing.T) {
	c, _ := embedded(t, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "4000"}))
	c.Compression = "none"
	ctx := within10s(t)
	topic := newTopic(t, c, 1, "delete")
	p := running(t, c, ProducerOptions{})
	var many []Record
	for i := range 100 {
		many = append(many, lineOf(0, i))
	}
	if err := p.Produce(ctx, topic, 0, many); err != nil {
		t.Errorf("records that fit one by one: %v", err)
	}
	huge := Record{Value: []byte(strings.Repeat("x", 5000))}
	if err := p.Produce(ctx, topic, 0, []Record{huge}); err == nil || errors.Is(err, ErrBusy) {
		t.Errorf("a record that can never fit: %v", err)
	}
	events, _ := take(ctx, t, open(t, c, topic, 0, 0, TopicOptions{}), 100)
	for i, e := range events {
		if e.GatewaySequence != uint64(i)+1 {
			t.Fatalf("line %d is number %d", i, e.GatewaySequence)
		}
	}
}

func TestProduceSaysBusyInsteadOfHolding(t *testing.T) {
	c, cluster := embedded(t)
	topic := newTopic(t, c, 1, "delete")
	arrived, held := make(chan struct{}, 10), make(chan struct{})
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		arrived <- struct{}{}
		cluster.SleepControl(func() { <-held })
		return nil, nil, false
	})
	p := running(t, c, ProducerOptions{QueueBytes: 1000})
	first := make(chan error, 1)
	go func() { first <- p.Produce(within10s(t), topic, 0, []Record{{Value: make([]byte, 5000)}}) }() // takes all the room there is
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Produce(ctx, topic, 0, []Record{{Value: []byte("x")}}); !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("full queue: got %v, want ErrBusy", err)
	}
	close(held)
	if err := <-first; err != nil {
		t.Errorf("the first record: %v", err)
	}
	if err := p.Produce(within10s(t), topic, 0, []Record{{Value: []byte("x")}}); err != nil {
		t.Errorf("after the queue has emptied: %v", err)
	}
	if got := testutil.ToFloat64(p.metrics.waiting); got != 0 {
		t.Errorf("%v bytes wait at the end", got)
	}
}

func TestProduceAfterTheProducerHasStopped(t *testing.T) {
	c, _ := embedded(t)
	topic := newTopic(t, c, 1, "delete")
	p, err := NewProducer(c, ProducerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Produce(t.Context(), topic, 0, []Record{{Value: []byte("x")}}); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
}

// decision is of one entity and rule, told apart by its version.
func decision(key string, version int64) sundew.Decision {
	entity := sundew.Entity{Kind: sundew.KindIP, Key: key}
	return sundew.Decision{
		ID: sundew.DecisionID("r@1", entity, version), Time: at("2026-11-24T12:00:00Z"), Entity: entity, Action: sundew.ActionBlock,
		Rule: "r@1", Evidence: []sundew.Evidence{}, Expires: at("2026-11-24T13:00:00Z"), Version: version, Basis: sundew.BasisScore,
	}
}

var errEnough = errors.New("enough")

func TestFollowersSeeAllDecisionsAndThenNewOnes(t *testing.T) {
	everyBroker(t, func(t *testing.T, c KafkaConfig) {
		ctx := within10s(t)
		topic := newTopic(t, c, 4, "compact")
		publisher := &Decisions{running(t, c, ProducerOptions{}), topic}
		var want []sundew.Decision
		for i := range 50 {
			want = append(want, decision(fmt.Sprintf("192.0.2.%d", i%40), int64(i)))
		}
		if err := publisher.Publish(ctx, want); err != nil {
			t.Fatal(err)
		}
		if err := publisher.Forget(ctx, want[39:40]); err != nil {
			t.Fatal(err)
		}
		if err := publisher.producer.Produce(ctx, topic, 0, []Record{{Key: []byte("k"), Value: []byte("no decision")}}); err != nil {
			t.Fatal(err)
		}
		latest := map[string]int64{}
		times := 0
		follow := follower{config: c, topic: topic, compacted: true, log: quiet()}
		err := followDecisions(ctx, follow, func(ctx context.Context, ds []sundew.Decision, caughtUp bool) error {
			for _, d := range ds {
				if d.Version < latest[d.Key()] {
					t.Errorf("version %d of %s comes behind %d", d.Version, d.Entity, latest[d.Key()])
				}
				latest[d.Key()] = d.Version
				if d.Version == 1000 {
					return errEnough
				}
			}
			if caughtUp {
				times++
				if len(latest) != 40 {
					t.Errorf("caught up with %d of 40 decisions", len(latest))
				}
				go func() {
					_ = publisher.Publish(context.WithoutCancel(ctx), []sundew.Decision{decision("198.51.100.1", 1000)})
				}()
			}
			return nil
		})
		if !errors.Is(err, errEnough) || times != 1 {
			t.Errorf("caught up %d times, %v", times, err)
		}
		first := want[10] // replaced for 0 to 9 only
		if latest[first.Key()] != first.Version {
			t.Errorf("version %d of %s, want %d", latest[first.Key()], first.Entity, first.Version)
		}
	})
}

func TestAnEmptyTopicIsCaughtUpWithAtOnce(t *testing.T) {
	c, _ := embedded(t)
	if err := EnsureTopics(t.Context(), c, 2); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(within10s(t))
	calls := 0
	err := FollowDecisions(ctx, c, quiet(), func(_ context.Context, ds []sundew.Decision, caughtUp bool) error {
		if calls++; len(ds) != 0 || !caughtUp {
			t.Errorf("got %d decisions, caught up %v", len(ds), caughtUp)
		}
		cancel()
		return nil
	})
	if err != nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestDeadLettersAreKeptAndFollowedFromAPlace(t *testing.T) {
	c, _ := embedded(t)
	ctx := within10s(t)
	if err := EnsureTopics(ctx, c, 1); err != nil {
		t.Fatal(err)
	}
	keeper := NewDeadLetterPublisher(running(t, c, ProducerOptions{}))
	var want []sundew.DeadLetter
	for i := range 5 {
		want = append(want, sundew.DeadLetter{Time: at("2026-11-24T12:00:00Z"), Source: "t", Offset: int64(i), Reason: "r", Line: "<&>\u2028"})
	}
	if err := keeper.Reject(ctx, want); err != nil {
		t.Fatal(err)
	}
	var got []sundew.DeadLetter
	var next int64
	err := FollowDeadLetters(ctx, c, quiet(), map[int32]int64{0: 2}, func(_ context.Context, at sundew.Position, letters []sundew.DeadLetter) error {
		got, next = append(got, letters...), at.Next
		if next == 5 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || !reflect.DeepEqual(got, want[2:]) {
		t.Errorf("got %+v up to %d, %v", got, next, err)
	}
}

func TestEnsureTopicsCreatesWhatIsMissing(t *testing.T) {
	c, _ := embedded(t)
	ctx := within10s(t)
	if _, err := Partitions(ctx, c, TopicRequests); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a topic that is not there: %v", err)
	}
	for _, partitions := range []int{3, 5} { // the second call leaves everything as it is
		if err := EnsureTopics(ctx, c, partitions); err != nil {
			t.Fatal(err)
		}
	}
	for topic, want := range map[string]int{TopicRequests: 3, TopicPartials: 3, TopicDecisions: 3, TopicControl: 1, TopicDeadLetters: 3} {
		if n, err := Partitions(ctx, c, topic); err != nil || n != want {
			t.Errorf("%s has %d partitions, %v, want %d", topic, n, err, want)
		}
	}
}

func TestPingSaysWhatToDo(t *testing.T) {
	c, cluster := embedded(t)
	if err := Ping(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	cluster.Close()
	err := Ping(within10s(t), c)
	want := "broker " + c.Brokers[0] + " is not reachable"
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "start it, or correct kafka.brokers") {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSASL(t *testing.T) {
	c, _ := embedded(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ada", "secret"))
	c.SASL = KafkaSASL{Mechanism: "scram-sha-256", Username: "ada", PasswordFile: filepath.Join(t.TempDir(), "password")}
	for _, tt := range []struct {
		password string
		ok       bool
	}{{"secret\n", true}, {"wrong", false}} {
		if err := os.WriteFile(c.SASL.PasswordFile, []byte(tt.password), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Ping(within10s(t), c); (err == nil) != tt.ok {
			t.Errorf("password %q: %v", tt.password, err)
		}
	}
}

func TestKafkaConfigIsChecked(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *KafkaConfig)
		want   string
	}{
		{"default", func(*KafkaConfig) {}, ""},
		{"no broker", func(c *KafkaConfig) { c.Brokers = nil }, "kafka.brokers is empty"},
		{"no port", func(c *KafkaConfig) { c.Brokers = []string{"kafka"} }, `"kafka" is not host:port`},
		{"list in one string", func(c *KafkaConfig) { c.Brokers = []string{"a:1,b:2"} }, "is not host:port"},
		{"no time", func(c *KafkaConfig) { c.RequestTimeout = 0 }, "request_timeout"},
		{"codec", func(c *KafkaConfig) { c.Compression = "rar" }, "want lz4, zstd or none"},
		{"no replica", func(c *KafkaConfig) { c.Replication = 0 }, "kafka.replication"},
		{"certificate without key", func(c *KafkaConfig) { c.TLS = KafkaTLS{Enabled: true, CertFile: "x"} }, "need each other"},
		{"TLS settings without TLS", func(c *KafkaConfig) { c.TLS = KafkaTLS{CAFile: "x"} }, "set kafka.tls.enabled"},
		{"password in the clear", func(c *KafkaConfig) { c.SASL = KafkaSASL{"plain", "a", "b"} }, "sends the password as it is"},
		{"mechanism", func(c *KafkaConfig) { c.SASL = KafkaSASL{"gssapi", "a", "b"} }, "is not known"},
		{"user without mechanism", func(c *KafkaConfig) { c.SASL = KafkaSASL{"", "a", "b"} }, "no mechanism"},
		{"no password", func(c *KafkaConfig) { c.SASL = KafkaSASL{"scram-sha-512", "a", ""} }, "needs username and password_file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultKafkaConfig()
			tt.change(&c)
			err := c.Validate()
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestKeysGoWhereKafkasOwnClientsPutThem has values of murmur2 from Kafka's own tests (UtilsTest.testMurmur2), and
// kafka-go's port as a second opinion.
func TestKeysGoWhereKafkasOwnClientsPutThem(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
	partitions := []int{0, 1, 2, 3, 4, 5, 6}
	for i := range 300 {
		key := []byte(strings.Repeat("k", i%9) + strconv.Itoa(i))
		want := kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, partitions...)
		if got := PartitionOf(key, len(partitions)); int(got) != want {
			t.Errorf("%s belongs to %d, want %d", key, got, want)
		}
	}
}

var _ io.Closer = (*TopicSource)(nil)
