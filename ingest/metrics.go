package ingest

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"sundew"
)

// Metrics counts what topic sources read. One value serves any number of them. The nil *Metrics counts nothing.
type Metrics struct {
	result   *prometheus.CounterVec
	reason   *prometheus.CounterVec
	trimmed  *prometheus.CounterVec
	failures prometheus.Counter
	gaps     prometheus.Counter
	behind   *prometheus.GaugeVec
}

// NewMetrics registers the metrics of topic sources.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return &Metrics{
		result: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_topic_lines_total", Help: "Lines read from topics, by result: parsed, skipped, repeated, rejected.",
		}, []string{"result"})),
		reason: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_topic_rejected_total", Help: "Lines of topics that could not be read, by reason.",
		}, []string{"reason"})),
		trimmed: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_topic_trimmed_total", Help: "Texts cut to their bound and attributes beyond theirs.",
		}, []string{"what"})),
		failures: register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_ingest_topic_fetch_failures_total", Help: "Fetches that failed and were tried again.",
		})),
		gaps: register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_ingest_topic_gaps_total", Help: "Offsets that a partition should hold and does not; each stops a reader.",
		})),
		behind: register(reg, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sundew_ingest_topic_lag_records", Help: "Records between the last batch and the end of the partition.",
		}, []string{"topic", "partition"})),
	}
}

func (m *Metrics) lines(b sundew.Batch, skippedLines, repeated int, trims Trims) {
	if m == nil {
		return
	}
	m.result.WithLabelValues("parsed").Add(float64(len(b.Events)))
	m.result.WithLabelValues("skipped").Add(float64(skippedLines))
	m.result.WithLabelValues("repeated").Add(float64(repeated))
	m.result.WithLabelValues("rejected").Add(float64(len(b.Rejected)))
	for i := range b.Rejected {
		m.reason.WithLabelValues(b.Rejected[i].Reason).Inc()
	}
	m.trimmed.WithLabelValues("text").Add(float64(trims.Cut))
	m.trimmed.WithLabelValues("attribute").Add(float64(trims.Dropped))
}

func (m *Metrics) lag(topic string, partition int32, records int64) {
	if m != nil {
		m.behind.WithLabelValues(topic, strconv.Itoa(int(partition))).Set(float64(records))
	}
}

func (m *Metrics) fetchFailed() {
	if m != nil {
		m.failures.Inc()
	}
}

func (m *Metrics) gap() {
	if m != nil {
		m.gaps.Inc()
	}
}

// register returns c, or the equal collector that reg has already: two producers may share a registry. A nil reg keeps c
// to itself.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	err := reg.Register(c)
	if taken, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return taken.ExistingCollector.(C)
	}
	if err != nil {
		panic(err) // two metrics of this package with one name: a mistake in this file
	}
	return c
}
