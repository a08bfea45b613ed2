package ingest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"
)

// holdings knows which partitions a member of a group works on.
type holdings struct {
	sync.Mutex
	held    map[int32]int
	changed chan struct{}
}

func newHoldings() *holdings {
	return &holdings{held: map[int32]int{}, changed: make(chan struct{}, 1)}
}

func (h *holdings) hold(ctx context.Context, partition int32) error {
	h.move(partition, 1)
	<-ctx.Done()
	h.move(partition, -1)
	return ctx.Err()
}

func (h *holdings) move(partition int32, by int) {
	h.Lock()
	h.held[partition] += by
	if h.held[partition] == 0 {
		delete(h.held, partition)
	}
	h.Unlock()
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *holdings) partitions() []int32 {
	h.Lock()
	defer h.Unlock()
	return slices.Sorted(maps.Keys(h.held))
}

// await waits until a member or two hold what they should.
func await(t *testing.T, what string, ok func() bool, members ...*holdings) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-members[0].changed:
		case <-members[len(members)-1].changed:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestShareTopicDividesPartitions(t *testing.T) {
	everyBroker(t, func(t *testing.T, c KafkaConfig) {
		topic := newTopic(t, c, 4, "delete")
		all := []int32{0, 1, 2, 3}
		start := func(h *holdings) (leave func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- ShareTopic(ctx, c, topic+".group", topic, quiet(), h.hold) }()
			return func() {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("left with %v", err)
				}
			}
		}
		first, second := newHoldings(), newHoldings()
		leaveFirst := start(first)
		await(t, "the only member has all partitions", func() bool { return slices.Equal(first.partitions(), all) }, first)

		leaveSecond := start(second)
		await(t, "two members divide the partitions", func() bool {
			a, b := first.partitions(), second.partitions()
			return len(a) == 2 && len(b) == 2 && slices.Equal(slices.Sorted(slices.Values(slices.Concat(a, b))), all)
		}, first, second)

		leaveFirst()
		await(t, "who stays has all partitions", func() bool { return slices.Equal(second.partitions(), all) }, second)
		leaveSecond()
		if left := second.partitions(); len(left) > 0 {
			t.Errorf("after it left a member still works on %v", left)
		}
	})
}

func TestShareTopicEndsWithAFailure(t *testing.T) {
	c, _ := embedded(t)
	topic := newTopic(t, c, 2, "delete")
	broken := errors.New("broken")
	err := ShareTopic(t.Context(), c, "group", topic, quiet(), func(ctx context.Context, partition int32) error {
		if partition == 1 {
			return broken
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the failure of partition 1", err)
	}
}
