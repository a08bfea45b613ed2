package dashboards

import (
	"context"

	"sundew"
)

const decisionRequests = 100

// decisionModel is one decision with everything it rests on.
type decisionModel struct {
	Decision  sundew.Decision `json:"decision"`
	Words     string          `json:"words"` // what it does, in one sentence
	BasisText string          `json:"basis_words"`
	Standing  standing        `json:"standing"`
	Rule      *RuleInfo       `json:"rule"` // null where the rule is not loaded
	Requests  []eventModel    `json:"requests"`
	// HistoryAway says that the store did not answer: the decision comes from the blocklist, and Requests is empty.
	HistoryAway bool `json:"history_away"`
}

// Heading is the title of the page.
func (m decisionModel) Heading() string {
	return title(m.Decision.Action.String()) + " of " + subject(m.Decision.Entity)
}

// OtherVersion says that the loaded rule is not the version that decided.
func (m decisionModel) OtherVersion() bool {
	return m.Rule != nil && m.Rule.ID+"@"+m.Rule.Version != m.Decision.Rule
}

// Strongest is the largest nats of the evidence, which the bars are drawn against.
func (m decisionModel) Strongest() float64 { return strongest(m.Decision.Evidence) }

func strongest(evidence []sundew.Evidence) (nats float64) {
	for _, e := range evidence {
		nats = max(nats, e.Nats)
	}
	return nats
}

func (c *console) decision(ctx context.Context, q query) (model, error) {
	id := q.PathValue("id")
	d, found, err := c.Reader.Decision(ctx, id)
	m := decisionModel{HistoryAway: err != nil}
	if !found || err != nil {
		held := false
		if d, held = inList(c.Lister.Blocklist(), id); !held {
			return nil, missingDecision(err)
		}
	}
	if err != nil {
		c.Logger.WarnContext(ctx, "store did not answer", "path", q.URL.Path, "error", err)
	} else {
		events, err := c.Reader.Requests(ctx, d, decisionRequests)
		if err != nil {
			return nil, storeAway("read requests behind a decision", err)
		}
		m.Requests = eventModels(events)
	}
	m.Decision = finiteDecision(d)
	m.Standing = standingOf(&d, c.Lister.Blocklist(), q.Now)
	m.Words = describe(&m.Decision, m.Standing, q.Now)
	m.BasisText = explainBasis(&m.Decision)
	m.Rule = c.rule(d.RuleID())
	return m, nil
}

func missingDecision(err error) error {
	if err != nil {
		return storeAway("read decision", err)
	}
	return notFound("Decision", "It may be older than the store keeps, or the id may be cut. The page of decisions lists those of a time range.")
}

// inList finds a decision that the store does not have yet: the blocklist does not wait for the store.
func inList(list sundew.Blocklist, id string) (sundew.Decision, bool) {
	for i := range list.Decisions {
		if list.Decisions[i].ID == id {
			return list.Decisions[i], true
		}
	}
	return sundew.Decision{}, false
}

func (c *console) rule(id string) *RuleInfo {
	for i := range c.Rules {
		if c.Rules[i].ID == id {
			return &c.Rules[i]
		}
	}
	return nil
}
