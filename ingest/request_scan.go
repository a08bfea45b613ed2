package ingest

import (
	"context"

	"sundew"
)

// ScanRequests calls fn with every record of a partition of the requests, from the oldest that it holds to the newest
// there is at the start, batch after batch and without gaps, and returns the first offset and the one behind the last.
// Unlike a TopicSource it gives an event for each line that can be read, whether its stamp was there before or not. An
// error of fn ends it.
func ScanRequests(ctx context.Context, c KafkaConfig, partition int32, o TopicOptions, fn func(sundew.Batch) error) (first, next int64, err error) {
	s, err := OpenTopic(c, TopicRequests, partition, LogStart, o)
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	if err := s.reader.start(ctx); err != nil {
		return 0, 0, err
	}
	s.all, s.started = true, true
	first = s.reader.next
	s.position.Store(first)
	for end := s.reader.end; s.reader.next < end; {
		batch, err := s.Next(ctx)
		if err != nil {
			return first, s.reader.next, err
		}
		if err := fn(batch); err != nil {
			return first, s.reader.next, err
		}
	}
	return first, s.reader.next, nil
}
