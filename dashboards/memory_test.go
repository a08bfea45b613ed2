package dashboards

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sundew"
)

// memory is a Reader and a Lister over slices. Events, scores and decisions are in time order.
type memory struct {
	events    []sundew.Event
	scores    map[sundew.Entity][]sundew.ScorePoint
	decided   []sundew.Decision
	letters   []sundew.DeadLetter
	list      sundew.Blocklist
	err       error // every question is answered with it
	requested error // questions for requests are answered with it
}

var (
	_ Reader = (*memory)(nil)
	_ Lister = (*memory)(nil)
)

func within(t time.Time, r sundew.Range) bool { return !t.Before(r.From) && t.Before(r.To) }

func (m *memory) Blocklist() sundew.Blocklist { return m.list }

func (m *memory) Overview(_ context.Context, r sundew.Range, step time.Duration) ([]sundew.OverviewPoint, error) {
	var points []sundew.OverviewPoint
	for t := r.From; t.Before(r.To); t = t.Add(step) {
		points = append(points, sundew.OverviewPoint{Time: t})
	}
	at := func(t time.Time) *sundew.OverviewPoint { return &points[int(t.Sub(r.From)/step)] }
	for i := range m.events {
		e := &m.events[i]
		if !within(e.Time, r) {
			continue
		}
		p := at(e.Time)
		p.Requests++
		switch e.Status / 100 {
		case 4:
			p.ClientErrors++
		case 5:
			p.ServerErrors++
		}
	}
	for i := range m.decided {
		d := &m.decided[i]
		if !within(d.Time, r) {
			continue
		}
		p := at(d.Time)
		switch d.Action {
		case sundew.ActionObserve:
			p.Observed++
		case sundew.ActionTarpit:
			p.Tarpitted++
		case sundew.ActionChallenge:
			p.Challenged++
		case sundew.ActionBlock:
			p.Blocked++
		case sundew.ActionNone:
		}
	}
	return points, m.err
}

func (m *memory) activity(r sundew.Range, of func(e *sundew.Event) []sundew.Entity) []sundew.EntityActivity {
	rows := map[sundew.Entity]*sundew.EntityActivity{}
	for i := range m.events {
		e := &m.events[i]
		if !within(e.Time, r) {
			continue
		}
		for _, entity := range of(e) {
			row := rows[entity]
			if row == nil {
				row = &sundew.EntityActivity{Entity: entity, FirstSeen: e.Time}
				rows[entity] = row
			}
			row.Requests++
			row.LastSeen = e.Time
		}
	}
	for entity, row := range rows {
		for _, s := range m.scores[entity] {
			row.Points = max(row.Points, s.Points)
		}
		for _, d := range m.decided {
			if d.Entity == entity && within(d.Time, r) {
				row.Decisions++
				row.Action, row.Rule, row.Sentence = max(row.Action, d.Action), d.Rule, d.Sentence
			}
		}
	}
	var out []sundew.EntityActivity
	for _, row := range rows {
		out = append(out, *row)
	}
	slices.SortFunc(out, func(a, b sundew.EntityActivity) int {
		return cmp.Or(cmp.Compare(b.Points, a.Points), cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Entity.String(), b.Entity.String()))
	})
	return out
}

func (m *memory) TopEntities(_ context.Context, r sundew.Range, kind sundew.Kind, limit int) ([]sundew.EntityActivity, error) {
	rows := m.activity(r, func(e *sundew.Event) []sundew.Entity {
		return slices.DeleteFunc(e.AppendEntities(nil), func(n sundew.Entity) bool { return kind != sundew.KindNone && n.Kind != kind })
	})
	return rows[:min(limit, len(rows))], m.err
}

func (m *memory) Timeline(_ context.Context, e sundew.Entity, r sundew.Range, limit int) (sundew.Timeline, error) {
	t := sundew.Timeline{Entity: e}
	for _, event := range m.events {
		if within(event.Time, r) && slices.Contains(event.AppendEntities(nil), e) {
			t.Requests++
			t.Events = append(t.Events, event)
		}
	}
	t.Events = t.Events[max(0, len(t.Events)-limit):]
	for _, s := range m.scores[e] {
		if within(s.Time, r) {
			t.Scores = append(t.Scores, s)
		}
	}
	for _, d := range m.decided {
		if d.Entity == e && within(d.Time, r) {
			t.Decisions = append(t.Decisions, d)
		}
	}
	t.Related = m.activity(r, func(event *sundew.Event) []sundew.Entity {
		all := event.AppendEntities(nil)
		if !slices.Contains(all, e) {
			return nil
		}
		return slices.DeleteFunc(all, func(n sundew.Entity) bool { return n == e })
	})
	t.Related = t.Related[:min(20, len(t.Related))]
	return t, m.err
}

func (m *memory) Decision(_ context.Context, id string) (sundew.Decision, bool, error) {
	for _, d := range m.decided {
		if d.ID == id {
			return d, true, m.err
		}
	}
	return sundew.Decision{}, false, m.err
}

func (m *memory) Decisions(_ context.Context, r sundew.Range, limit int) ([]sundew.Decision, error) {
	var ds []sundew.Decision
	for _, d := range slices.Backward(m.decided) {
		if within(d.Time, r) && len(ds) < limit {
			ds = append(ds, d)
		}
	}
	return ds, m.err
}

func (m *memory) Requests(_ context.Context, d sundew.Decision, limit int) ([]sundew.Event, error) {
	var events []sundew.Event
	for _, e := range slices.Backward(m.events) {
		if !e.Time.After(d.Time) && slices.Contains(e.AppendEntities(nil), d.Entity) && len(events) < limit {
			events = append(events, e)
		}
	}
	return events, cmp.Or(m.requested, m.err)
}

func (m *memory) DeadLetters(_ context.Context, r sundew.Range, limit int) ([]sundew.DeadLetter, error) {
	var letters []sundew.DeadLetter
	for _, l := range slices.Backward(m.letters) {
		if within(l.Time, r) && len(letters) < limit {
			letters = append(letters, l)
		}
	}
	return letters, m.err
}
