package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// GapError says that a partition does not hold the record that must come next. Going on would leave requests out of
// every count, so it stops the reader.
type GapError struct {
	Topic     string
	Partition int32
	Want      int64 // the offset that must come next
	Start     int64 // the oldest offset that the partition holds
	End       int64 // the offset behind the newest
}

// Error says what is gone and what to do.
func (e *GapError) Error() string {
	at := fmt.Sprintf("%s/%d: offset %d", e.Topic, e.Partition, e.Want)
	switch {
	case e.Want < e.Start:
		return fmt.Sprintf("%s is gone, the log begins at %d: rebuild the state from the start of the log, and raise the topic's retention", at, e.Start)
	case e.Want > e.End:
		return fmt.Sprintf("%s lies behind the end of the log at %d: the topic was truncated or made anew; rebuild the state from its start", at, e.End)
	}
	return fmt.Sprintf("%s is missing inside the log of %d to %d: check the brokers' logs, then rebuild the state from the start of the log", at, e.Start, e.End)
}

// record is one record of a partition. Its bytes hold until the next fetch.
type record struct {
	offset     int64
	time       time.Time
	key, value []byte
	format     string // the header "format"
	treated    bool   // the header of that name stands there
	tombstone  bool   // the value is null
}

// Headers of records: the format of the line, and whether an event has been treated as the configuration says.
const (
	headerFormat  = "format"
	headerTreated = "treated"
)

// partitionReader fetches the records of one partition in order. One goroutine uses it.
type partitionReader struct {
	broker    *broker
	topic     string
	partition int
	next      int64 // the offset that must come next, or LogStart or LogEnd
	compacted bool  // records may be missing between others by design
	maxBytes  int64
	maxWait   time.Duration

	buffer   []byte // of the last answer
	inflated []byte // its batches without their compression
	records  []record
	format   string // the header "format" that was read last
	first    int64  // the oldest offset of the partition, as the last answer saw it
	end      int64  // the offset behind its newest
	beyond   int    // answers in a row whose end lay in front of next
}

// A broker that has just become leader may learn the end of the log late, so an end in front of the next record is
// believed at the fifth look, which the pauses between failures put a second later.
const looksBeyond = 5

// start replaces LogStart and LogEnd by the offset that they stand for, and checks that the log reaches back to next.
func (r *partitionReader) start(ctx context.Context) error {
	first, end, err := r.broker.offsets(ctx, r.topic, r.partition)
	if err != nil {
		return fmt.Errorf("ask for the offsets of %s/%d: %w", r.topic, r.partition, err)
	}
	r.first, r.end = first, end
	switch {
	case r.next == LogStart || (r.compacted && r.next < first):
		r.next = first
	case r.next == LogEnd:
		r.next = end
	case r.next < first:
		return r.gap(r.next)
	case r.next > end:
		if r.beyond++; r.beyond < looksBeyond {
			return fmt.Errorf("%s/%d ends at %d, in front of offset %d", r.topic, r.partition, end, r.next)
		}
		return r.gap(r.next)
	}
	r.beyond = 0
	return nil
}

// fetch returns the next records, none where nothing arrived within maxWait. The checksum of every batch is compared, and
// no offset may be left out. After a *GapError the reader is of no more use; after any other error the same fetch may be
// tried again.
func (r *partitionReader) fetch(ctx context.Context) ([]record, error) {
	answer, err := r.ask(ctx)
	if errors.Is(err, kafka.OffsetOutOfRange) {
		if err := r.start(ctx); err != nil {
			return nil, err
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	r.first, r.end = answer.first, answer.end
	return r.collect(answer.batches)
}

// ask sends one fetch. What the last one returned is no longer valid.
func (r *partitionReader) ask(ctx context.Context) (fetchAnswer, error) {
	x := &exchange{
		Request: fetch.Request{
			ReplicaID:    -1,
			MaxWaitTime:  int32(r.maxWait.Milliseconds()),
			MinBytes:     1,
			MaxBytes:     int32(min(r.maxBytes, maxAnswer)),
			SessionID:    -1, // none, so that every answer names the partition
			SessionEpoch: -1,
			Topics: []fetch.RequestTopic{{
				Topic: r.topic,
				Partitions: []fetch.RequestPartition{{
					Partition:          int32(r.partition),
					CurrentLeaderEpoch: -1,
					FetchOffset:        r.next,
					LogStartOffset:     -1,
					PartitionMaxBytes:  int32(min(r.maxBytes, maxAnswer)),
				}},
			}},
		},
		clientID: r.broker.transport.ClientID,
		buffer:   r.buffer,
	}
	r.buffer = nil
	ctx, cancel := context.WithTimeout(ctx, r.broker.Timeout)
	defer cancel()
	if _, err := r.broker.transport.RoundTrip(ctx, r.broker.Addr, x); err != nil {
		return fetchAnswer{}, fmt.Errorf("fetch: %w", err)
	}
	r.buffer = x.buffer
	return x.answer()
}

// collect returns the records from r.next on and moves r.next behind them. Brokers send whole batches, so records in
// front of r.next are usual and left out. Control records of transactions hold an offset and no request.
func (r *partitionReader) collect(batches []byte) ([]record, error) {
	r.records, r.inflated = r.records[:0], r.inflated[:0]
	next := r.next
	for rest := batches; len(rest) > 0; {
		batch, behind, whole, err := nextBatch(rest)
		if err != nil {
			return nil, fmt.Errorf("read a batch of %s/%d: %w", r.topic, r.partition, err)
		}
		if !whole {
			if len(rest) == len(batches) {
				return nil, fmt.Errorf("the broker sent %d bytes of a batch of %s/%d and not all of it", len(rest), r.topic, r.partition)
			}
			break
		}
		if next, err = r.keep(&batch, next); err != nil {
			return nil, err
		}
		rest = behind
	}
	if next == r.next && r.compacted && r.end > next {
		next = r.end // compaction has left batches without records, up to the end
	}
	r.next = next
	return r.records, nil
}

// keep adds the records of a batch from next on, and returns the offset behind them.
func (r *partitionReader) keep(batch *recordBatch, next int64) (int64, error) {
	if batch.last < next {
		return next, nil
	}
	records, grown, err := batch.plain(r.inflated)
	r.inflated = grown
	if err != nil {
		return next, fmt.Errorf("read a batch of %s/%d: %w", r.topic, r.partition, err)
	}
	c := cursor{rest: records}
	for range batch.count {
		rec := batch.record(&c, &r.format)
		if c.err != nil {
			return next, fmt.Errorf("read a batch of %s/%d: %w", r.topic, r.partition, c.err)
		}
		if rec.offset < next {
			continue
		}
		if rec.offset > next && !r.compacted {
			return next, r.gap(next)
		}
		next = rec.offset + 1
		if !batch.control() {
			r.records = append(r.records, rec)
		}
	}
	if r.compacted {
		next = max(next, batch.last+1)
	}
	return next, nil
}

func (r *partitionReader) gap(want int64) error {
	return &GapError{r.topic, int32(r.partition), want, r.first, r.end}
}
