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
	clientDays, evidence, weights, held, labelled *prometheus.GaugeVec
}

func newLearnedMetrics(reg prometheus.Registerer) *learnedMetrics {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, append([]string{"partition"}, labels...))
		reg.MustRegister(g)
		return g
	}
	return &learnedMetrics{
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
	for channel, weight := range l.Weights {
		m.weights.WithLabelValues(of, channel).Set(weight)
	}
	for i, points := range l.Held {
		m.held.WithLabelValues(of, fmt.Sprint((i+1)*100/len(l.Held))).Set(points)
	}
	m.labelled.WithLabelValues(of).Set(float64(l.Labelled))
}
