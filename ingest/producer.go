package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Record is what is written to a topic.
type Record struct {
	Key, Value []byte // a nil value is a tombstone
	Headers    []Header
}

// Header is a name and a value that travel with a record.
type Header struct {
	Key   string
	Value []byte
}

// ByKey stands for a partition and lets each record's key choose its own: murmur2, as Kafka's own clients do, modulo
// the number of partitions.
const ByKey int32 = -1

// ErrBusy says that records were not acknowledged before the caller's context ended. They may be in the log all the
// same; sending them again is right.
var ErrBusy = errors.New("records are not acknowledged")

// ProducerOptions says how much a producer holds.
type ProducerOptions struct {
	QueueBytes   int64                 // records that wait for an acknowledgement; 0 means 64 MiB
	QueueRecords int64                 // the same in records; 0 means 262144
	Logger       *slog.Logger          // nil discards
	Registerer   prometheus.Registerer // nil counts nothing
}

const (
	defaultQueueBytes   = 64 << 20
	defaultQueueRecords = 1 << 18
	recordOverhead      = 64 // bytes of a record beside its key, value and headers: ours and the protocol's

	// A request stays below the broker's usual limit of 1 MiB even where compression gains nothing.
	requestBytes   = 900 << 10
	requestRecords = 10_000
)

// Producer writes records and knows what became of them. Records of concurrent callers to one partition share requests.
// Within a partition records keep the order of the calls.
//
// An error of a request leaves its outcome open, so the producer sends it again until the broker acknowledges it or the
// callers have left: records can be in the log twice. What reads them removes duplicates by the stamps that they carry.
type Producer struct {
	broker      *broker
	compression kafka.Compression
	log         *slog.Logger
	bytes       *semaphore.Weighted
	records     *semaphore.Weighted
	limits      struct{ bytes, records int64 }
	metrics     producerMetrics

	mu         sync.Mutex
	lanes      map[laneKey]*lane
	partitions map[string]int // by topic, as first seen
	idle       []*lane        // lanes for Run to start
	added      chan struct{}  // holds one token while there are some
	stopped    chan struct{}  // closed when Run has returned
}

type laneKey struct {
	topic     string
	partition int32
}

type producerMetrics struct {
	acknowledged *prometheus.CounterVec
	failures     *prometheus.CounterVec
	waiting      prometheus.Gauge
}

// NewProducer opens no connection. Records wait until Run runs.
func NewProducer(c KafkaConfig, o ProducerOptions) (*Producer, error) {
	b, err := newBroker(c)
	if err != nil {
		return nil, err
	}
	compression, err := compressionOf(c.Compression)
	if err != nil {
		return nil, err
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = defaultQueueBytes
	}
	if o.QueueRecords <= 0 {
		o.QueueRecords = defaultQueueRecords
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Producer{
		broker:      b,
		compression: compression,
		log:         o.Logger,
		bytes:       semaphore.NewWeighted(o.QueueBytes),
		records:     semaphore.NewWeighted(o.QueueRecords),
		metrics:     newProducerMetrics(o.Registerer),
		lanes:       map[laneKey]*lane{},
		partitions:  map[string]int{},
		added:       make(chan struct{}, 1),
		stopped:     make(chan struct{}),
	}
	p.limits.bytes, p.limits.records = o.QueueBytes, o.QueueRecords
	return p, nil
}

func newProducerMetrics(reg prometheus.Registerer) producerMetrics {
	return producerMetrics{
		acknowledged: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_produced_records_total", Help: "Records that all in-sync replicas have acknowledged.",
		}, []string{"topic"})),
		failures: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_produce_failures_total", Help: "Produce requests that failed, whatever became of their records.",
		}, []string{"topic"})),
		waiting: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sundew_ingest_produce_queue_bytes", Help: "Bytes of records that wait for an acknowledgement.",
		})),
	}
}

// Run sends records until ctx ends, and returns when its goroutines have: one for each partition that was written to.
// It is called once, and ends after everything that produces: calls that still wait then return ErrBusy.
func (p *Producer) Run(ctx context.Context) error {
	defer close(p.stopped)
	defer p.broker.close()
	group, ctx := errgroup.WithContext(ctx)
	for {
		for _, l := range p.takeIdle() {
			group.Go(func() error { return l.run(ctx) })
		}
		select {
		case <-p.added:
		case <-ctx.Done():
			return group.Wait()
		}
	}
}

func (p *Producer) takeIdle() []*lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	lanes := p.idle
	p.idle = nil
	return lanes
}

// Produce writes records to a partition of the topic, or each where its key belongs with ByKey. It returns nil only
// after every in-sync replica has acknowledged all of them. While the queue is full it waits until ctx ends, which gives
// an error that is ErrBusy. Any other error is final: the broker refuses the records. Neither error says that none of
// them was written. The records must not be changed, even after an error. Any number of goroutines may call it.
func (p *Producer) Produce(ctx context.Context, topic string, partition int32, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	parts, err := p.split(ctx, topic, partition, records)
	if err != nil {
		return err
	}
	size := min(sizeOf(records), p.limits.bytes)
	count := min(int64(len(records)), p.limits.records)
	if err := p.reserve(ctx, size, count); err != nil {
		return err
	}
	defer p.free(size, count)

	calls := make([]*call, 0, len(parts))
	for to, part := range parts {
		c := &call{gone: ctx.Done(), left: part, done: make(chan error, 1)}
		calls = append(calls, c)
		p.lane(laneKey{topic, to}).enqueue(c)
	}
	for _, c := range calls {
		select {
		case err := <-c.done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return busy(ctx)
		case <-p.stopped:
			return fmt.Errorf("%w: the producer has stopped", ErrBusy)
		}
	}
	p.metrics.acknowledged.WithLabelValues(topic).Add(float64(len(records)))
	return nil
}

func busy(ctx context.Context) error { return fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx)) }

// reserve takes room in the queue.
func (p *Producer) reserve(ctx context.Context, size, count int64) error {
	if p.bytes.Acquire(ctx, size) != nil {
		return busy(ctx)
	}
	if p.records.Acquire(ctx, count) != nil {
		p.bytes.Release(size)
		return busy(ctx)
	}
	p.metrics.waiting.Add(float64(size))
	return nil
}

func (p *Producer) free(size, count int64) {
	p.metrics.waiting.Sub(float64(size))
	p.bytes.Release(size)
	p.records.Release(count)
}

func sizeOf(records []Record) (n int64) {
	for i := range records {
		n += records[i].size()
	}
	return n
}

func (r *Record) size() int64 {
	n := int64(recordOverhead + len(r.Key) + len(r.Value))
	for _, h := range r.Headers {
		n += int64(len(h.Key) + len(h.Value))
	}
	return n
}

// split sorts records by partition, each part in the order of the call.
func (p *Producer) split(ctx context.Context, topic string, partition int32, records []Record) (map[int32][]Record, error) {
	if partition != ByKey {
		return map[int32][]Record{partition: records}, nil
	}
	n, err := p.partitionsOf(ctx, topic)
	if err != nil {
		return nil, err
	}
	parts := map[int32][]Record{}
	for _, r := range records {
		to := PartitionOf(r.Key, n)
		parts[to] = append(parts[to], r)
	}
	return parts, nil
}

// PartitionOf returns the partition, of n, that a key belongs to.
func PartitionOf(key []byte, n int) int32 {
	return int32(murmur2(key)&0x7fffffff) % int32(n)
}

// murmur2 is the hash of Kafka's default partitioner: Austin Appleby's MurmurHash2 with the seed that Kafka took.
func murmur2(key []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(key))
	for len(key) >= 4 {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		k *= m
		k ^= k >> 24
		h = h*m ^ k*m
		key = key[4:]
	}
	if len(key) > 0 {
		for i, c := range key {
			h ^= uint32(c) << (8 * i)
		}
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}

// partitionsOf returns the number of partitions of a topic as it was when first asked for: it is part of the layout of
// the state, so it does not change under a running process. It asks until the broker answers or ctx ends.
func (p *Producer) partitionsOf(ctx context.Context, topic string) (int, error) {
	p.mu.Lock()
	n, known := p.partitions[topic]
	p.mu.Unlock()
	if known {
		return n, nil
	}
	pause := newBackoff()
	for {
		n, err := p.broker.partitions(ctx, topic)
		if err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.partitions[topic] = n
			return n, nil
		}
		p.log.WarnContext(ctx, "topic cannot be written, trying again", "topic", topic, "error", err)
		p.broker.close()
		if pause.wait(ctx) != nil {
			return 0, fmt.Errorf("%w: %w", ErrBusy, err)
		}
	}
}

// lane returns the queue of a partition; a new one waits for Run to start it.
func (p *Producer) lane(key laneKey) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.lanes[key]; ok {
		return l
	}
	l := newLane(p, key)
	p.lanes[key] = l
	p.idle = append(p.idle, l)
	select {
	case p.added <- struct{}{}:
	default:
	}
	return l
}
