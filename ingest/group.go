package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
)

// The times of a consumer group: who is silent for a session loses its partitions.
const (
	groupSession   = 10 * time.Second
	groupHeartbeat = 2 * time.Second
	groupRebalance = 15 * time.Second
)

// ShareTopic divides the partitions of a topic among the processes that call it with the same group, and runs fn for each
// that falls to this one, until ctx ends, which is nil, or an fn fails. The context of fn ends when its partition goes to
// another process, and fn then returns within a second. The group commits no offsets: fn knows where its partition stands.
//
// A process that was stopped for longer than a session may go on with a partition that another one has by then.
func ShareTopic(ctx context.Context, c KafkaConfig, group, topic string, log *slog.Logger, fn func(ctx context.Context, partition int32) error) error {
	config, err := c.group(group, topic)
	if err != nil {
		return err
	}
	members, err := kafka.NewConsumerGroup(config)
	if err != nil {
		return fmt.Errorf("consumer group %s: %w", group, err)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	pause := newBackoff()
	for {
		generation, err := members.Next(ctx)
		if ctx.Err() != nil {
			return errors.Join(failure(ctx), members.Close())
		}
		if err != nil {
			log.WarnContext(ctx, "no part in the consumer group, trying again", "group", group, "error", err)
			_ = pause.wait(ctx) // Next says whether ctx has ended
			continue
		}
		pause.reset()
		log.InfoContext(ctx, "part in the consumer group", "group", group, "generation", generation.ID, "partitions", len(generation.Assignments[topic]))
		for _, assigned := range generation.Assignments[topic] {
			generation.Start(func(ctx context.Context) {
				if err := fn(ctx, int32(assigned.ID)); err != nil && ctx.Err() == nil {
					fail(fmt.Errorf("partition %d of %s: %w", assigned.ID, topic, err))
				}
			})
		}
	}
}

// failure is the error that ended ctx, nil where its parent did.
func failure(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (c KafkaConfig) group(id, topic string) (kafka.ConsumerGroupConfig, error) {
	if err := c.Validate(); err != nil {
		return kafka.ConsumerGroupConfig{}, err
	}
	tlsConfig, err := c.TLS.load()
	if err != nil {
		return kafka.ConsumerGroupConfig{}, err
	}
	mechanism, err := c.SASL.load()
	if err != nil {
		return kafka.ConsumerGroupConfig{}, err
	}
	return kafka.ConsumerGroupConfig{
		ID:      id,
		Brokers: c.Brokers,
		Topics:  []string{topic},
		Dialer: &kafka.Dialer{
			ClientID: c.ClientID, Timeout: c.DialTimeout, DualStack: true, TLS: tlsConfig, SASLMechanism: mechanism,
		},
		SessionTimeout:        groupSession,
		HeartbeatInterval:     groupHeartbeat,
		RebalanceTimeout:      groupRebalance,
		WatchPartitionChanges: true,
		StartOffset:           kafka.FirstOffset,
	}, nil
}
