package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"sundew/scoring"
)

// learnedMetrics shows what the engines have learned, once per epoch of each.
type learnedMetrics struct {
	epoch, clientDays, evidence, weights, held, labelled, rates, hits, routes *prometheus.GaugeVec
}

func newLearnedMetrics(reg prometheus.Registerer) *learnedMetrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"partition"}, labels...))
		reg.MustRegister(g)
		return g
	}
	return &learnedMetrics{
		epoch:      gauge("sundew_epoch_start_seconds", "When the knowledge in force came into force, in Unix seconds of the log's time."),
		rates:      gauge("sundew_expected_rate", "Further requests in an active minute that are expected.", "kind"),
		hits:       gauge("sundew_expected_hits", "Probability that a trial of a channel hits, of the channels that learn it.", "channel", "kind"),
		routes:     gauge("sundew_known_routes", "Classes of routes whose volume is known, and those of them that too many are loud about to be heard.", "kind", "heard"),
		clientDays: gauge("sundew_calibration_client_days", "Client-days that the calibration rests on, old ones counting in part.", "kind", "known"),
		evidence:   gauge("sundew_calibration_nats", "Nats that evidence of ln 10,000, the least that is acted on, counts as.", "kind", "known"),
		weights:    gauge("sundew_channel_weight", "Weight of a channel, or of the product of all, in the evidence.", "channel"),
		held:       gauge("sundew_points_held", "The most points that labels leave of so many.", "points"),
		labelled:   gauge("sundew_labelled_entities", "Entities with a label in force."),
	}
}

func (m *learnedMetrics) show(partition int32, l scoring.Learned) {
	of := fmt.Sprint(partition)
	for _, s := range l.Segments {
		known := strconv.FormatBool(s.Known)
		m.clientDays.WithLabelValues(of, s.Kind.String(), known).Set(s.ClientDays)
		m.evidence.WithLabelValues(of, s.Kind.String(), known).Set(math.Log(s.Lowered))
	}
	m.epoch.WithLabelValues(of).Set(float64(l.Epoch) * 24 * 3600)
	for _, k := range l.Kinds {
		kind := k.Kind.String()
		if k.Rate > 0 {
			m.rates.WithLabelValues(of, kind).Set(k.Rate)
		}
		m.routes.WithLabelValues(of, kind, "true").Set(float64(k.Routes - k.Muted))
		m.routes.WithLabelValues(of, kind, "false").Set(float64(k.Muted))
		for channel, p := range k.Hits {
			m.hits.WithLabelValues(of, channel, kind).Set(p)
		}
	}
	for channel, weight := range l.Weights {
		m.weights.WithLabelValues(of, channel).Set(weight)
	}
	for i, points := range l.Held {
		m.held.WithLabelValues(of, fmt.Sprint((i+1)*100/len(l.Held))).Set(points)
	}
	m.labelled.WithLabelValues(of).Set(float64(l.Labelled))
}
