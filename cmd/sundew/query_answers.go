package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"sundew"
	"sundew/store"
)

// table is an answer, or a part of one. Its cells are JSON, so that an answer is the same whoever gives it.
type table struct {
	Name    string              `json:"name"`
	Columns []string            `json:"columns"`
	Rows    [][]json.RawMessage `json:"rows"`
}

// add appends a row of as many values as there are columns.
func (t *table) add(values ...any) error {
	row := make([]json.RawMessage, len(values))
	for i, v := range values {
		switch known := v.(type) {
		case float64:
			v = max(-math.MaxFloat64, min(known, math.MaxFloat64))
			if math.IsNaN(known) {
				v = nil
			}
		case time.Time:
			v = known.UTC()
			if known.IsZero() {
				v = nil
			}
		case time.Duration:
			v = known.Seconds()
		case fmt.Stringer: // entities, actions, kinds
			v = known.String()
		}
		cell, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", t.Columns[i], t.Name, err)
		}
		row[i] = cell
	}
	t.Rows = append(t.Rows, row)
	return nil
}

// fill makes a table with one row for each item.
func fill[T any](name string, columns []string, items []T, values func(*T) []any) (table, error) {
	t := table{Name: name, Columns: columns, Rows: [][]json.RawMessage{}}
	for i := range items {
		if err := t.add(values(&items[i])...); err != nil {
			return t, err
		}
	}
	return t, nil
}

// one is an answer of a single table.
func one(t table, err error) ([]table, error) { return []table{t}, err }

func answerOverview(ctx context.Context, from reader, a asked) ([]table, error) {
	points, err := from.Overview(ctx, a.Range, a.step)
	if err != nil {
		return nil, err
	}
	columns := []string{"time", "requests", "client_errors", "server_errors", "observed", "tarpitted", "challenged", "blocked"}
	return one(fill("overview", columns, points, func(p *sundew.OverviewPoint) []any {
		return []any{p.Time, p.Requests, p.ClientErrors, p.ServerErrors, p.Observed, p.Tarpitted, p.Challenged, p.Blocked}
	}))
}

func answerTop(ctx context.Context, from reader, a asked) ([]table, error) {
	activities, err := from.TopEntities(ctx, a.Range, a.kind, a.limit)
	if err != nil {
		return nil, err
	}
	return one(activityTable("top", activities))
}

func activityTable(name string, activities []sundew.EntityActivity) (table, error) {
	columns := []string{"entity", "requests", "points", "decisions", "action", "rule", "first_seen", "last_seen", "sentence"}
	return fill(name, columns, activities, func(e *sundew.EntityActivity) []any {
		return []any{e.Entity, e.Requests, e.Points, e.Decisions, e.Action, e.Rule, e.FirstSeen, e.LastSeen, e.Sentence}
	})
}

func answerEntity(ctx context.Context, from reader, a asked) ([]table, error) {
	entity, err := sundew.ParseEntity(a.argument)
	if err != nil {
		return nil, usageError{err.Error() + ": want kind:key, such as ip:192.0.2.7 or device:3f0e"}
	}
	timeline, err := from.Timeline(ctx, entity, a.Range, a.limit)
	if err != nil {
		return nil, err
	}
	slices.Reverse(timeline.Decisions)
	slices.Reverse(timeline.Scores)
	slices.Reverse(timeline.Events)
	decisions, err := decisionTable(timeline.Decisions)
	if err != nil {
		return nil, err
	}
	scores, err := fill("scores", []string{"time", "points", "nats", "reasons"}, timeline.Scores, func(s *sundew.ScorePoint) []any {
		return []any{s.Time, s.Points, s.Nats, sentences(s.Evidence)}
	})
	if err != nil {
		return nil, err
	}
	requests, err := requestTable(timeline.Events)
	if err != nil {
		return nil, err
	}
	timeline.Related = timeline.Related[:min(len(timeline.Related), a.limit)]
	related, err := fill("related", []string{"entity", "requests", "first_seen", "last_seen"}, timeline.Related, func(e *sundew.EntityActivity) []any {
		return []any{e.Entity, e.Requests, e.FirstSeen, e.LastSeen}
	})
	return []table{decisions, scores, requests, related}, err
}

func answerDecisions(ctx context.Context, from reader, a asked) ([]table, error) {
	decisions, err := from.Decisions(ctx, a.Range, a.limit)
	if err != nil {
		return nil, err
	}
	return one(decisionTable(decisions))
}

func decisionTable(decisions []sundew.Decision) (table, error) {
	columns := []string{"time", "id", "entity", "and", "action", "delay", "score", "rule", "basis", "shadow", "expires", "sentence"}
	return fill("decisions", columns, decisions, func(d *sundew.Decision) []any {
		var and []string
		for _, e := range d.And {
			and = append(and, e.String())
		}
		return []any{d.Time, d.ID, d.Entity, and, d.Action, d.Delay, d.Score, d.Rule, d.Basis, d.Shadow, d.Expires, d.Sentence}
	})
}

func answerDecision(ctx context.Context, from reader, a asked) ([]table, error) {
	d, found, err := from.Decision(ctx, a.argument)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("there is no decision %q: it may be older than the store keeps; sundew query decisions lists those there are", a.argument)
	}
	decision, err := decisionTable([]sundew.Decision{d})
	if err != nil {
		return nil, err
	}
	evidence, err := fill("evidence", []string{"channel", "nats", "observed", "expected", "window", "sentence"}, d.Evidence, func(e *sundew.Evidence) []any {
		return []any{e.Channel, e.Nats, e.Observed, e.Expected, e.Window, e.Sentence}
	})
	if err != nil {
		return nil, err
	}
	events, err := from.Requests(ctx, d, a.limit)
	if err != nil {
		return nil, err
	}
	requests, err := requestTable(events)
	return []table{decision, evidence, requests}, err
}

func requestTable(events []sundew.Event) (table, error) {
	columns := []string{"time", "client", "method", "host", "path", "route", "status", "device", "account", "api_key", "auth", "edge_action", "user_agent"}
	return fill("requests", columns, events, func(e *sundew.Event) []any {
		return []any{e.Time, e.Client, e.Method, e.Host, e.Path, e.Route, e.Status, e.Device, e.Account, e.APIKey, e.Auth, e.EdgeAction, e.UserAgent}
	})
}

func sentences(evidence []sundew.Evidence) []string {
	said := []string{}
	for _, e := range evidence {
		said = append(said, e.Sentence)
	}
	return said
}

func answerDeadLetters(ctx context.Context, from reader, a asked) ([]table, error) {
	letters, err := from.DeadLetters(ctx, a.Range, a.limit)
	if err != nil {
		return nil, err
	}
	return one(fill("dead-letters", []string{"time", "place", "format", "reason", "detail", "line"}, letters, func(l *sundew.DeadLetter) []any {
		return []any{l.Time, letterPlace(*l), l.Format, l.Reason, l.Detail, l.Line}
	}))
}

func answerRules(ctx context.Context, from reader, a asked) ([]table, error) {
	rules, err := from.RuleStatistics(ctx, a.Range)
	if err != nil {
		return nil, err
	}
	columns := []string{"rule", "entities", "shadow", "observed", "tarpitted", "challenged", "blocked", "first", "last"}
	return one(fill("rules", columns, rules[:min(len(rules), a.limit)], func(r *store.RuleStatistic) []any {
		return []any{r.Rule, r.Entities, r.Shadow, r.Observed, r.Tarpitted, r.Challenged, r.Blocked, r.First, r.Last}
	}))
}

func answerChannels(ctx context.Context, from reader, a asked) ([]table, error) {
	channels, err := from.ChannelStatistics(ctx, a.Range)
	if err != nil {
		return nil, err
	}
	columns := []string{"channel", "scores", "entities", "median_nats", "most_nats"}
	return one(fill("channels", columns, channels[:min(len(channels), a.limit)], func(c *store.ChannelStatistic) []any {
		return []any{c.Channel, c.Scores, c.Entities, c.Median, c.Most}
	}))
}

func answerCoverage(ctx context.Context, from reader, a asked) ([]table, error) {
	fields, err := from.FieldCoverage(ctx, a.Range)
	if err != nil {
		return nil, err
	}
	if fields[0].Of == 0 {
		fields = nil // no requests have no fields
	}
	return one(fill("coverage", []string{"field", "requests", "share"}, fields, func(f *store.FieldCoverage) []any {
		return []any{f.Field, f.Requests, float64(f.Requests) / float64(f.Of)}
	}))
}

func answerFeatures(ctx context.Context, from reader, a asked) ([]table, error) {
	kind, err := sundew.ParseKind(a.argument)
	if err != nil {
		return nil, usageError{err.Error()}
	}
	features, err := from.FeaturePercentiles(ctx, a.Range, kind)
	if err != nil {
		return nil, err
	}
	columns := []string{"feature", "evaluations", "p50", "p90", "p99", "p999", "most"}
	return one(fill("features", columns, features, func(f *store.FeaturePercentiles) []any {
		return []any{kind.String() + "." + sundew.Catalogue[f.Feature].Name, f.Evaluations, f.P50, f.P90, f.P99, f.P999, f.Most}
	}))
}

func answerLabels(ctx context.Context, from reader, a asked) ([]table, error) {
	kept, ok := from.(store.LabelStore)
	if !ok {
		return nil, errors.New("this kind of store keeps no labels: they stand in the log")
	}
	labels, err := kept.Labels(ctx, a.Range, a.limit)
	if err != nil {
		return nil, err
	}
	return one(fill("labels", []string{"time", "entity", "verdict", "by", "note"}, labels, func(l *sundew.Label) []any {
		return []any{l.Time, l.Entity, l.Verdict, l.By, l.Note}
	}))
}

func answerRuleVersions(ctx context.Context, from reader, a asked) ([]table, error) {
	kept, ok := from.(store.RuleVersionStore)
	if !ok {
		return nil, errors.New("this kind of store does not remember rules")
	}
	versions, err := kept.RuleVersions(ctx, a.limit)
	if err != nil {
		return nil, err
	}
	return one(fill("rule-versions", []string{"rule", "status", "kind", "owner", "first_loaded", "last_loaded", "title"}, versions, func(v *store.RuleVersion) []any {
		return []any{v.ID + "@" + v.Version, v.Status, v.Kind, v.Owner, v.First, v.Last, v.Title}
	}))
}
