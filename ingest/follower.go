package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"sundew"
)

// follower reads all partitions of a topic.
type follower struct {
	config    KafkaConfig
	topic     string
	compacted bool
	log       *slog.Logger
}

// fetched is what one partition gave at one time.
type fetched struct {
	at       sundew.Position
	records  []record
	caughtUp bool // all partitions have given what they held at the beginning; true once
}

// run calls fn, from one goroutine, with what the partitions give until ctx ends or fn fails. Partitions are read
// concurrently, because a broker answers a fetch of an idle one late; each waits until its records are done with.
func (f *follower) run(ctx context.Context, from map[int32]int64, fn func(context.Context, fetched) error) error {
	b, err := newBroker(f.config)
	if err != nil {
		return err
	}
	defer b.close()
	n, err := f.partitions(ctx, b)
	if err != nil {
		return ended(ctx, err)
	}
	var (
		group, running = errgroup.WithContext(ctx)
		arrived        = make(chan arrival)
	)
	for p := range n {
		start, ok := from[int32(p)]
		if !ok {
			start = LogStart
		}
		reader := &partitionReader{
			broker: b, topic: f.topic, partition: p, next: start, compacted: f.compacted,
			maxBytes: defaultFetchBytes, maxWait: defaultFetchWait,
		}
		group.Go(func() error { return f.read(running, reader, arrived) })
	}
	group.Go(func() error { return hand(running, n, arrived, fn) })
	return ended(ctx, group.Wait())
}

// ended turns the end of ctx, which is how a follower is stopped, into nil.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// partitions asks until the broker answers.
func (f *follower) partitions(ctx context.Context, b *broker) (int, error) {
	pause := newBackoff()
	for {
		n, err := b.partitions(ctx, f.topic)
		if err == nil {
			return n, nil
		}
		f.log.WarnContext(ctx, "topic cannot be followed, trying again", "topic", f.topic, "error", err)
		b.close()
		if err := pause.wait(ctx); err != nil {
			return 0, err
		}
	}
}

// arrival is records on their way from the goroutine of a partition to that of fn.
type arrival struct {
	fetched
	complete bool // the partition has given what it held at the beginning; true once
	handled  chan struct{}
}

// read fetches one partition for ever.
func (f *follower) read(ctx context.Context, r *partitionReader, arrived chan<- arrival) error {
	goal, started := int64(0), false
	handled := make(chan struct{}, 1)
	pause := newBackoff()
	failing := false
	complete := false
	for {
		first := r.next
		records, err := f.step(ctx, r, &goal, &started)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, gap := errors.AsType[*GapError](err); gap {
			return err
		}
		if err != nil {
			if !failing {
				f.log.WarnContext(ctx, "topic cannot be read, trying again",
					"topic", f.topic, "partition", r.partition, "offset", r.next, "error", err)
			}
			failing = true
			if err := pause.wait(ctx); err != nil {
				return err
			}
			continue
		}
		failing = false
		pause.reset()
		reached := !complete && started && r.next >= goal
		if len(records) == 0 && !reached {
			continue
		}
		complete = complete || reached
		if first < 0 {
			first = r.next
		}
		at := sundew.Position{Partition: int32(r.partition), First: first, Next: r.next}
		select {
		case arrived <- arrival{fetched{at: at, records: records}, reached, handled}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-handled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// step looks up where the partition begins and ends, and fetches after that.
func (f *follower) step(ctx context.Context, r *partitionReader, goal *int64, started *bool) ([]record, error) {
	if *started {
		return r.fetch(ctx)
	}
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	*goal, *started = r.end, true
	return nil, nil
}

// hand calls fn with what arrives, and says when the last of n partitions is complete.
func hand(ctx context.Context, n int, arrived <-chan arrival, fn func(context.Context, fetched) error) error {
	missing := n
	for {
		select {
		case a := <-arrived:
			if a.complete {
				missing--
				a.caughtUp = missing == 0
			}
			if err := fn(ctx, a.fetched); err != nil {
				return fmt.Errorf("take records of partition %d: %w", a.at.Partition, err)
			}
			a.handled <- struct{}{}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
