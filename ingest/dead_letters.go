package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"sundew"
)

var _ sundew.Rejecter = (*DeadLetters)(nil)

// DeadLetters keeps dead letters in their topic. The key of a record is the letter's source.
type DeadLetters struct {
	producer *Producer
	topic    string
}

// NewDeadLetterPublisher returns a rejecter that writes through p, which must run.
func NewDeadLetterPublisher(p *Producer) *DeadLetters { return &DeadLetters{p, TopicDeadLetters} }

// Reject returns nil after all in-sync replicas have the letters. It waits as long as ctx lets it. A letter that is kept
// twice has the same source, partition and offset both times.
func (d *DeadLetters) Reject(ctx context.Context, letters []sundew.DeadLetter) error {
	records := make([]Record, len(letters))
	for i := range letters {
		value, err := json.Marshal(letters[i])
		if err != nil {
			return fmt.Errorf("encode dead letter: %w", err)
		}
		records[i] = Record{Key: []byte(letters[i].Source), Value: value}
	}
	return d.producer.Produce(ctx, d.topic, ByKey, records)
}

// FollowDeadLetters reads the topic of dead letters, each partition from the offset that from gives and otherwise from
// its start, and calls fn from one goroutine until ctx ends, which is nil, or fn returns an error. at is the part of the
// topic that the letters come from: at.Next is where to go on. A *GapError says that letters in between are gone.
func FollowDeadLetters(ctx context.Context, c KafkaConfig, log *slog.Logger, from map[int32]int64, fn func(ctx context.Context, at sundew.Position, letters []sundew.DeadLetter) error) error {
	return followDeadLetters(ctx, follower{config: c, topic: TopicDeadLetters, log: log}, from, fn)
}

func followDeadLetters(ctx context.Context, f follower, from map[int32]int64, fn func(ctx context.Context, at sundew.Position, letters []sundew.DeadLetter) error) error {
	return f.run(ctx, from, func(ctx context.Context, got fetched) error {
		letters := make([]sundew.DeadLetter, 0, len(got.records))
		for i := range got.records {
			var letter sundew.DeadLetter
			if err := json.Unmarshal(got.records[i].value, &letter); err != nil {
				f.log.ErrorContext(ctx, "record is no dead letter", "topic", f.topic,
					"partition", got.at.Partition, "offset", got.records[i].offset, "error", err)
				continue
			}
			letters = append(letters, letter)
		}
		if got.at.Next == got.at.First {
			return nil
		}
		return fn(ctx, got.at, letters)
	})
}
