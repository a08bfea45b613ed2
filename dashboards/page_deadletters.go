package dashboards

import (
	"cmp"
	"context"
	"slices"

	"sundew"
)

// reasonCount says how often a reason stands in a list of dead letters.
type reasonCount struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// deadLettersModel lists lines that could not be read, newest first.
type deadLettersModel struct {
	Range   rangeModel          `json:"range"`
	Limit   int                 `json:"limit"`
	Reasons []reasonCount       `json:"reasons"` // of the letters listed, most frequent first
	Letters []sundew.DeadLetter `json:"dead_letters"`
}

// Heading is the title of the page.
func (deadLettersModel) Heading() string { return "Dead letters" }

// More says that the list was cut at the limit.
func (m deadLettersModel) More() bool { return len(m.Letters) >= m.Limit }

func (c *console) deadLetters(ctx context.Context, q query) (model, error) {
	limit, err := parseLimit(q.Values, 100, 1000)
	if err != nil {
		return nil, err
	}
	letters, err := c.Reader.DeadLetters(ctx, q.Span.Range, limit)
	if err != nil {
		return nil, storeAway("read dead letters", err)
	}
	if letters == nil {
		letters = []sundew.DeadLetter{}
	}
	return deadLettersModel{
		Range: rangeModel{q.Span.From, q.Span.To}, Limit: limit, Reasons: countReasons(letters), Letters: letters,
	}, nil
}

func countReasons(letters []sundew.DeadLetter) []reasonCount {
	counts := map[string]int{}
	for _, letter := range letters {
		counts[letter.Reason]++
	}
	reasons := make([]reasonCount, 0, len(counts))
	for reason, n := range counts {
		reasons = append(reasons, reasonCount{reason, n})
	}
	slices.SortFunc(reasons, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return reasons
}
