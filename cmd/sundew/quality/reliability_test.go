package quality

import (
	"math"
	"testing"
)

// TestClusterBootstrap: client-days that share one fate are as good as one, so that hits in few clusters leave more open
// than as many independent hits.
func TestClusterBootstrap(t *testing.T) {
	var apart, together []Cluster
	for i := range 1000 {
		apart = append(apart, Cluster{one(i < 40), 1})
	}
	for i := range 100 {
		together = append(together, Cluster{10 * one(i < 4), 10})
	}
	low, high := ClusterBootstrap(apart, .95)
	exactLow, exactHigh := ClopperPearson(40, 1000, .95)
	if math.Abs(low-exactLow) > .006 || math.Abs(high-exactHigh) > .006 {
		t.Errorf("independent: %v to %v, want about %v to %v", low, high, exactLow, exactHigh)
	}
	wideLow, wideHigh := ClusterBootstrap(together, .95)
	if !(wideLow < low && wideHigh > high+.02) {
		t.Errorf("in clusters of ten: %v to %v, want much wider than %v to %v", wideLow, wideHigh, low, high)
	}
	if low, high := ClusterBootstrap([]Cluster{{0, 5}, {0, 5}}, .95); low != 0 || high < .5 {
		t.Errorf("without a hit in two clusters: %v to %v", low, high)
	}
}

// TestReliabilityOfAnHonestForecast: where evidence is the true likelihood ratio, the actual share is the stated one and
// both scores are better than the prior's.
func TestReliabilityOfAnHonestForecast(t *testing.T) {
	// Two kinds of client-day: a sign that one legitimate of 10,000 and half of the abusive show, or its absence.
	honest := Reliability{Prior: 1e-4}
	sign, absence := probability(math.Log(.5/1e-4), honest.Prior), probability(math.Log(.5/(1-1e-4)), honest.Prior)
	for i := range 10_000 {
		honest.legitimate = append(honest.legitimate, absence)
		if i == 0 {
			honest.legitimate[0] = sign
		}
	}
	honest.abusive = []float64{sign, absence}
	boastful := Reliability{Prior: 1e-4, legitimate: append([]float64(nil), honest.legitimate...), abusive: []float64{sign, absence}}
	for i := range 500 {
		boastful.legitimate[i] = probability(math.Log(1e6), boastful.Prior)
	}
	honest.close()
	boastful.close()
	for _, b := range honest.Bins {
		if b.Legitimate+b.Abusive > 0 && math.Abs(b.Stated/b.Actual-1) > 1e-3 {
			t.Errorf("points %v to %v: stated %v, actual %v", b.From, b.To, b.Stated, b.Actual)
		}
	}
	if !(honest.Brier < honest.BaseBrier && honest.LogScore < honest.BaseLogScore) {
		t.Errorf("honest: %+v", honest)
	}
	if !(boastful.Brier > boastful.BaseBrier && boastful.LogScore > boastful.BaseLogScore) {
		t.Errorf("boastful: %+v", boastful)
	}
	last := boastful.Bins[len(boastful.Bins)-2]
	if last.Actual > last.Stated/2 {
		t.Errorf("a boast does not show: %+v", last)
	}
}
