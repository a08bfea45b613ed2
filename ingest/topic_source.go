package ingest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"sundew"
)

var _ sundew.Source = (*TopicSource)(nil)

// TopicOptions says how a partition is read.
type TopicOptions struct {
	// Format is that of records without a header "format": a name of Formats, "auto" or "". A header that names no known
	// format makes the record a dead letter.
	Format   string
	MaxBytes int64         // of one fetch; 0 means 1 MiB. One record is read whatever its size
	MaxWait  time.Duration // how long a broker waits for records before it answers; 0 means 250 ms
	Logger   *slog.Logger  // nil discards
	Metrics  *Metrics      // nil counts nothing
	Privacy  *Privacy      // of lines that no listener has treated; nil hides nothing
	Routes   *Routes       // of the same; nil has none
	MaxAhead time.Duration // by how much an event may be later than its record; 0 does not ask
}

const (
	defaultFetchBytes = 1 << 20
	defaultFetchWait  = 250 * time.Millisecond
)

// maxStreams bounds the decoders that record headers can ask for.
const maxStreams = 64

// TopicSource is a Source that reads one partition of a topic. One record is one line; a newline at its end does not
// count. Every offset is accounted for: what was seen is skipped, and a missing one is a *GapError. A line whose stamp the
// log has shortly before is a repeat and gives no event; to know that, a source reads the records in front of its first
// again.
//
// It is read uncommitted: records of aborted transactions count as lines. Time of a dead letter is the record's own, so
// that reading again gives equal letters.
type TopicSource struct {
	reader    partitionReader
	options   TopicOptions
	decoders  map[string]Decoder // by format
	trims     Trims
	started   bool
	all       bool // repeats are events, too
	repeats   repeats
	learned   *routeMemory
	position  atomic.Int64 // of the next record of a batch, for Lag
	partition int32
}

// OpenTopic returns a source of the records of a partition from offset from on, LogStart or LogEnd included. It opens no
// connection: that, and the check that the log still holds from, happen in Next.
func OpenTopic(c KafkaConfig, topic string, partition int32, from int64, o TopicOptions) (*TopicSource, error) {
	if from < LogStart || partition < 0 {
		return nil, fmt.Errorf("open %s/%d at offset %d: want a partition and an offset from 0, or -2 for the start of the log", topic, partition, from)
	}
	o.Format = cmp.Or(o.Format, autoName)
	if _, err := NewDecoder(o.Format); err != nil {
		return nil, err
	}
	b, err := newBroker(c)
	if err != nil {
		return nil, err
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultFetchBytes
	}
	if o.MaxWait <= 0 {
		o.MaxWait = defaultFetchWait
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &TopicSource{
		reader: partitionReader{
			broker: b, topic: topic, partition: int(partition), next: from, maxBytes: o.MaxBytes, maxWait: o.MaxWait,
		},
		options:   o,
		decoders:  map[string]Decoder{},
		learned:   newRouteMemory(nil),
		partition: partition,
	}
	s.position.Store(from)
	return s, nil
}

// Next waits until records arrive and returns them as one batch, or ctx's error when ctx ends. While the broker is away
// it tries again, with pauses of up to 2 s, and logs. A *GapError is final.
func (s *TopicSource) Next(ctx context.Context) (sundew.Batch, error) {
	pause := newBackoff()
	failing := false
	for {
		records, err := s.fetch(ctx)
		if ctx.Err() != nil && err != nil {
			return sundew.Batch{}, ctx.Err()
		}
		if _, gap := errors.AsType[*GapError](err); gap {
			s.options.Metrics.gap()
			return sundew.Batch{}, err
		}
		if err != nil {
			s.options.Metrics.fetchFailed()
			s.complain(ctx, err, failing)
			failing = true
			if err := pause.wait(ctx); err != nil {
				return sundew.Batch{}, err
			}
			continue
		}
		if failing {
			s.options.Logger.InfoContext(ctx, "topic can be read again", "topic", s.reader.topic, "partition", s.partition)
			failing = false
		}
		pause.reset()
		first := s.position.Load()
		records = s.remember(records, first)
		if s.reader.next > first {
			return s.batch(records, first), nil
		}
	}
}

// fetch checks the place at the first call and asks for records after that.
func (s *TopicSource) fetch(ctx context.Context) ([]record, error) {
	if !s.started {
		if err := s.reader.start(ctx); err != nil {
			return nil, err
		}
		s.position.Store(s.reader.next)
		s.reader.next = max(warmFrom(s.reader.next), s.reader.first)
		s.started = true
	}
	records, err := s.reader.fetch(ctx)
	if gap, ok := errors.AsType[*GapError](err); ok && gap.Want < gap.Start && gap.Start <= s.position.Load() {
		s.reader.next = gap.Start // retention took records that would only have been remembered
		return nil, nil
	}
	return records, err
}

// remember takes the stamps of the records in front of first, and returns the others.
func (s *TopicSource) remember(records []record, first int64) []record {
	for len(records) > 0 && records[0].offset < first {
		var e sundew.Event
		if r := &records[0]; r.format != labelFormat {
			if what, _ := s.decode(r, &e); what == parsed {
				e.Offset = r.offset
				s.repeats.seen(&e)
			}
		}
		records = records[1:]
	}
	return records
}

// complain logs the first failure in a row as a warning and the others for those who look closer.
func (s *TopicSource) complain(ctx context.Context, err error, again bool) {
	level := slog.LevelWarn
	if again {
		level = slog.LevelDebug
	}
	s.options.Logger.Log(ctx, level, "topic cannot be read, trying again",
		"topic", s.reader.topic, "partition", s.partition, "offset", s.reader.next, "error", err)
}

func (s *TopicSource) batch(records []record, first int64) sundew.Batch {
	b := sundew.Batch{
		Events:   make([]sundew.Event, 0, len(records)),
		Position: sundew.Position{Partition: s.partition, First: first, Next: s.reader.next},
	}
	skippedLines, repeated := 0, 0
	for i := range records {
		if records[i].format == labelFormat {
			s.label(&b, &records[i])
			continue
		}
		b.Events = append(b.Events, sundew.Event{})
		e := &b.Events[len(b.Events)-1]
		what, letter := s.decode(&records[i], e)
		if what == parsed {
			e.Partition, e.Offset = s.partition, records[i].offset
			if !s.all && s.repeats.seen(e) {
				b.Events = b.Events[:len(b.Events)-1]
				repeated++
			}
			continue
		}
		b.Events = b.Events[:len(b.Events)-1]
		if what == skipped {
			skippedLines++
			continue
		}
		s.reject(&b, letter, &records[i])
	}
	s.position.Store(s.reader.next)
	s.count(b, skippedLines, repeated)
	return b
}

func (s *TopicSource) reject(b *sundew.Batch, letter sundew.DeadLetter, r *record) {
	letter.Time, letter.Source = r.time.UTC(), s.reader.topic
	letter.Partition, letter.Offset = s.partition, r.offset
	b.Rejected = append(b.Rejected, letter)
}

func (s *TopicSource) label(b *sundew.Batch, r *record) {
	label, err := decodeLabel(r.value)
	if err != nil {
		s.reject(b, s.treatmentOf(r).letter(labelFormat, "label cannot be read", err.Error(), r.value), r)
		return
	}
	label.Before = len(b.Events)
	b.Labels = append(b.Labels, label)
}

func (s *TopicSource) decode(r *record, e *sundew.Event) (result, sundew.DeadLetter) {
	format := cmp.Or(r.format, s.options.Format)
	line := bytes.TrimSuffix(bytes.TrimSuffix(r.value, []byte("\n")), []byte("\r"))
	s.learned.at(r.offset)
	decoder, err := s.decoder(format)
	if err != nil {
		return rejected, s.treatmentOf(r).letter(boundedID(format), "unknown format", boundedID(format), line)
	}
	return s.treatmentOf(r).decode(decoder, format, line, len(line), r.time, e)
}

// treatmentOf is nothing for what a listener wrote.
func (s *TopicSource) treatmentOf(r *record) treatment {
	if r.treated {
		return treatment{done: true}
	}
	return treatment{routes: s.options.Routes, learned: s.learned, privacy: s.options.Privacy, ahead: s.options.MaxAhead}
}

func (s *TopicSource) decoder(format string) (Decoder, error) {
	if d, ok := s.decoders[format]; ok {
		return d, nil
	}
	if err := remoteFormat(format, s.options.Format); err != nil {
		return nil, err
	}
	d, err := NewDecoder(format)
	if err != nil {
		return nil, err
	}
	if len(s.decoders) >= maxStreams {
		return nil, errors.New("too many formats in one partition")
	}
	s.decoders[format] = d
	return d, nil
}

func (s *TopicSource) count(b sundew.Batch, skippedLines, repeated int) {
	var now Trims
	for _, d := range s.decoders {
		now.Cut += trimsOf(d).Cut
		now.Dropped += trimsOf(d).Dropped
	}
	s.options.Metrics.lines(b, skippedLines, repeated, Trims{now.Cut - s.trims.Cut, now.Dropped - s.trims.Dropped})
	s.options.Metrics.lag(s.reader.topic, s.partition, s.reader.end-s.reader.next)
	s.trims = now
}

// Commit does nothing: where to go on is part of the snapshot.
func (s *TopicSource) Commit(context.Context, sundew.Batch) error { return nil }

// Lag asks the broker how many records lie between the last batch and the end of the partition. It may be called while
// Next runs; before the first batch from LogStart it is the whole partition.
func (s *TopicSource) Lag(ctx context.Context) (int64, error) {
	first, end, err := s.reader.broker.offsets(ctx, s.reader.topic, s.reader.partition)
	if err != nil {
		return 0, fmt.Errorf("ask for the end of %s/%d: %w", s.reader.topic, s.partition, err)
	}
	switch at := s.position.Load(); at {
	case LogStart:
		return end - first, nil
	case LogEnd:
		return 0, nil
	default:
		return max(end-at, 0), nil
	}
}

// Close ends the connections. Next must not run.
func (s *TopicSource) Close() error {
	s.reader.broker.close()
	return nil
}

// boundedID makes a text of the log fit for a message.
func boundedID(text string) string {
	t := texts{}
	return string(t.bounded([]byte(text), sundew.MaxID))
}
