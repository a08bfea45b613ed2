package sim_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"sundew"
	"sundew/sim"
)

// emitted is an event and when it went out.
type emitted struct {
	sundew.Event
	at time.Time
}

func demo(start time.Time, lasts time.Duration) sim.Config {
	c := sim.Demo(start)
	c.Duration = lasts
	return c
}

// TestPaceKeepsTime checks that each event goes out at its time, 100 milliseconds later at the most, and none is lost.
func TestPaceKeepsTime(t *testing.T) {
	for _, test := range []struct {
		story string
		speed float64
	}{{"real time", 1}, {"sixty times faster", 60}, {"half as fast", 0.5}} {
		t.Run(test.story, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c := demo(began, 2*time.Minute)
				want := all(t, begin(t, c))
				var got []emitted
				err := sim.Pace(t.Context(), begin(t, c), test.speed, time.Now, func(_ context.Context, events []sundew.Event) error {
					for _, e := range events {
						got = append(got, emitted{e, time.Now()})
					}
					return nil
				})
				if err != nil || len(got) != len(want) {
					t.Fatalf("%d events went out of %d, %v", len(got), len(want), err)
				}
				for i, e := range got {
					if e.RequestID != want[i].RequestID {
						t.Fatalf("event %d is another than that of the stream", i)
					}
					due := began.Add(time.Duration(float64(e.Time.Sub(began)) / test.speed))
					if late := e.at.Sub(due); late < 0 || late > 100*time.Millisecond+time.Microsecond {
						t.Fatalf("event %d, due at %s, went out %s later", i, due.Sub(began), late)
					}
				}
			})
		})
	}
}

func TestPaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		err := sim.Pace(ctx, begin(t, demo(began, time.Hour)), 1, time.Now, func(context.Context, []sundew.Event) error { return nil })
		if took := time.Since(began); err != nil || took != 10*time.Second {
			t.Errorf("ended after %s with %v", took, err)
		}
	})
}

func TestPaceReturnsWhatEmitSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		calls := 0
		err := sim.Pace(t.Context(), begin(t, demo(time.Now(), time.Hour)), 1, time.Now, func(context.Context, []sundew.Event) error {
			calls++
			return full
		})
		if !errors.Is(err, full) || calls != 1 {
			t.Errorf("after %d calls: %v", calls, err)
		}
	})
}

// TestPaceCatchesUpInBatches lets the machine sleep for an hour.
func TestPaceCatchesUpInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		now := func() time.Time {
			if t := time.Now(); t.After(began) {
				return t.Add(time.Hour)
			}
			return began
		}
		largest, total := 0, 0
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		err := sim.Pace(ctx, begin(t, demo(began, 2*time.Hour)), 1, now, func(_ context.Context, events []sundew.Event) error {
			largest = max(largest, len(events))
			total += len(events)
			return nil
		})
		if err != nil || total < 10_000 || largest > 1024 {
			t.Errorf("%d events in batches of up to %d: %v", total, largest, err)
		}
	})
}

func TestPaceRefusesNoSpeed(t *testing.T) {
	for _, speed := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if err := sim.Pace(t.Context(), begin(t, small(1)), speed, time.Now, nil); err == nil {
			t.Errorf("speed %g is accepted", speed)
		}
	}
}
