package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sundew"
	"sundew/ingest"
	"sundew/rules"
	"sundew/scoring"
	"sundew/store"
)

// task scores one partition of the requests. Its state and the offset it stands for are saved as one.
type task struct {
	partition int32
	source    *ingest.TopicSource
	pipeline  *sundew.Pipeline

	// As of the last batch, for those who watch.
	entities atomic.Int64
	rules    atomic.Pointer[rules.Stats]
}

const (
	snapshotEvery = 10 * time.Second
	snapshotsKept = 3
)

// openTasks restores every partition's state and opens its log at the offset that belongs to it.
func (s *server) openTasks() (map[string]func(context.Context) error, error) {
	observe, learned := newPipelineMetrics(s.registry), newLearnedMetrics(s.registry)
	components := map[string]func(context.Context) error{}
	for p := range s.partitions {
		t, err := s.openTask(int32(p), observe, learned)
		if err != nil {
			return nil, err
		}
		s.tasks = append(s.tasks, t)
		components[fmt.Sprintf("scoring %d", p)] = t.pipeline.Run
	}
	s.watchTasks()
	return components, nil
}

func (s *server) openTask(partition int32, observe func(sundew.Batch, []sundew.Score, []sundew.Decision), learned *learnedMetrics) (*task, error) {
	scorer, err := scoring.New(s.config.Scoring)
	if err != nil {
		return nil, err
	}
	policy := rules.NewEngine(s.set, s.config.Rules.Limits)
	snapshots, err := store.OpenSnapshots(filepath.Join(s.config.DataDir, "snapshots"), snapshotEvery, snapshotsKept, time.Now, s.log,
		store.NamedState{Name: "scoring", State: scorer}, store.NamedState{Name: "rules", State: policy})
	if err != nil {
		return nil, err
	}
	if err := snapshots.Register(prometheus.WrapRegistererWith(prometheus.Labels{"partition": fmt.Sprint(partition)}, s.registry)); err != nil {
		return nil, err
	}
	next, found, err := snapshots.Restore(partition)
	if err != nil {
		return nil, err
	}
	if found {
		s.log.Info("scoring resumes from its snapshot", "partition", partition, "offset", next, "entities", scorer.Entities())
	} else {
		s.log.Info("scoring begins at the start of the log", "partition", partition)
		next = ingest.LogStart
	}
	source, err := ingest.OpenTopic(s.config.Kafka, ingest.TopicRequests, partition, next, ingest.TopicOptions{
		Logger: s.log, Metrics: s.topicMetrics, Routes: s.routes, Privacy: s.privacy, MaxAhead: s.config.Ingest.MaxAhead,
	})
	if err != nil {
		return nil, err
	}
	s.closing(func() { closeLogged(s.log, "source", source) })
	t := &task{partition: partition, source: source}
	learned.show(partition, scorer.Learned())
	shown := scorer.Epoch()
	t.rules.Store(&rules.Stats{})
	t.pipeline = &sundew.Pipeline{
		Source:     source,
		Scorer:     scorer,
		Policy:     policy,
		Rejecter:   ingest.NewDeadLetterPublisher(s.producer),
		Publisher:  mark(ingest.NewDecisionPublisher(s.producer), s.privacy),
		Recorder:   history{s.buffer, s.config.Store.MinPoints, s.sampling()},
		Checkpoint: snapshots,
		Observe: func(b sundew.Batch, scores []sundew.Score, ds []sundew.Decision) {
			t.entities.Store(int64(scorer.Entities()))
			stats := policy.Stats()
			if stats.Trips > t.rules.Load().Trips {
				logTrips(s.log, partition, policy.Trips())
			}
			t.rules.Store(&stats)
			if epoch := scorer.Epoch(); epoch != shown || len(b.Labels) > 0 {
				learned.show(partition, scorer.Learned())
				shown = epoch
			}
			observe(b, scores, ds)
		},
	}
	return t, nil
}

// logTrips names the brakes that hold. One that a crash makes trip again is logged again.
func logTrips(log *slog.Logger, partition int32, trips []rules.Trip) {
	for _, trip := range trips {
		log.Warn("the brake holds: change the rule, or its guardrail, before it may act again", "name", trip.Name, "partition", partition,
			"time", trip.Time, "acted_on", trip.Reason, "entities", trip.Entities, "seen", trip.Seen, "withdrawn", trip.Withdrawn)
	}
}

// newPipelineMetrics counts what passes through all tasks.
func newPipelineMetrics(reg prometheus.Registerer) func(sundew.Batch, []sundew.Score, []sundew.Decision) {
	events := prometheus.NewCounter(prometheus.CounterOpts{Name: "sundew_events_total", Help: "Events scored."})
	rejected := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sundew_rejected_lines_total", Help: "Lines that could not be read, by reason."}, []string{"reason"})
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sundew_decisions_total", Help: "Decisions made, by action, entity kind and rule."}, []string{"action", "kind", "rule", "shadow"})
	eventTime := prometheus.NewGauge(prometheus.GaugeOpts{Name: "sundew_event_time_seconds", Help: "Event time of the newest event scored, Unix seconds."})
	reg.MustRegister(events, rejected, decisions, eventTime)
	return func(b sundew.Batch, _ []sundew.Score, ds []sundew.Decision) {
		events.Add(float64(len(b.Events)))
		for i := range b.Rejected {
			rejected.WithLabelValues(b.Rejected[i].Reason).Inc()
		}
		for i := range ds {
			d := &ds[i]
			decisions.WithLabelValues(d.Action.String(), d.Entity.Kind.String(), d.RuleID(), fmt.Sprint(d.Shadow)).Inc()
		}
		if n := len(b.Events); n > 0 {
			eventTime.Set(float64(b.Events[n-1].Time.UnixMilli()) / 1000)
		}
	}
}

// history hands on the scores that are worth keeping, and of all scores the sample that rules are tried on. Events and
// decisions reach the store from their topics, which nothing drops.
type history struct {
	next      store.BufferedStore
	minPoints float64
	sampling  store.EvaluationSampling
}

func (h history) Record(ctx context.Context, _ sundew.Batch, scores []sundew.Score, ds []sundew.Decision) error {
	if sample := h.sampling.Sample(scores, ds); len(sample) > 0 {
		if err := h.next.RecordEvaluations(ctx, sample); err != nil {
			return err
		}
	}
	var kept []sundew.Score
	for i := range scores {
		if scores[i].Points >= h.minPoints {
			kept = append(kept, scores[i])
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return h.next.Record(ctx, sundew.Batch{}, kept, nil)
}

// sampling is the configured one under the deployment's key, so that nobody can tell which evaluations are kept.
func (s *server) sampling() store.EvaluationSampling {
	sampling := s.config.Store.Evaluations
	sampling.Seed = s.config.Scoring.Seed
	return sampling
}
