package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// lane is the queue of one partition. Only its own goroutine sends, one request after the other, so the order of records
// is the order of the calls, whatever fails in between.
type lane struct {
	producer *Producer
	key      laneKey

	mu    sync.Mutex
	calls []*call
	wake  chan struct{} // holds one token while calls may wait
}

// call is the part of one Produce that goes to one partition.
type call struct {
	gone <-chan struct{} // closed when the caller does not wait any more
	left []Record        // not acknowledged yet; touched by the lane alone once queued
	done chan error      // gets the outcome, once
}

func (c *call) abandoned() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

func newLane(p *Producer, key laneKey) *lane {
	return &lane{producer: p, key: key, wake: make(chan struct{}, 1)}
}

func (l *lane) enqueue(c *call) {
	l.mu.Lock()
	l.calls = append(l.calls, c)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run sends what is queued until ctx ends.
func (l *lane) run(ctx context.Context) error {
	pause := newBackoff()
	failing := false
	limit := requestRecords
	for {
		shares := l.next(limit)
		if len(shares) == 0 {
			select {
			case <-l.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		err := l.send(ctx, shares)
		if ctx.Err() != nil && err != nil {
			return nil
		}
		if err == nil {
			l.settle(shares)
			pause.reset()
			limit = requestRecords
			if failing {
				l.producer.log.InfoContext(ctx, "topic can be written again", "topic", l.key.topic, "partition", l.key.partition)
			}
			failing = false
			continue
		}
		l.producer.metrics.failures.WithLabelValues(l.key.topic).Inc()
		if isTooLarge(err) && countOf(shares) > 1 {
			limit = countOf(shares) / 2
			continue
		}
		if isRefusal(err) {
			l.refuse(shares, err)
			continue
		}
		if !failing {
			l.producer.log.WarnContext(ctx, "topic cannot be written, trying again",
				"topic", l.key.topic, "partition", l.key.partition, "error", err)
		}
		failing = true
		if pause.wait(ctx) != nil {
			return nil
		}
	}
}

// share is the records of one call that go into one request.
type share struct {
	call *call
	n    int
}

// next returns what the next request holds, first come first served, and forgets calls whose callers have left. The
// calls stay queued until settle or refuse.
func (l *lane) next(limit int) []share {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.calls[:0]
	for _, c := range l.calls {
		if !c.abandoned() {
			waiting = append(waiting, c)
		}
	}
	clear(l.calls[len(waiting):])
	l.calls = waiting

	var shares []share
	size := int64(0)
	for _, c := range l.calls {
		n := 0
		for n < len(c.left) && limit > 0 {
			size += c.left[n].size()
			if size > requestBytes && (n > 0 || len(shares) > 0) {
				limit = 0
				break
			}
			n++
			limit--
		}
		if n == 0 {
			break
		}
		shares = append(shares, share{c, n})
	}
	return shares
}

func countOf(shares []share) (n int) {
	for _, s := range shares {
		n += s.n
	}
	return n
}

// send writes one request and waits for all in-sync replicas.
func (l *lane) send(ctx context.Context, shares []share) error {
	records := make([]kafka.Record, 0, countOf(shares))
	for _, s := range shares {
		for i := range s.call.left[:s.n] {
			records = append(records, s.call.left[i].kafka())
		}
	}
	answer, err := l.producer.broker.Produce(ctx, &kafka.ProduceRequest{
		Topic:        l.key.topic,
		Partition:    int(l.key.partition),
		RequiredAcks: kafka.RequireAll,
		Records:      kafka.NewRecordReader(records...),
		Compression:  l.producer.compression,
	})
	if err != nil {
		return err
	}
	return answer.Error
}

func (r *Record) kafka() kafka.Record {
	to := kafka.Record{Key: kafka.NewBytes(r.Key), Value: kafka.NewBytes(r.Value)}
	for _, h := range r.Headers {
		to.Headers = append(to.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	return to
}

// settle takes acknowledged records off the calls and tells those that have none left.
func (l *lane) settle(shares []share) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range shares {
		s.call.left = s.call.left[s.n:]
		if len(s.call.left) == 0 {
			s.call.done <- nil
		}
	}
	l.dropDone()
}

// refuse tells the calls of a request that the broker will never take it.
func (l *lane) refuse(shares []share, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range shares {
		s.call.left = nil
		s.call.done <- fmt.Errorf("write to %s/%d: %w", l.key.topic, l.key.partition, err)
	}
	l.dropDone()
}

// dropDone forgets the calls without records, which stand in front.
func (l *lane) dropDone() {
	n := 0
	for n < len(l.calls) && len(l.calls[n].left) == 0 {
		n++
	}
	l.calls = slices.Delete(l.calls, 0, n)
}

func isTooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

// isRefusal is true for errors that another attempt cannot mend. Everything else, an unknown topic and a full disk
// included, may pass.
func isRefusal(err error) bool {
	for _, final := range []kafka.Error{
		kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidTopic, kafka.TopicAuthorizationFailed,
		kafka.ClusterAuthorizationFailed, kafka.InvalidRecord, kafka.UnsupportedForMessageFormat,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}
