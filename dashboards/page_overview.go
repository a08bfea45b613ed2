package dashboards

import (
	"context"

	"sundew"
)

const (
	overviewTop       = 8
	overviewDecisions = 10
	overviewLetters   = 100
)

// overviewModel is what happens now, in one look.
type overviewModel struct {
	Range       rangeModel              `json:"range"`
	StepSeconds float64                 `json:"step_seconds"`
	Points      []sundew.OverviewPoint  `json:"points"`
	InForce     inForce                 `json:"in_force"`
	Top         []sundew.EntityActivity `json:"top"`
	Decisions   []sundew.Decision       `json:"decisions"`
	DeadLetters int                     `json:"dead_letters"`      // in the range
	MoreLetters bool                    `json:"dead_letters_more"` // there may be more than that
	Status      []StatusItem            `json:"status"`
}

// Heading is the title of the page.
func (overviewModel) Heading() string { return "Overview" }

// Requests counts those of the range.
func (m overviewModel) Requests() (n int64) {
	for _, p := range m.Points {
		n += p.Requests
	}
	return n
}

// Quiet says that there is nothing to show.
func (m overviewModel) Quiet() bool { return m.Requests() == 0 && len(m.Decisions) == 0 }

func (c *console) overview(ctx context.Context, q query) (model, error) {
	m := overviewModel{
		Range: rangeModel{q.Span.From, q.Span.To}, StepSeconds: q.Span.Step.Seconds(),
		InForce: countInForce(c.Lister.Blocklist(), q.Now), Status: c.Status(),
	}
	var err error
	if m.Points, err = c.Reader.Overview(ctx, q.Span.Range, q.Span.Step); err != nil {
		return nil, storeAway("read overview", err)
	}
	top, err := c.Reader.TopEntities(ctx, q.Span.Range, sundew.KindNone, overviewTop)
	if err != nil {
		return nil, storeAway("read top entities", err)
	}
	m.Top = offenders(finiteActivity(top))
	ds, err := c.Reader.Decisions(ctx, q.Span.Range, overviewDecisions)
	if err != nil {
		return nil, storeAway("read newest decisions", err)
	}
	m.Decisions = finiteDecisions(ds)
	letters, err := c.Reader.DeadLetters(ctx, q.Span.Range, overviewLetters)
	if err != nil {
		return nil, storeAway("count dead letters", err)
	}
	m.DeadLetters, m.MoreLetters = len(letters), len(letters) == overviewLetters
	return m, nil
}

// offenders leaves out entities that nothing speaks against.
func offenders(rows []sundew.EntityActivity) []sundew.EntityActivity {
	kept := rows[:0]
	for _, row := range rows {
		if row.Decisions > 0 || row.Points >= rungs[0].Points {
			kept = append(kept, row)
		}
	}
	return kept
}
