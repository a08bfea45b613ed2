package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"sundew"
)

var _ sundew.Publisher = (*Decisions)(nil)

// Decisions publishes to the topic of decisions. The key of a record is Decision.Key, so that compaction keeps the last
// decision of each entity and rule.
type Decisions struct {
	producer *Producer
	topic    string
}

// NewDecisionPublisher returns a publisher that writes through p, which must run.
func NewDecisionPublisher(p *Producer) *Decisions { return &Decisions{p, TopicDecisions} }

// Publish returns nil after all in-sync replicas have the decisions. It waits as long as ctx lets it.
func (d *Decisions) Publish(ctx context.Context, ds []sundew.Decision) error {
	records := make([]Record, len(ds))
	for i := range ds {
		value, err := json.Marshal(ds[i])
		if err != nil {
			return fmt.Errorf("encode decision %s: %w", ds[i].ID, err)
		}
		records[i] = Record{Key: []byte(ds[i].Key()), Value: value}
	}
	return d.producer.Produce(ctx, d.topic, ByKey, records)
}

// Forget lets compaction remove expired and withdrawn decisions, without which the topic grows with every entity that
// ever had one. Only the caller knows that no later decision of the same entity and rule is there.
func (d *Decisions) Forget(ctx context.Context, ds []sundew.Decision) error {
	records := make([]Record, len(ds))
	for i := range ds {
		records[i] = Record{Key: []byte(ds[i].Key())}
	}
	return d.producer.Produce(ctx, d.topic, ByKey, records)
}

// FollowDecisions reads the topic of decisions from its start and calls fn with what it finds, from one goroutine, until
// ctx ends, which is nil, or fn returns an error. Decisions of one entity and rule come in order. caughtUp is true in
// exactly one call, possibly without decisions: when everything that the topic held at the beginning has been given. A
// record that is no decision is logged and left out. While the broker is away it tries again.
func FollowDecisions(ctx context.Context, c KafkaConfig, log *slog.Logger, fn func(ctx context.Context, ds []sundew.Decision, caughtUp bool) error) error {
	return followDecisions(ctx, follower{config: c, topic: TopicDecisions, compacted: true, log: log}, fn)
}

func followDecisions(ctx context.Context, f follower, fn func(ctx context.Context, ds []sundew.Decision, caughtUp bool) error) error {
	return f.run(ctx, nil, func(ctx context.Context, got fetched) error {
		ds := make([]sundew.Decision, 0, len(got.records))
		for i := range got.records {
			r := &got.records[i]
			if r.tombstone {
				continue
			}
			var decision sundew.Decision
			if err := json.Unmarshal(r.value, &decision); err != nil {
				f.log.ErrorContext(ctx, "record is no decision", "topic", f.topic,
					"partition", got.at.Partition, "offset", r.offset, "error", err)
				continue
			}
			ds = append(ds, decision)
		}
		if len(ds) == 0 && !got.caughtUp {
			return nil
		}
		return fn(ctx, ds, got.caughtUp)
	})
}
