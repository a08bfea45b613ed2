package dashboards

import (
	"html/template"

	"sundew"
)

// glyph draws an action as a ladder of four rungs, filled up to the action's. The word always stands beside it.
func glyph(a sundew.Action) template.HTML {
	var s svg
	s.start("svg", attrs{"viewBox", "0 0 14 14", "class", "glyph", "aria-hidden", "true"})
	for i, r := range rungs {
		class := "off"
		if r.Action <= a {
			class = "on"
		}
		s.leaf("rect", attrs{"x", 1, "y", float64(11 - i*3), "width", 12, "height", 2, "rx", 1, "class", class})
	}
	s.end()
	return s.html()
}

// meter draws a score of 0 to 100 as a bar with the rungs marked below. The number always stands beside it.
func meter(score float64) template.HTML {
	score = min(max(finite(score), 0), 100)
	var s svg
	s.start("svg", attrs{"viewBox", "0 0 100 12", "class", "meter", "aria-hidden", "true", "preserveAspectRatio", "none"})
	s.leaf("rect", attrs{"x", 0, "y", 2, "width", 100, "height", 6, "class", "rail"})
	s.leaf("rect", attrs{"x", 0, "y", 2, "width", score, "height", 6, "class", "fill fill-" + rungOf(score).String()})
	for _, r := range rungs {
		s.leaf("rect", attrs{"x", r.Points, "y", 9, "width", 1, "height", 3, "class", "tick"})
	}
	s.end()
	return s.html()
}

// natsBar draws one channel's evidence against the strongest of the table.
func natsBar(nats, strongest float64) template.HTML {
	share := 0.0
	if strongest > 0 {
		share = min(max(finite(nats/strongest), 0), 1)
	}
	var s svg
	s.start("svg", attrs{"viewBox", "0 0 100 10", "class", "nats", "aria-hidden", "true", "preserveAspectRatio", "none"})
	s.leaf("rect", attrs{"x", 0, "y", 0, "width", 100, "height", 10, "class", "rail"})
	s.leaf("rect", attrs{"x", 0, "y", 0, "width", 100 * share, "height", 10, "class", "fill"})
	s.end()
	return s.html()
}
