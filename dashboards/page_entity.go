package dashboards

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sundew"
)

// entityModel is one entity: how its score moved, what was decided, what it asked for and with whom it was seen.
type entityModel struct {
	Range     rangeModel              `json:"range"`
	Entity    sundew.Entity           `json:"entity"`
	Requests  int64                   `json:"requests"` // in the range; events may hold fewer
	InForce   []sundew.Decision       `json:"in_force"`
	Scores    []sundew.ScorePoint     `json:"scores"`
	Decisions []sundew.Decision       `json:"decisions"` // newest first
	Events    []eventModel            `json:"events"`    // newest first
	Related   []sundew.EntityActivity `json:"related"`
}

// Heading is the title of the page.
func (m entityModel) Heading() string { return subject(m.Entity) }

// Peak is the highest score of the range, nil without scores.
func (m entityModel) Peak() *sundew.ScorePoint {
	var peak *sundew.ScorePoint
	for i := range m.Scores {
		if peak == nil || m.Scores[i].Points > peak.Points {
			peak = &m.Scores[i]
		}
	}
	return peak
}

// Last is the newest score of the range, nil without scores.
func (m entityModel) Last() *sundew.ScorePoint {
	if len(m.Scores) == 0 {
		return nil
	}
	return &m.Scores[len(m.Scores)-1]
}

// Cut says that there were more requests than events are shown.
func (m entityModel) Cut() bool { return int64(len(m.Events)) < m.Requests }

// Quiet says that the range holds nothing of the entity.
func (m entityModel) Quiet() bool {
	return m.Requests == 0 && len(m.Scores) == 0 && len(m.Decisions) == 0
}

func (c *console) entity(ctx context.Context, q query) (model, error) {
	e, err := askedEntity(q)
	if err != nil {
		return nil, err
	}
	limit, err := parseLimit(q.Values, 200, 2000)
	if err != nil {
		return nil, err
	}
	t, err := c.Reader.Timeline(ctx, e, q.Span.Range, limit)
	if err != nil {
		return nil, storeAway("read timeline", err)
	}
	m := entityModel{
		Range: rangeModel{q.Span.From, q.Span.To}, Entity: e, Requests: t.Requests,
		InForce: finiteDecisions(forEntity(c.Lister.Blocklist(), e, q.Now)),
		Scores:  finiteScores(t.Scores), Decisions: finiteDecisions(t.Decisions),
		Events: eventModels(t.Events), Related: finiteActivity(t.Related),
	}
	slices.Reverse(m.Decisions)
	slices.Reverse(m.Events)
	return m, nil
}

// askedEntity reads the path /entity/{kind}/{key}, or the box that looks an entity up.
func askedEntity(q query) (sundew.Entity, error) {
	if q.PathValue("kind") == "" {
		return lookup(q.Values.Get("q"))
	}
	kind, err := sundew.ParseKind(clip(q.PathValue("kind"), 40))
	if err != nil {
		return sundew.Entity{}, badEntity(err.Error())
	}
	e, err := sundew.Entity{Kind: kind, Key: q.PathValue("key")}.Canonical()
	if err != nil {
		return sundew.Entity{}, badEntity(err.Error())
	}
	return e, nil
}

// lookup guesses the kind of what an analyst typed: kind:key, an address or a prefix.
func lookup(text string) (sundew.Entity, error) {
	text = strings.TrimSpace(text)
	if len(text) > 2*sundew.MaxID {
		return sundew.Entity{}, badEntity("The text is longer than any entity.")
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return sundew.Entity{Kind: sundew.KindIP, Key: addr.String()}.Canonical()
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return sundew.Entity{Kind: sundew.KindPrefix, Key: prefix.String()}.Canonical()
	}
	e, err := sundew.ParseEntity(text)
	if err != nil {
		return sundew.Entity{}, badEntity(err.Error())
	}
	return e, nil
}

func badEntity(detail string) error {
	return &problem{
		Status: http.StatusBadRequest,
		Title:  "This names no entity",
		Detail: detail,
		Remedy: "Write an address (192.0.2.1), a prefix (192.0.2.0/24), or kind:key with the kind device, account, api_key, fingerprint or asn.",
	}
}

// forEntity lists the decisions in force on e.
func forEntity(list sundew.Blocklist, e sundew.Entity, now time.Time) []sundew.Decision {
	var ds []sundew.Decision
	for i := range list.Decisions {
		if d := &list.Decisions[i]; d.Entity == e && d.InForce(now) {
			ds = append(ds, *d)
		}
	}
	return ds
}

func finiteScores(scores []sundew.ScorePoint) []sundew.ScorePoint {
	out := make([]sundew.ScorePoint, len(scores))
	for i, s := range scores {
		s.Points, s.Nats, s.Evidence = finite(s.Points), finite(s.Nats), finiteEvidence(s.Evidence)
		out[i] = s
	}
	return out
}
