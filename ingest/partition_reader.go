package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
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

	records []record
	arena   []byte
	first   int64 // the oldest offset of the partition, as the last answer saw it
	end     int64 // the offset behind its newest
	beyond  int   // answers in a row whose end lay in front of next
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

// fetch returns the next records, none where nothing arrived within maxWait. The library verifies the checksum of every
// batch. After a *GapError the reader is of no more use; after any other error the same fetch may be tried again.
func (r *partitionReader) fetch(ctx context.Context) ([]record, error) {
	answer, err := r.broker.Fetch(ctx, &kafka.FetchRequest{
		Topic:     r.topic,
		Partition: r.partition,
		Offset:    r.next,
		MinBytes:  1,
		MaxBytes:  r.maxBytes,
		MaxWait:   r.maxWait,
	})
	if err != nil {
		return nil, err
	}
	if errors.Is(answer.Error, kafka.OffsetOutOfRange) {
		if err := r.start(ctx); err != nil {
			return nil, err
		}
		return nil, answer.Error
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	r.first, r.end = answer.LogStartOffset, answer.HighWatermark
	return r.collect(answer.Records)
}

// collect copies the records from r.next on and moves r.next behind them. Brokers send whole batches, so records in
// front of r.next are usual and left out. Control records of transactions hold an offset and no request.
func (r *partitionReader) collect(all kafka.RecordReader) ([]record, error) {
	r.records, r.arena = r.records[:0], r.arena[:0]
	next := r.next
	for _, batch := range batchesOf(all) {
		_, control := batch.(*protocol.ControlBatch)
		for {
			rec, err := batch.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read a batch of %s/%d: %w", r.topic, r.partition, err)
			}
			if rec.Offset >= next {
				if rec.Offset > next && !r.compacted {
					return nil, r.gap(next)
				}
				next = rec.Offset + 1
				if !control {
					if err := r.keep(rec); err != nil {
						return nil, err
					}
				}
			}
			release(rec)
		}
	}
	if next == r.next && r.compacted && r.end > next {
		next = r.end // compaction has left batches without records, up to the end
	}
	r.next = next
	return r.records, nil
}

// batchesOf takes the library's stream apart, because the stream leaves control batches out without a word.
func batchesOf(all kafka.RecordReader) []protocol.RecordReader {
	if stream, ok := all.(*protocol.RecordStream); ok {
		return stream.Records
	}
	return []protocol.RecordReader{all}
}

func (r *partitionReader) gap(want int64) error {
	return &GapError{r.topic, int32(r.partition), want, r.first, r.end}
}

// keep copies a record into the arena.
func (r *partitionReader) keep(from *kafka.Record) error {
	to := record{offset: from.Offset, time: from.Time, tombstone: from.Value == nil}
	var err error
	if to.key, err = r.copied(from.Key); err != nil {
		return err
	}
	if to.value, err = r.copied(from.Value); err != nil {
		return err
	}
	for _, header := range from.Headers {
		switch header.Key {
		case headerFormat:
			to.format = string(header.Value)
		case headerTreated:
			to.treated = true
		}
	}
	r.records = append(r.records, to)
	return nil
}

// copied appends b to the arena. A part that was handed out keeps the arena of its time when that grows.
func (r *partitionReader) copied(b protocol.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	start := len(r.arena)
	end := start + b.Len()
	if end > cap(r.arena) {
		r.arena = append(make([]byte, 0, max(2*cap(r.arena), end)), r.arena...)
	}
	r.arena = r.arena[:end]
	_, err := io.ReadFull(b, r.arena[start:end])
	if err != nil {
		return nil, fmt.Errorf("read a record of %s/%d: %w", r.topic, r.partition, err)
	}
	return r.arena[start:end:end], nil
}

func release(rec *kafka.Record) {
	if rec.Key != nil {
		_ = rec.Key.Close()
	}
	if rec.Value != nil {
		_ = rec.Value.Close()
	}
}
