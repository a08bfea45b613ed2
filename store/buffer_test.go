package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

// slowRecorder takes a while for each batch and writes down where it began.
type slowRecorder struct {
	takes  time.Duration
	err    error
	firsts []int64
}

func (r *slowRecorder) Record(ctx context.Context, b sundew.Batch, _ []sundew.Score, _ []sundew.Decision) error {
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	r.firsts = append(r.firsts, b.Position.First)
	return r.err
}

func (r *slowRecorder) RecordEvaluations(ctx context.Context, evaluations []Evaluation) error {
	first := evaluations[0].Event.Offset
	return r.Record(ctx, sundew.Batch{Position: sundew.Position{First: first}}, nil, nil)
}

func put(t *testing.T, b *Buffer, first int64) {
	t.Helper()
	batch := sundew.Batch{Position: sundew.Position{First: first, Next: first + 1}, Events: make([]sundew.Event, 2)}
	if err := b.Record(t.Context(), batch, make([]sundew.Score, 3), make([]sundew.Decision, 1)); err != nil {
		t.Error(err)
	}
}

func TestBufferNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &slowRecorder{takes: time.Second}
		b := NewBuffer(next, 2, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()

		start := time.Now()
		put(t, b, 0)
		synctest.Wait() // Run has taken it and waits for the recorder
		for first := range int64(5) {
			put(t, b, first+1)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Record waited %s", waited)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		equal(t, "recorded in order, the rest after the end", next.firsts, []int64{0, 1, 2})
		for what, want := range map[string]float64{"events": 6, "scores": 9, "decisions": 3} {
			equal(t, "dropped "+what, testutil.ToFloat64(b.dropped.WithLabelValues(what)), want)
		}
	})
}

func TestBufferPassesEvaluations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &slowRecorder{takes: time.Second}
		b := NewBuffer(next, 2, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		for first := range int64(5) {
			if err := b.RecordEvaluations(t.Context(), []Evaluation{{Event: &sundew.Event{Offset: first}}}); err != nil {
				t.Error(err)
			}
			if first == 0 {
				synctest.Wait() // Run has taken it
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		equal(t, "recorded in order", next.firsts, []int64{0, 1, 2})
		equal(t, "dropped", testutil.ToFloat64(b.dropped.WithLabelValues("evaluations")), 2.0)
	})
}

func TestBufferOutlivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &slowRecorder{takes: time.Second, err: errors.New("store is away")}
		b := NewBuffer(next, 0, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		for first := range int64(3) {
			put(t, b, first)
			time.Sleep(2 * time.Second) // of the bubble's clock, which the recorder shares
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		equal(t, "tried", next.firsts, []int64{0, 1, 2})
		equal(t, "failed", testutil.ToFloat64(b.failed), 3.0)
	})
}

func TestBufferGivesUpOnAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &slowRecorder{takes: time.Hour}
		b := NewBuffer(next, 10, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		for first := range int64(10) {
			put(t, b, first)
		}
		synctest.Wait() // the first is with the recorder
		cancel()
		start := time.Now()
		err := <-ended
		if err == nil {
			t.Error("no error, though batches were lost")
		}
		if took := time.Since(start); took > 2*flushTimeout {
			t.Errorf("it took %s to give up", took)
		}
	})
}
