package sim_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"sundew"
	"sundew/sim"
)

// small returns an hour of evening traffic with every attack once, at the given intensity.
func small(intensity float64) sim.Config {
	c := sim.DefaultConfig()
	c.Start = time.Date(2026, time.January, 5, 17, 30, 0, 0, time.UTC)
	c.Duration = time.Hour
	c.Clients = 200
	for i := range c.Attacks {
		c.Attacks[i].After = time.Duration(i) * time.Minute
		c.Attacks[i].Intensity = intensity
	}
	return c
}

func begin(t testing.TB, c sim.Config) *sim.Traffic {
	t.Helper()
	traffic, err := sim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return traffic
}

// labelled is a request with the truth about it.
type labelled struct {
	sundew.Event
	sim.Label
}

// all takes the rest of the traffic.
func all(t testing.TB, traffic *sim.Traffic) []labelled {
	t.Helper()
	var taken []labelled
	for {
		e, label, err := traffic.NextLabelled(t.Context())
		if errors.Is(err, io.EOF) {
			return taken
		}
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, labelled{e, label})
	}
}

func ndjson(t *testing.T, c sim.Config) string {
	t.Helper()
	var text strings.Builder
	if _, err := sim.WriteNDJSON(t.Context(), begin(t, c), &text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestSameSeedSameBytes(t *testing.T) {
	c := small(0.7)
	first, second := ndjson(t, c), ndjson(t, c)
	if first == "" || first != second {
		t.Error("two runs of one configuration differ")
	}
}

func TestEveryLineChangesWithTheSeed(t *testing.T) {
	c := small(0.7)
	first := make(map[string]bool)
	for line := range strings.Lines(ndjson(t, c)) {
		first[line] = true
	}
	c.Seed++
	for line := range strings.Lines(ndjson(t, c)) {
		if first[line] {
			t.Fatalf("another seed gives the line again: %s", line)
		}
	}
}

func TestEventTimeNeverGoesBack(t *testing.T) {
	c := small(0.7)
	last := c.Start
	for i, e := range all(t, begin(t, c)) {
		if e.Time.Before(last) {
			t.Fatalf("event %d is at %s, the one before it at %s", i, e.Time, last)
		}
		last = e.Time
		if e.GatewaySequence != uint64(i)+1 || e.Offset != int64(i) {
			t.Fatalf("event %d has the sequence %d and the offset %d", i, e.GatewaySequence, e.Offset)
		}
	}
	if end := c.Start.Add(c.Duration); !last.Before(end) || end.Sub(last) > time.Minute {
		t.Errorf("the last event is at %s, the traffic should run up to %s", last, end)
	}
}

func TestEveryEventIsWithinTheVocabulary(t *testing.T) {
	for _, e := range all(t, begin(t, small(1))) {
		switch {
		case !e.Client.IsValid(), e.Method == "", !strings.HasPrefix(e.Path, "/"), e.UserAgent == "", e.JA4 == "":
			t.Fatalf("a gateway would have said more than %+v", e)
		case e.Status < 200 || e.Status > 599:
			t.Fatalf("status %d of %s", e.Status, e.Path)
		case e.ResponseBytes < 0 || e.RequestBytes < 0 || e.Duration <= 0:
			t.Fatalf("sizes %d and %d, duration %s of %s", e.RequestBytes, e.ResponseBytes, e.Duration, e.Path)
		case e.Device != "" && e.DeviceAge < 0:
			t.Fatalf("device %s has the age %s", e.Device, e.DeviceAge)
		case e.Auth != sundew.OutcomeNone && e.AuthUsername == "":
			t.Fatalf("a login without a user name: %+v", e)
		}
		for _, entity := range e.AppendEntities(nil) {
			if canonical, err := entity.Canonical(); err != nil || canonical != entity {
				t.Fatalf("entity %s: canonical form %s, %v", entity, canonical, err)
			}
		}
	}
}

// TestAttacksLeaveOthersAlone compares the requests of legitimate clients with and without attacks, but for what numbers
// the lines of the log.
func TestAttacksLeaveOthersAlone(t *testing.T) {
	legitimate := func(c sim.Config) (events []sundew.Event) {
		for _, e := range all(t, begin(t, c)) {
			if e.Segment != "" {
				e.RequestID, e.GatewaySequence, e.Offset = "", 0, 0
				events = append(events, e.Event)
			}
		}
		return events
	}
	c := small(1)
	with := legitimate(c)
	c.Attacks = nil
	without := legitimate(c)
	if len(without) == 0 || !reflect.DeepEqual(with, without) {
		t.Errorf("%d legitimate requests with attacks, %d without, or some differ", len(with), len(without))
	}
}

func TestBatchesAreTheSameEvents(t *testing.T) {
	c := small(0.7)
	c.Batch = 100
	want := all(t, begin(t, c))
	traffic := begin(t, c)
	next := int64(0)
	for {
		b, err := traffic.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.Position.First != next || b.Position.Next != next+int64(len(b.Events)) {
			t.Fatalf("position %+v of %d events after %d", b.Position, len(b.Events), next)
		}
		for i, e := range b.Events {
			if !reflect.DeepEqual(e, want[next+int64(i)].Event) {
				t.Fatalf("event %d of the batches is\n%+v, of the stream\n%+v", next+int64(i), e, want[next+int64(i)].Event)
			}
		}
		next = b.Position.Next
		if err := traffic.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if next != int64(len(want)) {
		t.Errorf("%d events in batches, %d in the stream", next, len(want))
	}
}

func TestStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	traffic := begin(t, small(0.7))
	if _, err := traffic.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next after the end of its context: %v", err)
	}
	if _, _, err := traffic.NextLabelled(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("NextLabelled after the end of its context: %v", err)
	}
	if n, err := sim.WriteNDJSON(ctx, traffic, io.Discard); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("WriteNDJSON after the end of its context: %d, %v", n, err)
	}
	if e, _, err := traffic.NextLabelled(t.Context()); err != nil || e.GatewaySequence != 1 {
		t.Errorf("the stream should go on at its first event: %d, %v", e.GatewaySequence, err)
	}
}

func BenchmarkNext(b *testing.B) {
	traffic := begin(b, sim.DefaultConfig())
	events := 0
	b.ReportAllocs()
	for b.Loop() {
		batch, err := traffic.Next(b.Context())
		if errors.Is(err, io.EOF) {
			b.StopTimer()
			traffic = begin(b, sim.DefaultConfig())
			b.StartTimer()
		}
		events += len(batch.Events)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkWriteNDJSON(b *testing.B) {
	c := sim.DefaultConfig()
	c.Duration = time.Hour
	events := 0
	for b.Loop() {
		n, err := sim.WriteNDJSON(b.Context(), begin(b, c), io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		events += n
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
