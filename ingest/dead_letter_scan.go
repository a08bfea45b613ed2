package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sundew"
)

// DeadLetterFilter chooses dead letters. The zero value is all of them.
type DeadLetterFilter struct {
	Reason, Source string    // exactly; empty: any
	Since, Until   time.Time // when they were rejected, Until exclusive; zero: open
	Replayed       bool      // those whose line was read again, too; by default these are dead no more
}

func (f DeadLetterFilter) matches(l *sundew.DeadLetter) bool {
	return (f.Replayed || !l.Replayed) && (f.Reason == "" || f.Reason == l.Reason) && (f.Source == "" || f.Source == l.Source) &&
		(f.Since.IsZero() || !l.Time.Before(f.Since)) && (f.Until.IsZero() || l.Time.Before(f.Until))
}

// maxLetters bounds the letters of a partition whose places a scan holds, some 100 bytes each.
const maxLetters = 4 << 20

// ScanDeadLetters calls fn with the letters that are dead now: of each place the last, and by default without those that were replayed.
// They come by partition of the topic and in the order of the log. What is written to the topic meanwhile is not looked at.
func ScanDeadLetters(ctx context.Context, c KafkaConfig, f DeadLetterFilter, fn func(letters []sundew.DeadLetter) error) error {
	b, err := newBroker(c)
	if err != nil {
		return err
	}
	defer b.close()
	n, err := b.partitions(ctx, TopicDeadLetters)
	if err != nil {
		return err
	}
	for p := range n {
		s := letterScan{broker: b, partition: p, end: -1, filter: f, last: map[letterPlace]int64{}}
		if err := s.run(ctx, fn); err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
	}
	return nil
}

// letterPlace is what two letters of one line have in common.
type letterPlace struct {
	source    string
	partition int32
	offset    int64
}

// letterScan reads a partition twice: to learn which letter of each place is the last, and to hand these on.
type letterScan struct {
	broker    *broker
	partition int
	end       int64 // where the first pass ended; -1 before it
	filter    DeadLetterFilter
	last      map[letterPlace]int64
}

func (s *letterScan) run(ctx context.Context, fn func([]sundew.DeadLetter) error) error {
	err := s.pass(ctx, func(letters []sundew.DeadLetter, at []int64) error {
		for i := range letters {
			s.last[placeOf(&letters[i])] = at[i]
		}
		if len(s.last) > maxLetters {
			return fmt.Errorf("more than %d in partition %d: their lines lie in topic %s, name the format of what sends them", maxLetters, s.partition, TopicDeadLetters)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.pass(ctx, func(letters []sundew.DeadLetter, at []int64) error {
		dead := letters[:0]
		for i := range letters {
			l := &letters[i]
			if s.last[placeOf(l)] == at[i] && s.filter.matches(l) {
				dead = append(dead, *l)
			}
		}
		if len(dead) == 0 {
			return nil
		}
		return fn(dead)
	})
}

func placeOf(l *sundew.DeadLetter) letterPlace { return letterPlace{l.Source, l.Partition, l.Offset} }

// pass calls fn with the letters and their offsets in the topic.
func (s *letterScan) pass(ctx context.Context, fn func(letters []sundew.DeadLetter, at []int64) error) error {
	r := partitionReader{
		broker: s.broker, topic: TopicDeadLetters, partition: s.partition, next: LogStart,
		maxBytes: defaultFetchBytes, maxWait: defaultFetchWait,
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	if s.end < 0 {
		s.end = r.end
	}
	for r.next < s.end {
		records, err := r.fetch(ctx)
		if err != nil {
			return err
		}
		letters, at := make([]sundew.DeadLetter, 0, len(records)), make([]int64, 0, len(records))
		for i := range records {
			var l sundew.DeadLetter
			if records[i].offset < s.end && json.Unmarshal(records[i].value, &l) == nil {
				letters, at = append(letters, l), append(at, records[i].offset)
			}
		}
		if err := fn(letters, at); err != nil {
			return err
		}
	}
	return nil
}
