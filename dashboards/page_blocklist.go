package dashboards

import (
	"context"
	"strings"
	"time"

	"sundew"
)

// inForce counts the decisions in force by action. Shadow decisions act on nobody and are counted apart.
type inForce struct {
	Observe   int `json:"observe"`
	Tarpit    int `json:"tarpit"`
	Challenge int `json:"challenge"`
	Block     int `json:"block"`
	Shadow    int `json:"shadow"`
}

func countInForce(list sundew.Blocklist, now time.Time) inForce {
	var n inForce
	for i := range list.Decisions {
		d := &list.Decisions[i]
		switch {
		case !now.Before(d.Expires):
		case d.Shadow:
			n.Shadow++
		case d.Action == sundew.ActionObserve:
			n.Observe++
		case d.Action == sundew.ActionTarpit:
			n.Tarpit++
		case d.Action == sundew.ActionChallenge:
			n.Challenge++
		case d.Action == sundew.ActionBlock:
			n.Block++
		}
	}
	return n
}

// Sum counts everything that is in force.
func (n inForce) Sum() int { return n.Observe + n.Tarpit + n.Challenge + n.Block }

// blocklistModel is what edges enforce at this moment, narrowed by what the analyst looks for.
type blocklistModel struct {
	Cursor    string            `json:"cursor"`
	InForce   inForce           `json:"in_force"`
	Kind      string            `json:"kind"`
	Action    string            `json:"action"`
	Text      string            `json:"q"`
	Matching  int               `json:"matching"` // decisions in force that the filter lets through
	Limit     int               `json:"limit"`
	Decisions []sundew.Decision `json:"decisions"` // the first of them, by entity and rule
}

// Heading is the title of the page.
func (blocklistModel) Heading() string { return "Blocklist" }

// Kinds are the kinds that the page can be narrowed to.
func (blocklistModel) Kinds() []sundew.Kind { return allKinds() }

// Filtered says whether the list is narrowed.
func (m blocklistModel) Filtered() bool { return m.Kind != "" || m.Action != "" || m.Text != "" }

func (c *console) blocklist(_ context.Context, q query) (model, error) {
	kind, err := parseKind(q.Values)
	if err != nil {
		return nil, err
	}
	action, err := parseAction(q.Values)
	if err != nil {
		return nil, err
	}
	limit, err := parseLimit(q.Values, 250, 2000)
	if err != nil {
		return nil, err
	}
	list := c.Lister.Blocklist()
	m := blocklistModel{
		Cursor: list.Cursor.String(), InForce: countInForce(list, q.Now), Kind: kind.String(), Action: action.String(),
		Text: clip(strings.TrimSpace(q.Values.Get("q")), sundew.MaxID), Limit: limit, Decisions: []sundew.Decision{},
	}
	for i := range list.Decisions {
		d := &list.Decisions[i]
		if !d.InForce(q.Now) || !m.admits(d, kind, action) {
			continue
		}
		if m.Matching++; m.Matching <= limit {
			m.Decisions = append(m.Decisions, finiteDecision(*d))
		}
	}
	return m, nil
}

func (m blocklistModel) admits(d *sundew.Decision, kind sundew.Kind, action sundew.Action) bool {
	return (kind == sundew.KindNone || d.Entity.Kind == kind) &&
		(action == sundew.ActionNone || d.Action == action) &&
		(m.Text == "" || strings.Contains(d.Entity.Key, m.Text) || strings.Contains(d.Rule, m.Text))
}
