package dashboards

import (
	"fmt"
	"html/template"
	"strings"
	"time"

	"sundew"
)

// columns is a chart of stacked columns over time.
type columns struct {
	ID     string // unique on the page
	Title  string
	Noun   string   // what is counted
	Series []series // from the bottom of the stack up
	Span   span
	Points []sundew.OverviewPoint
	Now    time.Time
	Height float64
}

// series is one layer of the stack.
type series struct {
	Name  string
	Class string
	Of    func(sundew.OverviewPoint) int64
}

// requestSeries splits requests by how they were answered.
var requestSeries = []series{
	{"answered", "s-answered", func(p sundew.OverviewPoint) int64 { return max(0, p.Requests-p.ClientErrors-p.ServerErrors) }},
	{"client errors (4xx)", "s-client", func(p sundew.OverviewPoint) int64 { return p.ClientErrors }},
	{"server errors (5xx)", "s-server", func(p sundew.OverviewPoint) int64 { return p.ServerErrors }},
}

// decisionSeries splits decisions by rung.
var decisionSeries = []series{
	{"observe", "s-observe", func(p sundew.OverviewPoint) int64 { return p.Observed }},
	{"tarpit", "s-tarpit", func(p sundew.OverviewPoint) int64 { return p.Tarpitted }},
	{"challenge", "s-challenge", func(p sundew.OverviewPoint) int64 { return p.Challenged }},
	{"block", "s-block", func(p sundew.OverviewPoint) int64 { return p.Blocked }},
}

func requestColumns(points []sundew.OverviewPoint, f frame) columns {
	return columns{"requests", "Requests per " + stepWord(f.Span.Step), "requests", requestSeries, f.Span, points, f.Now, 168}
}

func decisionColumns(points []sundew.OverviewPoint, f frame) columns {
	return columns{"decided", "Decisions per " + stepWord(f.Span.Step), "decisions", decisionSeries, f.Span, points, f.Now, 104}
}

func stepWord(step time.Duration) string {
	switch step {
	case time.Second:
		return "second"
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	return duration(step)
}

// Total counts one series over the range.
func (c columns) Total(s series) (n int64) {
	for _, p := range c.Points {
		n += s.Of(p)
	}
	return n
}

// Describe says the chart in words.
func (c columns) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s from %s to %s UTC.", c.Title, c.Span.From.Format("2 January 15:04"), c.Span.To.Format("2 January 15:04"))
	for _, s := range c.Series {
		fmt.Fprintf(&b, " %s: %s.", s.Name, grouped(c.Total(s)))
	}
	if p, n := c.highest(); n > 0 {
		fmt.Fprintf(&b, " Most at %s: %s %s.", p.Time.UTC().Format("15:04"), grouped(n), c.Noun)
	}
	return b.String()
}

func (c columns) sum(p sundew.OverviewPoint) (n int64) {
	for _, s := range c.Series {
		n += s.Of(p)
	}
	return n
}

func (c columns) highest() (at sundew.OverviewPoint, n int64) {
	for _, p := range c.Points {
		if sum := c.sum(p); sum > n {
			at, n = p, sum
		}
	}
	return at, n
}

// Draw returns the chart for a page of the given width in pixels. Points outside the range are left out.
func (c columns) Draw(width float64) template.HTML {
	_, highest := c.highest()
	top, step := niceMax(float64(highest))
	p := plot{left: 40, top: 10, width: width - 48, height: c.Height - 34, Range: c.Span.Range, max: top}
	id := fmt.Sprintf("%s-%.0f", c.ID, width)

	var s svg
	s.start("svg", attrs{
		"viewBox", fmt.Sprintf("0 0 %.0f %.0f", width, c.Height), "class", "chart", "role", "img",
		"aria-labelledby", id + "-title " + id + "-desc",
	})
	s.text("title", attrs{"id", id + "-title"}, c.Title)
	s.text("desc", attrs{"id", id + "-desc"}, c.Describe())
	p.drawValueAxis(&s, step)
	for _, point := range c.Points {
		if !point.Time.Before(c.Span.From) && point.Time.Before(c.Span.To) {
			c.drawColumn(&s, p, point)
		}
	}
	p.drawTimeAxis(&s)
	s.end()
	return s.html()
}

func (p plot) drawValueAxis(s *svg, step float64) {
	s.start("g", attrs{"class", "axis"})
	for value := 0.0; value <= p.max; value += step {
		y := p.y(value)
		s.leaf("line", attrs{"x1", p.left, "x2", p.right(), "y1", y, "y2", y, "class", "grid"})
		s.text("text", attrs{"x", p.left - 6, "y", y + 4, "text-anchor", "end"}, compact(value))
	}
	s.end()
}

// drawColumn draws one step. A step that the clock has not finished is drawn paler: it is not a drop.
func (c columns) drawColumn(s *svg, p plot, point sundew.OverviewPoint) {
	x, next := p.x(point.Time), p.x(point.Time.Add(c.Span.Step))
	gap := min(1, (next-x)/5)
	class := "column"
	tip := c.tip(point)
	if point.Time.Add(c.Span.Step).After(c.Now) {
		class = "column partial"
		tip += "\nstill filling"
	}
	s.start("g", attrs{"class", class})
	var below int64
	for _, layer := range c.Series {
		n := layer.Of(point)
		if n <= 0 {
			continue
		}
		y := p.y(float64(below + n))
		s.leaf("rect", attrs{"x", x, "y", y, "width", next - x - gap, "height", p.y(float64(below)) - y, "class", layer.Class})
		below += n
	}
	s.start("rect", attrs{"x", x, "y", p.top, "width", next - x, "height", p.height, "class", "hit"})
	s.text("title", nil, tip)
	s.end()
	s.end()
}

func (c columns) tip(p sundew.OverviewPoint) string {
	lines := []string{p.Time.UTC().Format("2 Jan 15:04:05") + " UTC"}
	for _, s := range c.Series {
		lines = append(lines, s.Name+": "+grouped(s.Of(p)))
	}
	return strings.Join(lines, "\n")
}
