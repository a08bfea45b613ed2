package scoring

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"sundew"
	"sundew/scoring/law"
)

const day = 24 * time.Hour

func labelOf(entity sundew.Entity, verdict sundew.Verdict, before int) sundew.Label {
	return sundew.Label{Time: start, Entity: entity, Verdict: verdict, By: "a", Before: before}
}

// guesses are failing log-ins of an address on a day.
func guesses(on int, client string, n int) (events []sundew.Event) {
	for i := range n {
		events = append(events, request(time.Duration(on)*day+time.Duration(i)*time.Minute, client, func(e *sundew.Event) {
			e.Auth = sundew.OutcomeFailure
		}))
	}
	return events
}

// tomorrow is enough of the next day for the log's clock to believe it.
func tomorrow() []sundew.Event { return guesses(1, "203.0.113.200", 600) }

func TestLabelsTeachTheNextDay(t *testing.T) {
	for verdict, louder := range map[sundew.Verdict]bool{sundew.VerdictAbuse: true, sundew.VerdictLegitimate: false} {
		e := newEngine(t, 1)
		events := guesses(0, client, 12)
		before := e.population.lessons.Weights
		e.Score(sundew.Batch{Events: events, Labels: []sundew.Label{labelOf(ip, verdict, len(events))}})
		if e.population.lessons.Weights != before {
			t.Errorf("%s: the weights of the day itself changed", verdict)
		}
		e.Score(sundew.Batch{Events: tomorrow()})
		after := e.population.lessons.Weights
		if auth, silent := after[chAuth], after[chForged]; auth > silent != louder || auth == silent {
			t.Errorf("%s: failing log-ins weigh %v, forged proofs, of which there were none, %v", verdict, auth, silent)
		}
		sum := 0.
		for part, weight := range after {
			sum += weight
			if weight < leastWeight*evenMixture[part]*(1-1e-6) {
				t.Errorf("%s: part %d weighs %v", verdict, part, weight)
			}
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("%s: the weights sum to %v", verdict, sum)
		}
	}
}

// TestWeightsHoldTheirBounds has every label of a year blame one channel.
func TestWeightsHoldTheirBounds(t *testing.T) {
	l := newLessons()
	for today := range uint16(365) {
		before := l.Weights
		l.Up[chAuth], l.Down[partAll] = 4000, 4000
		l.turn(today)
		sum := 0.
		for part, weight := range l.Weights {
			sum += weight
			if ratio := weight / before[part]; ratio > 2+1e-6 || ratio < .5-1e-6 {
				t.Fatalf("day %d: the weight of part %d went from %v to %v", today, part, before[part], weight)
			}
		}
		if math.Abs(sum-1) > 1e-6 || l.Weights[partAll] < leastWeight*evenMixture[partAll]*(1-1e-6) {
			t.Fatalf("day %d: sum %v, the product weighs %v", today, sum, l.Weights[partAll])
		}
	}
}

func TestPointsAreHeldByLabels(t *testing.T) {
	l := newLessons()
	for points := 0.; points <= 100; points += .5 {
		if l.held(points) != points {
			t.Fatalf("without labels %v points become %v", points, l.held(points))
		}
	}
	l.Wrong[18], l.Right[18] = 200, 2 // near 92 points the labels say "legitimate"
	l.hold()
	if got := l.held(92); got > 75 {
		t.Errorf("92 points that were wrong in 200 of 202 cases become %v", got)
	}
	if got := l.held(86); got > 80 {
		t.Errorf("86 points stay %v, though the 200 labels above them weigh more than the doubt of their own bin", got)
	}
	last := 0.
	for points := 0.; points <= 100; points += .5 {
		got := l.held(points)
		if got > points || got < last {
			t.Fatalf("%v points become %v behind %v: want no more, and a map that rises", points, got, last)
		}
		last = got
	}
}

// TestLabelsChangeNoScoreOfTheirDay replays a log with and without a label in the middle of its first day.
func TestLabelsChangeNoScoreOfTheirDay(t *testing.T) {
	events := slices.Concat(guesses(0, client, 24), tomorrow(), guesses(2, client, 24))
	nats := func(labels ...sundew.Label) (today, later float64) {
		for i, s := range newEngine(t, 1).Score(sundew.Batch{Events: events, Labels: labels}) {
			switch {
			case s.Entity != ip:
			case s.Time.Before(start.Add(day)):
				today += s.Nats * float64(i+1)
			default:
				later += s.Nats
			}
		}
		return today, later
	}
	today, later := nats()
	labelledToday, labelledLater := nats(labelOf(ip, sundew.VerdictAbuse, 12))
	if labelledToday != today {
		t.Errorf("a label changed the scores of its day: %v, without it %v", labelledToday, today)
	}
	if labelledLater <= later {
		t.Errorf("%v nats after a label that blames failing log-ins, %v without it", labelledLater, later)
	}
}

// TestASecondLabelTakesTheFirstBack compares what a day teaches with a day that only had the second.
func TestASecondLabelTakesTheFirstBack(t *testing.T) {
	events := guesses(0, client, 12)
	taught := func(verdicts ...sundew.Verdict) lessons {
		e := newEngine(t, 1)
		b := sundew.Batch{Events: events}
		for _, verdict := range verdicts {
			b.Labels = append(b.Labels, labelOf(ip, verdict, len(events)))
		}
		e.Score(b)
		return e.population.lessons
	}
	once := taught(sundew.VerdictLegitimate)
	if got := taught(sundew.VerdictAbuse, sundew.VerdictLegitimate); got.tallies != once.tallies {
		t.Errorf("after a correction: %+v, want %+v", got.tallies, once.tallies)
	}
	if got := taught(sundew.VerdictLegitimate, sundew.VerdictLegitimate); got.tallies != once.tallies {
		t.Errorf("after a label twice: %+v, want %+v", got.tallies, once.tallies)
	}
}

// TestPurgeMakesThePoolForget compares with an engine that was told before the client-day closed. The late label comes
// when the client-day has been counted with its epoch, and when it has closed in an epoch that is still open.
func TestPurgeMakesThePoolForget(t *testing.T) {
	known := guesses(0, "203.0.113.9", patience)
	events := slices.Concat(known, guesses(0, client, 12))
	slices.SortStableFunc(events, func(a, b sundew.Event) int { return a.Time.Compare(b.Time) })
	next := slices.Concat(guesses(1, client, 1), tomorrow())
	segment := int(sundew.KindIP) * 2
	pool := func(day int, before int) pool {
		e := newEngine(t, 1)
		for i, some := range [][]sundew.Event{events, next} {
			b := sundew.Batch{Events: some}
			if i == day {
				b.Labels = []sundew.Label{labelOf(ip, sundew.VerdictAbuse, before)}
			}
			e.Score(b)
		}
		return e.population.recent[segment]
	}
	early, never := pool(0, len(events)), pool(-1, 0)
	if never == early {
		t.Error("the client-day makes no difference, so this test shows nothing")
	}
	for name, before := range map[string]int{"closed": 2, "counted": len(next)} {
		if pool(1, before) != early {
			t.Errorf("a client-day that a label took back after it was %s is still in the pool", name)
		}
	}
}

func TestLegitimateDaysCountBelowWhatIsActedOn(t *testing.T) {
	e := newEngine(t, 1)
	events := guesses(0, client, 60)
	e.Score(sundew.Batch{Events: events, Labels: []sundew.Label{labelOf(ip, sundew.VerdictLegitimate, len(events))}})
	e.Score(sundew.Batch{Events: tomorrow()})
	if got := e.population.recent[int(sundew.KindIP)*2][actedOn-1]; got != 1 {
		t.Errorf("%v votes in the last bin that counts, want 1", got)
	}
}

// TestSameLabelsSameState has labels among the events, batches of other sizes, workers, and a restart.
func TestSameLabelsSameState(t *testing.T) {
	var events []sundew.Event
	var labels []sundew.Label
	for on := range 3 {
		for who := range 20 {
			events = append(events, guesses(on, fmt.Sprintf("203.0.113.%d", who+1), 12)...)
		}
	}
	slices.SortStableFunc(events, func(a, b sundew.Event) int { return a.Time.Compare(b.Time) })
	for i := range 12 {
		verdict := []sundew.Verdict{sundew.VerdictAbuse, sundew.VerdictLegitimate}[i%2]
		labels = append(labels, labelOf(sundew.Entity{Kind: sundew.KindIP, Key: fmt.Sprintf("203.0.113.%d", i%7+1)}, verdict, i*60))
	}
	state := func(workers, size int, restart bool) []byte {
		e, left := newEngine(t, workers), labels
		for first := 0; first < len(events); first += size {
			b := sundew.Batch{Events: events[first:min(first+size, len(events))]}
			for len(left) > 0 && left[0].Before < first+len(b.Events) {
				l := left[0]
				l.Before -= first
				b.Labels, left = append(b.Labels, l), left[1:]
			}
			e.Score(b)
			if restart {
				e = restarted(t, e, workers)
			}
		}
		return e.AppendState(nil)
	}
	want := state(1, len(events), false)
	for _, got := range [][]byte{state(2, 7, false), state(16, 100, true), state(1, 1, false)} {
		if !bytes.Equal(got, want) {
			t.Error("the states differ")
		}
	}
}

func TestFloodOfLabelsIsBounded(t *testing.T) {
	e := newEngine(t, 1)
	var labels []sundew.Label
	for i := range maxLabelled + 100 {
		labels = append(labels, labelOf(sundew.Entity{Kind: sundew.KindDevice, Key: fmt.Sprint("d-", i)}, sundew.VerdictAbuse, 0))
	}
	e.Score(sundew.Batch{Labels: labels})
	l := &e.population.lessons
	if len(l.entities) != maxLabelled || len(l.verdicts) != maxLabelled {
		t.Errorf("%d and %d labelled entities, want %d", len(l.entities), len(l.verdicts), maxLabelled)
	}
	if l.verdict(e.hash.key(sundew.KindDevice, "d-0")) != sundew.VerdictNone || l.verdict(e.hash.key(sundew.KindDevice, "d-4195")) != sundew.VerdictAbuse {
		t.Error("want the oldest gone and the latest there")
	}
	l.turn(dayOf(secondOf(start)) + labelDays + 1)
	if len(l.entities) != 0 || len(l.verdicts) != 0 {
		t.Error("labels do not end")
	}
}

func TestEvenMixtureSumsToOne(t *testing.T) {
	sum := 0.
	for _, weight := range evenMixture {
		sum += weight
	}
	if math.Abs(sum-1) > 1e-12 || law.Log(sum) > 1e-12 {
		t.Errorf("sum %v", sum)
	}
}
