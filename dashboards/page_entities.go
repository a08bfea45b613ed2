package dashboards

import (
	"context"

	"sundew"
)

// entitiesModel lists entities, worst first.
type entitiesModel struct {
	Range    rangeModel              `json:"range"`
	Kind     string                  `json:"kind"` // "" for every kind
	Limit    int                     `json:"limit"`
	Entities []sundew.EntityActivity `json:"entities"`
}

// Heading is the title of the page.
func (entitiesModel) Heading() string { return "Entities" }

// More says that the list was cut at the limit.
func (m entitiesModel) More() bool { return len(m.Entities) >= m.Limit }

// Kinds are the kinds that the page can be narrowed to.
func (entitiesModel) Kinds() []sundew.Kind { return allKinds() }

func allKinds() []sundew.Kind {
	kinds := make([]sundew.Kind, 0, sundew.NumKinds)
	for k := sundew.KindNone + 1; int(k) < sundew.NumKinds; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

func (c *console) entities(ctx context.Context, q query) (model, error) {
	kind, err := parseKind(q.Values)
	if err != nil {
		return nil, err
	}
	limit, err := parseLimit(q.Values, 100, 1000)
	if err != nil {
		return nil, err
	}
	rows, err := c.Reader.TopEntities(ctx, q.Span.Range, kind, limit)
	if err != nil {
		return nil, storeAway("read top entities", err)
	}
	return entitiesModel{
		Range: rangeModel{q.Span.From, q.Span.To}, Kind: kind.String(), Limit: limit, Entities: finiteActivity(rows),
	}, nil
}
