package dashboards

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sundew"
)

// preset is a time range that ends now, by the word that stands in the URL.
type preset struct {
	Word   string
	Length time.Duration
	Title  string
}

// presets are the ranges of the range picker, shortest first.
var presets = [...]preset{
	{"15m", 15 * time.Minute, "Last 15 minutes"},
	{"1h", time.Hour, "Last hour"},
	{"6h", 6 * time.Hour, "Last 6 hours"},
	{"24h", 24 * time.Hour, "Last 24 hours"},
	{"7d", 7 * 24 * time.Hour, "Last 7 days"},
}

const (
	defaultPreset = 1
	maxSpan       = 92 * 24 * time.Hour
	maxSteps      = 100
)

// steps are the widths that a chart's column may have, so that its edges fall on round times.
var steps = [...]time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// span is the time range of a page as its URL asks for it.
type span struct {
	sundew.Range
	Step   time.Duration // width of one column of a chart
	Preset string        // word of the preset; "" for from and to
	Title  string
}

// Live says whether the range moves with the clock, so that asking again can give another answer.
func (s span) Live() bool { return s.Preset != "" }

// Query is the part of the URL that says the range again, "" for the default.
func (s span) Query() string {
	switch {
	case s.Preset == presets[defaultPreset].Word:
		return ""
	case s.Preset != "":
		return url.Values{"range": {s.Preset}}.Encode()
	}
	return url.Values{"from": {s.From.Format(time.RFC3339)}, "to": {s.To.Format(time.RFC3339)}}.Encode()
}

// parseSpan reads range, or from and to, of a query. Ends are rounded outwards to whole steps, so that the columns of a
// chart stay put while the clock moves.
func parseSpan(q url.Values, now time.Time) (span, error) {
	if q.Has("from") || q.Has("to") {
		return parseFromTo(q.Get("from"), q.Get("to"))
	}
	word := q.Get("range")
	if word == "" {
		word = presets[defaultPreset].Word
	}
	for _, p := range presets {
		if p.Word == word {
			s := span{Step: stepOf(p.Length), Preset: p.Word, Title: p.Title}
			s.To = now.UTC().Truncate(s.Step).Add(s.Step)
			s.From = s.To.Add(-p.Length)
			return s, nil
		}
	}
	return span{}, badRange(fmt.Sprintf("There is no time range %q.", clip(word, 40)))
}

func parseFromTo(fromText, toText string) (span, error) {
	from, ok := parseTime(fromText)
	if !ok {
		return span{}, badRange(fmt.Sprintf("The start of the range, from=%q, is not a time.", clip(fromText, 40)))
	}
	to, ok := parseTime(toText)
	switch {
	case !ok:
		return span{}, badRange(fmt.Sprintf("The end of the range, to=%q, is not a time.", clip(toText, 40)))
	case !to.After(from):
		return span{}, badRange("The range ends before it starts.")
	case to.Sub(from) > maxSpan:
		return span{}, badRange(fmt.Sprintf("The range is longer than %d days.", maxSpan/(24*time.Hour)))
	}
	s := span{Step: stepOf(to.Sub(from)), Title: from.Format("2006-01-02 15:04") + " to " + to.Format("2006-01-02 15:04")}
	s.From = from.Truncate(s.Step)
	s.To = to.Truncate(s.Step)
	if s.To.Before(to) {
		s.To = s.To.Add(s.Step)
	}
	return s, nil
}

// parseTime reads RFC 3339, or what a datetime-local field of a form sends, which is taken as UTC. Years that RFC 3339
// cannot write are refused.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func stepOf(length time.Duration) time.Duration {
	for _, step := range steps {
		if length <= maxSteps*step {
			return step
		}
	}
	return steps[len(steps)-1]
}

func badRange(detail string) error {
	return &problem{
		Status: http.StatusBadRequest,
		Title:  "This time range cannot be read",
		Detail: detail,
		Remedy: "Use ?range=15m, 1h, 6h, 24h or 7d, or ?from=2026-01-31T12:00:00Z&to=2026-01-31T13:00:00Z with at most 92 days between them.",
	}
}
