package store

import (
	"testing"
	"time"

	"sundew"
)

// testStatistics is what every engine that sums up must do.
func testStatistics(t *testing.T, open func(t *testing.T) Store) {
	fresh := func(t *testing.T) (Store, Statistics) {
		s := open(t)
		t.Cleanup(func() { _ = s.Close() })
		return s, s.(Statistics)
	}
	t.Run("an empty store", func(t *testing.T) {
		_, sums := fresh(t)
		rules, err := sums.RuleStatistics(t.Context(), always)
		if err != nil || len(rules) != 0 {
			t.Errorf("rules: %v, %v", rules, err)
		}
		channels, err := sums.ChannelStatistics(t.Context(), always)
		if err != nil || len(channels) != 0 {
			t.Errorf("channels: %v, %v", channels, err)
		}
		fields, err := sums.FieldCoverage(t.Context(), always)
		if err != nil || len(fields) == 0 || fields[0].Of != 0 {
			t.Errorf("fields: %v, %v", fields, err)
		}
		features, err := sums.FeaturePercentiles(t.Context(), always, sundew.KindIP)
		if err != nil || len(features) != 0 {
			t.Errorf("features: %v, %v", features, err)
		}
	})
	t.Run("rules", func(t *testing.T) {
		s, sums := fresh(t)
		ds := []sundew.Decision{
			decision("a", 0, ip("192.0.2.1"), sundew.ActionObserve), decision("b", time.Minute, ip("192.0.2.1"), sundew.ActionTarpit),
			decision("c", 2*time.Minute, device("192.0.2.1"), sundew.ActionBlock), decision("d", 3*time.Minute, ip("192.0.2.2"), sundew.ActionBlock),
			decision("e", 4*time.Minute, ip("192.0.2.2"), sundew.ActionChallenge), decision("f", time.Hour, ip("192.0.2.9"), sundew.ActionBlock),
		}
		ds[3].Shadow, ds[4].Rule = true, "probe@2"
		record(t, s, sundew.Batch{}, nil, ds)
		got, err := sums.RuleStatistics(t.Context(), span(0, time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "rules", got, []RuleStatistic{
			{Rule: "probe@1", Entities: 3, Shadow: 1, Observed: 1, Tarpitted: 1, Blocked: 1, First: at(0), Last: at(3 * time.Minute)},
			{Rule: "probe@2", Entities: 1, Challenged: 1, First: at(4 * time.Minute), Last: at(4 * time.Minute)},
		})
	})
	t.Run("channels", func(t *testing.T) {
		s, sums := fresh(t)
		b := batchOf(request(0, 0, "192.0.2.1"), request(1, time.Second, "192.0.2.1"), request(2, time.Hour, "192.0.2.1"))
		said := func(channel string, nats float64) sundew.Evidence {
			return sundew.Evidence{Channel: channel, Nats: nats, Window: time.Minute, Sentence: `"quoted" \ `}
		}
		scores := []sundew.Score{
			{Time: at(0), Entity: ip("192.0.2.1"), Points: 50, Event: &b.Events[0], Evidence: []sundew.Evidence{said("rate", 2), said("outcome", 1)}},
			{Time: at(0), Entity: device("x"), Points: 50, Event: &b.Events[0], Evidence: []sundew.Evidence{said("rate", 4)}},
			{Time: at(time.Second), Entity: ip("192.0.2.1"), Points: 50, Event: &b.Events[1], Evidence: []sundew.Evidence{said("rate", 9)}},
			{Time: at(time.Second), Entity: device("y"), Points: 50, Event: &b.Events[1]},
			{Time: at(time.Hour), Entity: device("y"), Points: 50, Event: &b.Events[2], Evidence: []sundew.Evidence{said("late", 9)}},
		}
		record(t, s, b, scores, nil)
		got, err := sums.ChannelStatistics(t.Context(), span(0, time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "channels", got, []ChannelStatistic{{"rate", 3, 2, 4, 9}, {"outcome", 1, 1, 1, 1}})
	})
	t.Run("fields", func(t *testing.T) {
		s, sums := fresh(t)
		full, bare := fullEvent(), sundew.NewEvent()
		bare.Time, bare.Client, bare.Offset = noon, full.Client, 1
		late := full
		late.Time, late.Offset = at(time.Hour), 2
		record(t, s, batchOf(full, bare, late), nil, nil)
		got, err := sums.FieldCoverage(t.Context(), span(0, time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, f := range got {
			if f.Requests != 1 || f.Of != 2 {
				t.Errorf("%s: %d of %d, want 1 of 2", f.Field, f.Requests, f.Of)
			}
			seen[f.Field] = true
		}
		for _, field := range []string{"device.id", "auth.outcome", "captcha.score", "client.as.number"} {
			if !seen[field] {
				t.Errorf("%s is missing", field)
			}
		}
	})
	t.Run("features by weight", func(t *testing.T) {
		s, sums := fresh(t)
		kept, keeps := s.(EvaluationStore)
		if !keeps {
			return
		}
		events := make([]sundew.Event, 100)
		var evaluations []Evaluation
		for i := range events {
			events[i] = request(int64(i), time.Duration(i)*time.Second, "192.0.2.1")
			v := evaluation(&events[i], ip("192.0.2.1"), float64(i)) // 0 to 99, in a time of their own each
			if v.Weight = 1; i >= 50 {
				v.Weight = 9
			}
			other := evaluation(&events[i], device("x"), 1000)
			evaluations = append(evaluations, v, other)
		}
		recordEvaluations(t, kept, evaluations)
		got, err := sums.FeaturePercentiles(t.Context(), span(0, time.Hour), sundew.KindIP)
		if err != nil {
			t.Fatal(err)
		}
		// Weights sum to 500: half of that is reached in the 23rd of the heavy ones, since 50 + 22*9 < 250 <= 50 + 23*9.
		equal(t, "requests", got[sundew.Requests1m], FeaturePercentiles{sundew.Requests1m, 500, 72, 94, 99, 99, 99})
		equal(t, "lift", got[sundew.FailureLift10m], FeaturePercentiles{sundew.FailureLift10m, 500, 1.25, 1.25, 1.25, 1.25, 1.25})
	})
}

func TestStatisticsInDuckDB(t *testing.T) {
	testStatistics(t, func(t *testing.T) Store { return openDuckDB(t, "") })
}

func TestStatisticsInClickHouse(t *testing.T) {
	testStatistics(t, func(t *testing.T) Store { return openClickHouse(t) })
}
