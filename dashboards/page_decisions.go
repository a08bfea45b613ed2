package dashboards

import (
	"context"

	"sundew"
)

// decisionsModel lists what was decided, newest first.
type decisionsModel struct {
	Range     rangeModel        `json:"range"`
	Limit     int               `json:"limit"`
	Decisions []sundew.Decision `json:"decisions"`
}

// Heading is the title of the page.
func (decisionsModel) Heading() string { return "Decisions" }

// More says that the list was cut at the limit.
func (m decisionsModel) More() bool { return len(m.Decisions) >= m.Limit }

func (c *console) decisions(ctx context.Context, q query) (model, error) {
	limit, err := parseLimit(q.Values, 200, 2000)
	if err != nil {
		return nil, err
	}
	ds, err := c.Reader.Decisions(ctx, q.Span.Range, limit)
	if err != nil {
		return nil, storeAway("read decisions", err)
	}
	return decisionsModel{Range: rangeModel{q.Span.From, q.Span.To}, Limit: limit, Decisions: finiteDecisions(ds)}, nil
}
