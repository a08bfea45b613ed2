package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// The topics of the contract.
const (
	TopicRequests    = "sundew.requests"    // log lines, keyed by the client's network
	TopicPartials    = "sundew.partials"    // partial counts of devices, accounts, keys and fingerprints
	TopicDecisions   = "sundew.decisions"   // decisions, compacted by entity and rule
	TopicControl     = "sundew.control"     // labels, manual decisions, activations of rules
	TopicDeadLetters = "sundew.deadletters" // lines that could not be read
)

// Offsets that stand for an end of a partition.
const (
	LogStart int64 = kafka.FirstOffset // -2: the oldest record still held
	LogEnd   int64 = kafka.LastOffset  // -1: behind the newest record
)

// deadLetterRetention leaves time to mend a gateway's format and to replay what it rejected.
const deadLetterRetention = 7 * 24 * time.Hour

// Ping asks the brokers for the layout of the cluster. The error says what to do.
func Ping(ctx context.Context, c KafkaConfig) error {
	b, err := newBroker(c)
	if err != nil {
		return err
	}
	defer b.close()
	if _, err := b.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}}); err != nil {
		return b.unreachable(err)
	}
	return nil
}

// EnsureTopics creates the topics of the contract that are missing, each with the given number of partitions, and waits
// until every partition of all five has a leader. Topics that exist stay as they are: their number of partitions is part
// of the layout of the state.
func EnsureTopics(ctx context.Context, c KafkaConfig, partitions int) error {
	if partitions < 1 {
		return fmt.Errorf("%d partitions: want at least 1", partitions)
	}
	return ensureTopics(ctx, c, []kafka.TopicConfig{
		topicConfig(c, TopicRequests, partitions, "delete", c.Retention),
		topicConfig(c, TopicPartials, partitions, "delete", c.Retention),
		topicConfig(c, TopicDecisions, partitions, "compact", -1),
		topicConfig(c, TopicControl, 1, "delete", -1),
		topicConfig(c, TopicDeadLetters, partitions, "delete", deadLetterRetention),
	})
}

// topicConfig describes a topic; a retention below 0 keeps records for ever.
func topicConfig(c KafkaConfig, name string, partitions int, policy string, retention time.Duration) kafka.TopicConfig {
	ms := int64(-1)
	if retention >= 0 {
		ms = retention.Milliseconds()
	}
	return kafka.TopicConfig{
		Topic:             name,
		NumPartitions:     partitions,
		ReplicationFactor: c.Replication,
		ConfigEntries: []kafka.ConfigEntry{
			{ConfigName: "cleanup.policy", ConfigValue: policy},
			{ConfigName: "retention.ms", ConfigValue: strconv.FormatInt(ms, 10)},
		},
	}
}

func ensureTopics(ctx context.Context, c KafkaConfig, topics []kafka.TopicConfig) error {
	b, err := newBroker(c)
	if err != nil {
		return err
	}
	defer b.close()
	present, err := b.topics(ctx)
	if err != nil {
		return b.unreachable(err)
	}
	var missing []kafka.TopicConfig
	for _, topic := range topics {
		if _, ok := present[topic.Topic]; !ok {
			missing = append(missing, topic)
		}
	}
	if len(missing) > 0 {
		if err := b.create(ctx, missing); err != nil {
			return err
		}
	}
	return b.awaitLeaders(ctx, topics)
}

// topics returns the topics of the cluster by name, as the library last saw them.
func (b *broker) topics(ctx context.Context) (map[string]kafka.Topic, error) {
	layout, err := b.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	byName := make(map[string]kafka.Topic, len(layout.Topics))
	for _, topic := range layout.Topics {
		byName[topic.Name] = topic
	}
	return byName, nil
}

func (b *broker) create(ctx context.Context, topics []kafka.TopicConfig) error {
	answer, err := b.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for name, err := range answer.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", name, err)
		}
	}
	return nil
}

// awaitLeaders returns when every partition of the topics can be written to.
func (b *broker) awaitLeaders(ctx context.Context, topics []kafka.TopicConfig) error {
	pause := newBackoff()
	for {
		present, err := b.topics(ctx)
		if err != nil {
			return fmt.Errorf("ask for topics: %w", err)
		}
		waiting := withoutLeader(present, topics)
		if waiting == "" {
			return nil
		}
		b.close() // the library answers from its memory, which new connections do not have
		if err := pause.wait(ctx); err != nil {
			return fmt.Errorf("wait for a leader of topic %s: %w", waiting, err)
		}
	}
}

// withoutLeader names a topic that cannot be written to yet, "" where all can.
func withoutLeader(present map[string]kafka.Topic, topics []kafka.TopicConfig) string {
	for _, want := range topics {
		topic, ok := present[want.Topic]
		if !ok || topic.Error != nil || len(topic.Partitions) == 0 {
			return want.Topic
		}
		for _, p := range topic.Partitions {
			if p.Error != nil || p.Leader.Host == "" {
				return want.Topic
			}
		}
	}
	return ""
}

// Partitions returns how many partitions the topic has.
func Partitions(ctx context.Context, c KafkaConfig, topic string) (int, error) {
	b, err := newBroker(c)
	if err != nil {
		return 0, err
	}
	defer b.close()
	return b.partitions(ctx, topic)
}

func (b *broker) partitions(ctx context.Context, topic string) (int, error) {
	present, err := b.topics(ctx)
	if err != nil {
		return 0, b.unreachable(err)
	}
	found, ok := present[topic]
	if !ok || found.Error != nil || len(found.Partitions) == 0 {
		return 0, fmt.Errorf("topic %s does not exist on broker %s: create it, or correct kafka.brokers", topic, b.addresses)
	}
	return len(found.Partitions), nil
}

// offsets returns the oldest offset that a partition holds and the one behind its newest.
func (b *broker) offsets(ctx context.Context, topic string, partition int) (first, end int64, err error) {
	answer, err := b.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)},
	}})
	if err != nil {
		return 0, 0, err
	}
	for _, p := range answer.Topics[topic] {
		if p.Partition != partition {
			continue
		}
		return p.FirstOffset, p.LastOffset, p.Error
	}
	return 0, 0, fmt.Errorf("no offsets for %s/%d", topic, partition)
}
