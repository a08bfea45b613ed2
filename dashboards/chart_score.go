package dashboards

import (
	"fmt"
	"html/template"
	"math"

	"sundew"
)

// scoreChart draws how the score of one entity moved, against the rungs of the ladder.
type scoreChart struct {
	Entity    sundew.Entity
	Scores    []sundew.ScorePoint
	Decisions []sundew.Decision
	Span      span
}

func newScoreChart(m entityModel, f frame) scoreChart {
	return scoreChart{m.Entity, m.Scores, m.Decisions, f.Span}
}

// Describe says the chart in words.
func (c scoreChart) Describe() string {
	text := fmt.Sprintf("Score of %s from %s to %s UTC, 0 to 100.", subject(c.Entity),
		c.Span.From.Format("2 January 15:04"), c.Span.To.Format("2 January 15:04"))
	peak := -1
	for i, s := range c.Scores {
		if peak < 0 || s.Points > c.Scores[peak].Points {
			peak = i
		}
	}
	if peak < 0 {
		return text + " No scores."
	}
	return fmt.Sprintf("%s %d scores, highest %s at %s, last %s. %d decisions.", text, len(c.Scores), points(c.Scores[peak].Points),
		c.Scores[peak].Time.UTC().Format("15:04:05"), points(c.Scores[len(c.Scores)-1].Points), len(c.Decisions))
}

// Draw returns the chart for a page of the given width in pixels.
func (c scoreChart) Draw(width float64) template.HTML {
	const height = 220
	p := plot{left: 30, top: 12, width: width - 110, height: height - 40, Range: c.Span.Range, max: 100}
	id := fmt.Sprintf("score-%.0f", width)

	var s svg
	s.start("svg", attrs{
		"viewBox", fmt.Sprintf("0 0 %.0f %d", width, height), "class", "chart", "role", "img",
		"aria-labelledby", id + "-title " + id + "-desc",
	})
	s.text("title", attrs{"id", id + "-title"}, "Score over time")
	s.text("desc", attrs{"id", id + "-desc"}, c.Describe())
	p.drawRungs(&s)
	c.drawDecisions(&s, p)
	c.drawLine(&s, p)
	p.drawTimeAxis(&s)
	s.end()
	return s.html()
}

func (p plot) drawRungs(s *svg) {
	for i, r := range rungs {
		upper := 100.0
		if i+1 < len(rungs) {
			upper = rungs[i+1].Points
		}
		y := p.y(r.Points)
		s.leaf("rect", attrs{"x", p.left, "y", p.y(upper), "width", p.width, "height", y - p.y(upper), "class", "band band-" + r.Action.String()})
		s.leaf("line", attrs{"x1", p.left, "x2", p.right(), "y1", y, "y2", y, "class", "rungline rungline-" + r.Action.String()})
		s.text("text", attrs{"x", p.right() + 8, "y", y + 4, "class", "rungname"}, fmt.Sprintf("%s %.0f", r.Action, r.Points))
	}
	s.start("g", attrs{"class", "axis"})
	for _, value := range [...]float64{0, 50, 100} {
		s.text("text", attrs{"x", p.left - 6, "y", p.y(value) + 4, "text-anchor", "end"}, compact(value))
	}
	s.leaf("line", attrs{"x1", p.left, "x2", p.right(), "y1", p.bottom(), "y2", p.bottom(), "class", "grid"})
	s.end()
}

// drawLine draws a step line: a score holds until the next event of the entity. Points that are no numbers, or that lie
// outside the range, are left out.
func (c scoreChart) drawLine(s *svg, p plot) {
	var line pathData
	drawn := 0
	var x, y float64
	for _, score := range c.Scores {
		if math.IsNaN(score.Points) || score.Time.Before(c.Span.From) || !score.Time.Before(c.Span.To) {
			continue
		}
		x, y = p.x(score.Time), p.y(min(max(score.Points, 0), 100))
		if drawn == 0 {
			line.to("M", x, y)
		} else {
			line.to("H", x)
			line.to("V", y)
		}
		drawn++
	}
	if drawn == 0 {
		return
	}
	s.leaf("path", attrs{"d", line.b.String(), "class", "scoreline"})
	s.leaf("circle", attrs{"cx", x, "cy", y, "r", 3.5, "class", "scoredot"})
}

// drawDecisions marks each decision with a line and a triangle whose height on the chart is its score.
func (c scoreChart) drawDecisions(s *svg, p plot) {
	for i := range c.Decisions {
		d := &c.Decisions[i]
		if d.Time.Before(c.Span.From) || !d.Time.Before(c.Span.To) {
			continue
		}
		x := p.x(d.Time)
		s.start("g", attrs{"class", "mark mark-" + d.Action.String()})
		s.text("title", nil, d.Time.UTC().Format("15:04:05")+" "+d.Action.String()+" by "+d.Rule)
		s.leaf("line", attrs{"x1", x, "x2", x, "y1", p.top, "y2", p.bottom()})
		var triangle pathData
		triangle.to("M", x-5, p.top-8)
		triangle.to("L", x+5, p.top-8)
		triangle.to("L", x, p.top)
		triangle.to("Z")
		s.leaf("path", attrs{"d", triangle.b.String()})
		s.end()
	}
}
