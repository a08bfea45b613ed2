package store

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type storeMetrics struct {
	rows     *prometheus.CounterVec
	repeated *prometheus.CounterVec
	below    prometheus.Counter
	gaps     prometheus.Counter
	pruned   prometheus.Counter
	seconds  prometheus.Histogram
	errors   *prometheus.CounterVec
}

func newStoreMetrics() *storeMetrics {
	return &storeMetrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_store_rows_total", Help: "Rows committed, by table.",
		}, []string{"table"}),
		repeated: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_store_repeated_rows_total", Help: "Rows that came again and were skipped, by table.",
		}, []string{"table"}),
		below: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_store_scores_below_total", Help: "Scores not kept because their points are below the configured minimum.",
		}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_store_missing_offsets_total", Help: "Offsets between the resume point and the first offset of a batch: lines that never reached the store.",
		}),
		pruned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_store_pruned_rows_total", Help: "Rows removed because they are older than the retention.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sundew_store_record_seconds", Help: "Time to commit one batch.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_store_errors_total", Help: "Failures, by operation.",
		}, []string{"operation"}),
	}
}

func (m *storeMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.rows, m.repeated, m.below, m.gaps, m.pruned, m.seconds, m.errors}
}

func (m *storeMetrics) register(reg prometheus.Registerer) error { return register(reg, m.all()...) }

// unregister lets a store that is opened again count on the same registry.
func (m *storeMetrics) unregister(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for _, collector := range m.all() {
		reg.Unregister(collector)
	}
}

// register puts the collectors on reg; a nil reg counts without showing.
func register(reg prometheus.Registerer, collectors ...prometheus.Collector) error {
	if reg == nil {
		return nil
	}
	for _, collector := range collectors {
		if err := reg.Register(collector); err != nil {
			return fmt.Errorf("store metrics: %w", alreadyThere(err))
		}
	}
	return nil
}

func alreadyThere(err error) error {
	if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return errors.New("the registry holds those of another store: give each store its own registry, or a label of its own")
	}
	return err
}
