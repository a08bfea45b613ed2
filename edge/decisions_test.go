package edge

import (
	"log/slog"
	"testing"
	"time"

	"sundew"
)

// monday is the time at which the stories of these tests begin.
var monday = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// decision returns one for "kind:key" by rule, that runs for an hour from monday at version 1.
func decision(t testing.TB, entity string, action sundew.Action, rule string, change ...func(*sundew.Decision)) sundew.Decision {
	t.Helper()
	e, err := sundew.ParseEntity(entity)
	if err != nil {
		t.Fatal(err)
	}
	d := sundew.Decision{
		Time: monday, Entity: e, Action: action, Score: 97.5, Rule: rule + "@3", Expires: monday.Add(time.Hour), Version: 1,
		Evidence: []sundew.Evidence{{Channel: "outcome", Nats: 4.5, Observed: 17, Expected: 1, Window: 10 * time.Minute}},
		Basis:    sundew.BasisScore, Sentence: "17 of 20 logins failed",
	}
	if action == sundew.ActionTarpit {
		d.Delay = 2 * time.Second
	}
	for _, f := range change {
		f(&d)
	}
	d.ID = sundew.DecisionID(d.Rule, d.Entity, d.Version)
	return d
}

func version(v int64) func(*sundew.Decision) { return func(d *sundew.Decision) { d.Version = v } }

func lasting(l time.Duration) func(*sundew.Decision) {
	return func(d *sundew.Decision) { d.Expires = d.Time.Add(l) }
}

func from(at time.Time) func(*sundew.Decision) {
	return func(d *sundew.Decision) { d.Time, d.Expires = at, at.Add(time.Hour) }
}

func delayed(l time.Duration) func(*sundew.Decision) {
	return func(d *sundew.Decision) { d.Delay = l }
}

func shadowed(d *sundew.Decision) { d.Shadow = true }

func narrowed(entities ...string) func(*sundew.Decision) {
	return func(d *sundew.Decision) {
		for _, text := range entities {
			e, err := sundew.ParseEntity(text)
			if err != nil {
				panic(err)
			}
			d.And = append(d.And, e)
		}
	}
}

// A clock stands still until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// newTestLog is ready, of epoch e, and stands at monday.
func newTestLog(change ...func(*LogConfig)) (*Log, *clock) {
	c := &clock{monday}
	config := DefaultLogConfig()
	config.Epoch, config.Now = "e", c.Now
	for _, f := range change {
		f(&config)
	}
	l := NewLog(config, nil)
	l.MarkReady()
	return l, c
}

func publish(t testing.TB, l *Log, ds ...sundew.Decision) {
	t.Helper()
	if err := l.Publish(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
