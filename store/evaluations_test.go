package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"sundew"
)

// evaluation is one of an entity at an event, with features that tell them apart.
func evaluation(e *sundew.Event, entity sundew.Entity, requests float64) Evaluation {
	v := Evaluation{Time: e.Time, Entity: entity, Points: requests / 2, Nats: -requests, Weight: 100, Event: e}
	v.Features[sundew.Requests1m], v.Features[sundew.FailureLift10m] = requests, 1.25
	return v
}

// testEvaluations is what every engine that keeps evaluations must do.
func testEvaluations(t *testing.T, open func(t *testing.T) Store) {
	fresh := func(t *testing.T) (Store, EvaluationStore) {
		s := open(t)
		t.Cleanup(func() { _ = s.Close() })
		return s, s.(EvaluationStore)
	}
	t.Run("they come back as they were", func(t *testing.T) {
		s, kept := fresh(t)
		e := fullEvent()
		e.Offset = 3
		for i := range e.Offset {
			record(t, s, batchOf(request(i, 0, "192.0.2.1")), nil, nil)
		}
		record(t, s, batchOf(e), nil, nil)
		gone := request(9, time.Second, "192.0.2.1") // an event that the store does not have
		gone.Route = "/orders/{id}"
		want := []Evaluation{evaluation(&e, device("3f0e"), 7), evaluation(&gone, ip("192.0.2.1"), 8)}
		want[0].Fired, want[0].Weight = []string{"a@1", "b@\"2"}, 1
		want[0].Evidence = decision("", 0, ip(""), sundew.ActionBlock).Evidence
		recordEvaluations(t, kept, want)

		all := EvaluationQuery{Range: always, Evidence: true, Requests: RequestWhole}
		for f := range sundew.Feature(sundew.NumFeatures) {
			all.Features = append(all.Features, f)
		}
		line := sundew.NewEvent()
		line.Time, line.Partition, line.Offset = gone.Time, gone.Partition, gone.Offset
		line.Method, line.Host, line.Path, line.Route, line.Status = gone.Method, gone.Host, gone.Path, gone.Route, gone.Status
		want[1].Event = &line
		equal(t, "whole", scan(t, kept, all), want)

		all.Requests, all.Evidence = RequestLine, false
		first := sundew.NewEvent()
		first.Time, first.Offset, first.Method, first.Host, first.Path, first.Route, first.Status = e.Time, e.Offset, e.Method, e.Host, e.Path, e.Route, e.Status
		want[0].Event, want[0].Evidence = &first, nil
		equal(t, "with lines", scan(t, kept, all), want)

		all.Requests, all.Features = RequestNone, all.Features[:1]
		for i := range want {
			want[i].Event, want[i].Features[sundew.FailureLift10m] = nil, 0
		}
		equal(t, "one feature", scan(t, kept, all), want)
	})
	t.Run("what comes again counts once", func(t *testing.T) {
		s, kept := fresh(t)
		events := []sundew.Event{request(0, 0, "192.0.2.1"), request(1, 0, "192.0.2.1")}
		first := []Evaluation{evaluation(&events[0], ip("192.0.2.1"), 1), evaluation(&events[0], device("x"), 2)}
		second := append(slices.Clone(first), evaluation(&events[1], ip("192.0.2.1"), 3))
		for _, some := range [][]Evaluation{first, second, first, nil, second} {
			recordEvaluations(t, kept, some)
			record(t, s, batchOf(events...), nil, nil) // which has a resume point of its own
		}
		equal(t, "evaluations", len(scan(t, kept, EvaluationQuery{Range: always})), 3)
		equal(t, "resume", resume(t, s, 0), int64(2))
	})
	t.Run("bounds", func(t *testing.T) { _, kept := fresh(t); testEvaluationBounds(t, kept) })
	t.Run("hostile text", func(t *testing.T) {
		_, kept := fresh(t)
		var offset int64
		for name, text := range hostile() {
			e := request(offset, time.Duration(offset)*time.Second, "192.0.2.1")
			e.Path, e.Method, e.Host, e.Route = text, text, text, text
			v := evaluation(&e, device(text), 1)
			v.Fired = []string{text}
			recordEvaluations(t, kept, []Evaluation{v})
			got := scan(t, kept, EvaluationQuery{Range: sundew.Range{From: e.Time, To: e.Time.Add(time.Microsecond)}, Requests: RequestLine})
			if len(got) != 1 || got[0].Entity != v.Entity || got[0].Event.Path != text || got[0].Event.Route != text || got[0].Fired[0] != text {
				t.Errorf("%s: got %+v", name, got)
			}
			offset++
		}
	})
	t.Run("what cannot be weighed is refused", func(t *testing.T) {
		_, kept := fresh(t)
		e := request(0, 0, "192.0.2.1")
		for _, weight := range []float64{0, 0.99, math.NaN(), math.Inf(1)} {
			v := evaluation(&e, device("x"), 1)
			v.Weight = weight
			if err := kept.RecordEvaluations(t.Context(), []Evaluation{evaluation(&e, device("x"), 1), v}); err == nil {
				t.Errorf("weight %g was taken", weight)
			}
		}
		if err := kept.RecordEvaluations(t.Context(), []Evaluation{{Weight: 1}}); err == nil {
			t.Error("an evaluation without event was taken")
		}
		equal(t, "evaluations", len(scan(t, kept, EvaluationQuery{Range: always})), 0)
	})
	t.Run("a scan ends when it is told to", func(t *testing.T) {
		_, kept := fresh(t)
		e := request(0, 0, "192.0.2.1")
		recordEvaluations(t, kept, []Evaluation{evaluation(&e, device("x"), 1)})
		enough := errors.New("enough")
		if err := kept.ScanEvaluations(t.Context(), EvaluationQuery{Range: always}, func(*EvaluationChunk) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("got %v, want the error of each", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := kept.ScanEvaluations(ctx, EvaluationQuery{Range: always}, func(*EvaluationChunk) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func recordEvaluations(t *testing.T, s EvaluationStore, evaluations []Evaluation) {
	t.Helper()
	if err := s.RecordEvaluations(t.Context(), evaluations); err != nil {
		t.Fatal(err)
	}
}

// scan puts the columns of all chunks together again.
func scan(t *testing.T, s EvaluationStore, q EvaluationQuery) (all []Evaluation) {
	t.Helper()
	err := s.ScanEvaluations(t.Context(), q, func(c *EvaluationChunk) error {
		for i := range c.Len() {
			v := Evaluation{
				Time: time.UnixMicro(c.Time[i]).UTC(), Entity: c.Entity[i], Points: c.Points[i], Nats: c.Nats[i], Weight: c.Weight[i], Fired: c.Fired[i],
			}
			for f, feature := range q.Features {
				v.Features[feature] = c.Features[f][i]
			}
			if q.Evidence {
				v.Evidence = c.Evidence[i]
			}
			if q.Requests != RequestNone {
				event := c.Events[i]
				v.Event = &event
			}
			all = append(all, v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// testEvaluationBounds has more rows than an engine has in one chunk, out of order.
func testEvaluationBounds(t *testing.T, kept EvaluationStore) {
	const n = 5000
	events := make([]sundew.Event, n)
	evaluations := make([]Evaluation, n)
	for i := range events {
		at := (i*7919 + 13) % n // each once
		events[i] = request(int64(i), time.Duration(at)*time.Second, "192.0.2.1")
		entity := ip("192.0.2.1")
		if at%2 == 1 {
			entity = device("x")
		}
		evaluations[i] = evaluation(&events[i], entity, float64(at))
	}
	recordEvaluations(t, kept, evaluations)
	tests := []struct {
		name        string
		q           EvaluationQuery
		first, last int // requests of the first and the last
		n           int
	}{
		{"all", EvaluationQuery{Range: always}, 0, n - 1, n},
		{"a range includes its start and not its end", EvaluationQuery{Range: span(10*time.Second, 20*time.Second)}, 10, 19, 10},
		{"a kind", EvaluationQuery{Range: always, Kind: sundew.KindDevice}, 1, n - 1, n / 2},
		{"a feature within", EvaluationQuery{Range: always, Where: []FeatureBound{{sundew.Requests1m, 100, 200}}}, 100, 200, 101},
		{"a feature above", EvaluationQuery{Range: always, Where: []FeatureBound{{sundew.Requests1m, n - 10, math.Inf(1)}}}, n - 10, n - 1, 10},
		{"two features", EvaluationQuery{Range: always, Where: []FeatureBound{{sundew.Requests1m, 10, 20}, {sundew.Requests10m, 1, math.Inf(1)}}}, 0, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.q.Features = []sundew.Feature{sundew.Requests1m}
			got := scan(t, kept, test.q)
			if len(got) != test.n {
				t.Fatalf("got %d, want %d", len(got), test.n)
			}
			if !slices.IsSortedFunc(got, func(a, b Evaluation) int { return a.Time.Compare(b.Time) }) {
				t.Error("they are not in the order of time")
			}
			if test.n > 0 {
				equal(t, "first and last", []float64{got[0].Features[sundew.Requests1m], got[test.n-1].Features[sundew.Requests1m]}, []float64{float64(test.first), float64(test.last)})
			}
		})
	}
}

func TestEvaluationsInDuckDB(t *testing.T) {
	testEvaluations(t, func(t *testing.T) Store { return openDuckDB(t, "") })
}

// TestEvaluationsOlderThanAFeature has a feature invented after an evaluation was stored.
func TestEvaluationsOlderThanAFeature(t *testing.T) {
	d := openDuckDB(t, "")
	e := request(0, 0, "192.0.2.1")
	v := evaluation(&e, ip("192.0.2.1"), 5)
	v.Features[sundew.AgeSeconds] = math.NaN()
	recordEvaluations(t, d, []Evaluation{v})
	q := EvaluationQuery{Range: always, Features: []sundew.Feature{sundew.AgeSeconds}, Where: []FeatureBound{{sundew.AgeSeconds, 1, 2}}}
	got := scan(t, d, q)
	if len(got) != 1 || !math.IsNaN(got[0].Features[sundew.AgeSeconds]) {
		t.Errorf("got %+v, want it with NaN", got)
	}
}

func TestSamplingIsFairAndRepeats(t *testing.T) {
	sampling := EvaluationSampling{Rate: 20, Points: 50, Seed: 7}
	var scores []sundew.Score
	var quiet, busy, suspects float64
	for i := range 200_000 {
		e := request(int64(i), time.Duration(i)*time.Second, "192.0.2.1")
		s := sundew.Score{Time: e.Time, Entity: device(fmt.Sprint("d", i%5000)), Event: &e}
		s.Features[sundew.Requests10m] = 1
		quiet++
		switch i % 10 {
		case 0:
			s.Features[sundew.Requests10m] = 80
			quiet, busy = quiet-1, busy+1
		case 1:
			s.Points = 50
			quiet, suspects = quiet-1, suspects+1
		}
		scores = append(scores, s)
	}
	kept := sampling.Sample(scores, nil)
	var stand [3]float64
	for _, v := range kept {
		switch {
		case v.Points >= 50:
			stand[2] += v.Weight
		case v.Features[sundew.Requests10m] > 1:
			stand[1] += v.Weight
		default:
			stand[0] += v.Weight
		}
	}
	// Standard deviations of the sums, from weights of 20, 200 and 1 and chances of their inverses.
	for i, test := range []struct{ count, deviation float64 }{{quiet, math.Sqrt(quiet * 19)}, {busy, math.Sqrt(busy * 199)}, {suspects, 0}} {
		if off := math.Abs(stand[i] - test.count); off > 4*test.deviation {
			t.Errorf("stratum %d: %.0f evaluations are stood for by weights of %.0f", i, test.count, stand[i])
		}
	}
	equal(t, "again", sampling.Sample(scores, nil), kept)
	var split []Evaluation
	for chunk := range slices.Chunk(scores, 777) {
		split = append(split, sampling.Sample(chunk, nil)...)
	}
	equal(t, "in other batches", split, kept)
}

func TestSamplingKeepsWindowsWhole(t *testing.T) {
	sampling := EvaluationSampling{Rate: 10, Points: 50}
	perWindow := map[string]int{}
	for i := range 3000 {
		e := request(int64(i), time.Duration(i)*100*time.Second, "192.0.2.1") // six in a window
		s := sundew.Score{Time: e.Time, Entity: device("x"), Event: &e}
		s.Features[sundew.Requests10m] = 6
		for _, v := range sampling.Sample([]sundew.Score{s}, nil) {
			perWindow[v.Time.Truncate(samplingWindow).String()]++
		}
	}
	if len(perWindow) < 20 || len(perWindow) > 100 {
		t.Errorf("%d of 500 windows are kept, want about one in ten", len(perWindow))
	}
	for window, n := range perWindow {
		if n != 6 {
			t.Errorf("window %s has %d of its 6 evaluations", window, n)
		}
	}
}

func TestSamplingKeepsWhatFired(t *testing.T) {
	e := request(0, 0, "192.0.2.1")
	scores := []sundew.Score{
		{Time: noon, Entity: ip("192.0.2.1"), Event: &e},
		{Time: noon, Entity: device("x"), Event: &e},
		{Time: noon, Entity: device("y"), Event: &e},
	}
	one, two := decision("1", 0, device("x"), sundew.ActionBlock), decision("2", 0, device("x"), sundew.ActionObserve)
	two.Rule, two.Shadow = "guess@3", true
	sampling := EvaluationSampling{Rate: 1 << 40, Points: 50}
	got := sampling.Sample(scores, []sundew.Decision{one, two})
	equal(t, "kept", got, []Evaluation{{Time: noon, Entity: device("x"), Weight: 1, Fired: []string{"probe@1", "guess@3"}, Event: &e}})
	sampling.Rate = 0
	equal(t, "switched off", len(sampling.Sample(scores, []sundew.Decision{one, two})), 0)
}
