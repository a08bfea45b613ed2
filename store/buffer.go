package store

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sundew"
)

// flushTimeout bounds one batch, and all that Run does after its context has ended.
const flushTimeout = 30 * time.Second

// Buffer stands before a Recorder that may be slow or away, so that scoring never waits for it. What does not fit is
// dropped whole and counted: a buffer is for what may be lost, such as scores, and not for the only copy of anything.
//
// The slices handed to Record are kept until they are recorded; the caller must not change them.
type Buffer struct {
	next    BufferedStore
	queue   chan recording
	dropped *prometheus.CounterVec
	failed  prometheus.Counter
}

var _ sundew.Recorder = (*Buffer)(nil)

// BufferedStore is what a Buffer can stand before.
type BufferedStore interface {
	sundew.Recorder
	EvaluationRecorder
}

type recording struct {
	batch       sundew.Batch
	scores      []sundew.Score
	decisions   []sundew.Decision
	evaluations []Evaluation
}

// NewBuffer returns a buffer of size calls, at least one. A nil registerer counts without showing; a registry
// that has a buffer already is a mistake of the program, and a panic.
func NewBuffer(next BufferedStore, size int, reg prometheus.Registerer) *Buffer {
	b := &Buffer{
		next:  next,
		queue: make(chan recording, max(1, size)),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_store_buffer_dropped_total", Help: "Events, scores, decisions and evaluations dropped because the buffer before the store was full.",
		}, []string{"what"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_store_buffer_failed_total", Help: "Batches that the store behind the buffer refused; they are lost.",
		}),
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sundew_store_buffer_batches", Help: "Batches that wait for the store.",
	}, func() float64 { return float64(len(b.queue)) })
	if err := register(reg, b.dropped, b.failed, waiting); err != nil {
		panic(err)
	}
	return b
}

// Record puts the batch in line and returns at once, always with nil: a full buffer is counted, not an error. The slices
// are the buffer's from then on, so scores are handed over as copies of what a sundew.Scorer returned.
func (b *Buffer) Record(_ context.Context, batch sundew.Batch, scores []sundew.Score, ds []sundew.Decision) error {
	b.put(recording{batch: batch, scores: scores, decisions: ds})
	return nil
}

// RecordEvaluations puts evaluations in line as Record does a batch.
func (b *Buffer) RecordEvaluations(_ context.Context, evaluations []Evaluation) error {
	b.put(recording{evaluations: evaluations})
	return nil
}

func (b *Buffer) put(r recording) {
	select {
	case b.queue <- r:
	default:
		b.dropped.WithLabelValues("events").Add(float64(len(r.batch.Events)))
		b.dropped.WithLabelValues("scores").Add(float64(len(r.scores)))
		b.dropped.WithLabelValues("decisions").Add(float64(len(r.decisions)))
		b.dropped.WithLabelValues("evaluations").Add(float64(len(r.evaluations)))
	}
}

// Run records what is in line until ctx ends, then what is still there, and returns nil. A batch that the store refuses, or
// holds for longer than half a minute, is counted and left behind. When the rest takes longer than another half minute,
// Run gives up with an error. Stop whoever calls Record first.
func (b *Buffer) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case r := <-b.queue:
			b.passInTime(context.WithoutCancel(ctx), r)
		}
	}
	return b.flush(context.WithoutCancel(ctx))
}

func (b *Buffer) passInTime(ctx context.Context, r recording) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	b.pass(ctx, r)
}

func (b *Buffer) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	for {
		select {
		case r := <-b.queue:
			b.pass(ctx, r)
		default:
			return nil
		}
		if ctx.Err() != nil {
			return errors.New("flush buffer: the store is too slow: what was left in the buffer is lost")
		}
	}
}

func (b *Buffer) pass(ctx context.Context, r recording) {
	var err error
	if len(r.evaluations) > 0 {
		err = b.next.RecordEvaluations(ctx, r.evaluations)
	} else {
		err = b.next.Record(ctx, r.batch, r.scores, r.decisions)
	}
	if err != nil {
		b.failed.Inc()
	}
}
