package sim

import (
	"context"
	"fmt"
	"math"
	"time"

	"sundew"
)

// tick is the time between two looks at what is due, and paceBatch the most events that are emitted as one.
const (
	tick      = 100 * time.Millisecond
	paceBatch = 1024
)

// Pace emits the rest of src's events as their time comes: event time runs at the given speed, above 0, from the
// configured start, beginning at the first call of now. Events of a tick go out as one batch, or as several where there
// are many; emit may keep them. Pace returns nil when src is done or ctx ends, and emit's error, wrapped, at once.
func Pace(ctx context.Context, src *Traffic, speed float64, now func() time.Time, emit func(context.Context, []sundew.Event) error) error {
	if speed == 0 || !within(speed, 0, math.MaxFloat64) {
		return fmt.Errorf("sim: speed is %g: it must be finite and above 0", speed)
	}
	began := now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for !src.done() {
		due := seconds(now().Sub(began).Seconds() * speed)
		if err := emitUntil(ctx, src, due, emit); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
	return nil
}

// emitUntil emits what is due at the given time after the start, unless ctx ends.
func emitUntil(ctx context.Context, src *Traffic, due time.Duration, emit func(context.Context, []sundew.Event) error) error {
	for ctx.Err() == nil {
		events := src.until(due, paceBatch)
		if len(events) == 0 {
			return nil
		}
		if err := emit(ctx, events); err != nil && ctx.Err() == nil {
			return fmt.Errorf("emit events: %w", err)
		}
	}
	return nil
}

// until takes at most n events that are due at the given time after the start.
func (t *Traffic) until(due time.Duration, n int) []sundew.Event {
	var events []sundew.Event
	for len(events) < n {
		if t.launchDue(); len(t.queue) == 0 || t.queue[0].at > due {
			break
		}
		var e sundew.Event
		t.next(&e)
		events = append(events, e)
	}
	return events
}

// done says that no event is left.
func (t *Traffic) done() bool {
	t.launchDue()
	return len(t.queue) == 0
}
