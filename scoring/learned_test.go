package scoring

import (
	"math"
	"testing"
	"time"

	"sundew"
)

func TestLearned(t *testing.T) {
	e := newEngine(t, 1)
	l := e.Learned()
	if len(l.Segments) != 0 || l.Labelled != 0 || l.Weights["all"] != .5 || len(l.Held) != pointBins || l.Held[pointBins-1] != 100 {
		t.Errorf("at first: %+v", l)
	}
	for on := range 4 {
		var labels []sundew.Label
		if on == 3 {
			labels = []sundew.Label{labelOf(ip, sundew.VerdictAbuse, 0)}
			labels[0].Time = start.Add(3 * day)
		}
		var events []sundew.Event
		for i := range 200 {
			events = append(events, request(time.Duration(on)*day+time.Duration(i)*time.Minute, client, nil))
		}
		e.Score(sundew.Batch{Events: events, Labels: labels})
	}
	l = e.Learned()
	for _, of := range l.Kinds {
		if of.Kind == sundew.KindIP && (of.Rate != 8 || of.Hits["outcome_auth"] != .1 || of.Routes != 0) {
			t.Errorf("of addresses %+v, want what is assumed", of)
		}
	}
	if len(l.Kinds) != sundew.NumKinds-1 {
		t.Errorf("%d kinds", len(l.Kinds))
	}
	sum := 0.
	for _, weight := range l.Weights {
		sum += weight
	}
	if math.Abs(sum-1) > 1e-6 || len(l.Weights) != numChannels+1 || l.Labelled != 1 {
		t.Errorf("weights %v, sum %v; %d labelled", l.Weights, sum, l.Labelled)
	}
	found := false
	for _, s := range l.Segments {
		if s.Kind == sundew.KindIP && s.Known {
			found = s.ClientDays > 0 && s.Lowered == evidenceFloor(actedOn)
		}
	}
	if !found {
		t.Errorf("segments %+v: want known addresses, taken at the ledgers' word", l.Segments)
	}
}
