package dashboards

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sundew"
)

// rangeModel says which range an answer covers.
type rangeModel struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// eventModel is an event that marshals to the canonical JSON event.
type eventModel struct{ sundew.Event }

// MarshalJSON writes the canonical JSON event. A captcha score that is not a number is written as unknown.
func (e eventModel) MarshalJSON() ([]byte, error) {
	if e.CaptchaScore != finite(e.CaptchaScore) {
		e.CaptchaScore = -1
	}
	return e.AppendJSON(nil), nil
}

func eventModels(events []sundew.Event) []eventModel {
	models := make([]eventModel, len(events))
	for i, e := range events {
		models[i] = eventModel{e}
	}
	return models
}

// finite brings a number into what JSON and SVG can hold: 0 for what is not a number, the largest for an infinity.
func finite(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return max(-math.MaxFloat64, min(x, math.MaxFloat64))
}

// finiteEvidence returns a copy whose numbers are finite.
func finiteEvidence(evidence []sundew.Evidence) []sundew.Evidence {
	out := make([]sundew.Evidence, len(evidence))
	for i, e := range evidence {
		e.Nats, e.Observed, e.Expected = finite(e.Nats), finite(e.Observed), finite(e.Expected)
		out[i] = e
	}
	return out
}

// finiteDecisions returns copies whose numbers are finite.
func finiteDecisions(ds []sundew.Decision) []sundew.Decision {
	out := make([]sundew.Decision, len(ds))
	for i, d := range ds {
		out[i] = finiteDecision(d)
	}
	return out
}

func finiteDecision(d sundew.Decision) sundew.Decision {
	d.Score = finite(d.Score)
	d.Evidence = finiteEvidence(d.Evidence)
	return d
}

func finiteActivity(rows []sundew.EntityActivity) []sundew.EntityActivity {
	out := make([]sundew.EntityActivity, len(rows))
	for i, row := range rows {
		row.Points = finite(row.Points)
		out[i] = row
	}
	return out
}

// parseLimit reads the parameter limit, how many rows a list may have.
func parseLimit(q url.Values, standard, most int) (int, error) {
	text := q.Get("limit")
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, &problem{
			Status: http.StatusBadRequest,
			Title:  "This limit cannot be used",
			Detail: fmt.Sprintf("limit=%q is not a number from 1 to %d.", clip(text, 20), most),
			Remedy: fmt.Sprintf("Leave it out, or use ?limit=%d.", standard),
		}
	}
	return n, nil
}

// parseKind reads the parameter kind; [sundew.KindNone] stands for every kind.
func parseKind(q url.Values) (sundew.Kind, error) {
	word := q.Get("kind")
	if word == "" {
		return sundew.KindNone, nil
	}
	kind, err := sundew.ParseKind(clip(word, 40))
	if err != nil {
		return sundew.KindNone, &problem{
			Status: http.StatusBadRequest,
			Title:  "There is no such kind of entity",
			Detail: err.Error(),
			Remedy: "Leave kind out to list every kind.",
		}
	}
	return kind, nil
}

// parseAction reads the parameter action; [sundew.ActionNone] stands for every action.
func parseAction(q url.Values) (sundew.Action, error) {
	word := q.Get("action")
	if word == "" {
		return sundew.ActionNone, nil
	}
	var action sundew.Action
	if err := action.UnmarshalText([]byte(clip(word, 40))); err != nil {
		return sundew.ActionNone, &problem{
			Status: http.StatusBadRequest,
			Title:  "There is no such action",
			Detail: err.Error(),
			Remedy: "Leave action out to list every action.",
		}
	}
	return action, nil
}
