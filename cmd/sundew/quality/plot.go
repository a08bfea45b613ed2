package quality

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Colours that read on white and in greyscale.
const (
	ink   = "#222222"
	faint = "#d0d0d0"
	blue  = "#0b5394"
)

// svg collects the elements of a drawing; lengths are pixels.
type svg struct {
	strings.Builder
	width, height float64
}

func newSVG(width, height float64, title string) *svg {
	s := &svg{width: width, height: height}
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %[1]g %[2]g" font-family="sans-serif" font-size="12" fill="%s">`+"\n", width, height, ink)
	fmt.Fprintf(s, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n", escape(title))
	s.text(width/2, 22, "middle", 15, title)
	return s
}

func (s *svg) close() []byte {
	s.WriteString("</svg>\n")
	return []byte(s.String())
}

func (s *svg) line(x1, y1, x2, y2 float64, colour string, width float64) {
	fmt.Fprintf(s, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"/>`+"\n", x1, y1, x2, y2, colour, width)
}

func (s *svg) dot(x, y float64, fill string) {
	fmt.Fprintf(s, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s" stroke="%s"/>`+"\n", x, y, fill, blue)
}

// text writes at the baseline; anchor is start, middle or end.
func (s *svg) text(x, y float64, anchor string, size float64, text string) {
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%g">%s</text>`+"\n", x, y, anchor, size, escape(text))
}

// upright writes from bottom to top.
func (s *svg) upright(x, y float64, text string) {
	fmt.Fprintf(s, `<text transform="translate(%.1f %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n", x, y, escape(text))
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}

// frame is an area with two axes, each from low to high.
type frame struct {
	left, top, width, height float64
	lowX, highX, lowY, highY float64
	ticksX, ticksY           []float64
	labelX, labelY, title    string
	nameOfTickX, nameOfTickY func(v float64) string
}

func (f *frame) x(v float64) float64 { return f.left + f.width*(v-f.lowX)/(f.highX-f.lowX) }

// y keeps what lies outside of the axis at its edge.
func (f *frame) y(v float64) float64 {
	v = min(max(v, f.lowY), f.highY)
	return f.top + f.height*(f.highY-v)/(f.highY-f.lowY)
}

// draw draws grid, axes, ticks and labels.
func (f *frame) draw(s *svg) {
	for _, v := range f.ticksX {
		s.line(f.x(v), f.top, f.x(v), f.top+f.height, faint, .5)
		s.text(f.x(v), f.top+f.height+15, "middle", 11, f.nameOfTickX(v))
	}
	for _, v := range f.ticksY {
		s.line(f.left, f.y(v), f.left+f.width, f.y(v), faint, .5)
		s.text(f.left-6, f.y(v)+4, "end", 11, f.nameOfTickY(v))
	}
	s.line(f.left, f.top+f.height, f.left+f.width, f.top+f.height, ink, 1)
	s.line(f.left, f.top, f.left, f.top+f.height, ink, 1)
	s.text(f.left+f.width/2, f.top-6, "middle", 12, f.title)
	s.text(f.left+f.width/2, f.top+f.height+32, "middle", 12, f.labelX)
	s.upright(f.left-42, f.top+f.height/2, f.labelY)
}

// whisker draws an interval.
func (f *frame) whisker(s *svg, x, low, high float64) {
	s.line(f.x(x), f.y(low), f.x(x), f.y(high), blue, 1)
	for _, v := range []float64{low, high} {
		s.line(f.x(x)-4, f.y(v), f.x(x)+4, f.y(v), blue, 1)
	}
}

// Sizes of the panels of Power.
const (
	panelColumns = 3
	panelWidth   = 290.0
	panelHeight  = 190.0
)

// Power draws, for each attack, the share of its campaigns that were enforced against how hard it was tried, with 95 %
// intervals. The result is an SVG document.
func (r Report) Power() []byte {
	var names []string
	rows := map[string][]AttackRow{}
	for _, a := range r.Attacks {
		if rows[a.Attack] == nil {
			names = append(names, a.Attack)
		}
		rows[a.Attack] = append(rows[a.Attack], a)
	}
	lines := (len(names) + panelColumns - 1) / panelColumns
	s := newSVG(panelColumns*panelWidth, 40+float64(lines)*panelHeight, "Campaigns enforced (tarpit or harder), by intensity, with 95 % intervals")
	for i, name := range names {
		f := frame{
			left: 60 + panelWidth*float64(i%panelColumns), top: 58 + panelHeight*float64(i/panelColumns),
			width: panelWidth - 80, height: panelHeight - 75,
			highX: 1, highY: 1, ticksX: []float64{0, .2, .4, .6, .8, 1}, ticksY: []float64{0, .5, 1},
			labelX: "intensity", labelY: "enforced", title: name,
			nameOfTickX: decimal, nameOfTickY: percent,
		}
		f.draw(s)
		f.power(s, rows[name])
	}
	return s.close()
}

func (f *frame) power(s *svg, rows []AttackRow) {
	for i, a := range rows {
		rate := rateOf(a.Enforced, a.Campaigns)
		if i > 0 {
			before := rateOf(rows[i-1].Enforced, rows[i-1].Campaigns)
			s.line(f.x(rows[i-1].Intensity), f.y(before.Share), f.x(a.Intensity), f.y(rate.Share), blue, 1.5)
		}
		f.whisker(s, a.Intensity, rate.Low, rate.High)
		s.dot(f.x(a.Intensity), f.y(rate.Share), blue)
	}
}

// CalibrationPlot draws the actual share of legitimate client-days that reach ln(1/alpha) against alpha, both axes
// logarithmic. Below the diagonal the bound holds. A level that nobody reached has an empty circle at the upper end of
// its interval. The result is an SVG document.
func (r Report) CalibrationPlot() []byte {
	s := newSVG(560, 500, "False positives per client-day: nominal and actual")
	f := frame{
		left: 80, top: 50, width: 440, height: 380,
		lowX: -5.3, highX: -.7, lowY: -6, highY: 0,
		ticksX: []float64{-5, -4, -3, -2, -1}, ticksY: []float64{-6, -5, -4, -3, -2, -1, 0},
		labelX: "nominal rate alpha, evidence ln(1/alpha)", labelY: "actual share of client-days, 95 % interval",
		nameOfTickX: power10, nameOfTickY: power10,
	}
	f.draw(s)
	s.line(f.x(f.lowX), f.y(f.lowX), f.x(f.highX), f.y(f.highX), ink, 1)
	s.text(f.x(-2.4), f.y(-2.15), "end", 11, "actual = nominal")
	for _, c := range r.Calibration {
		x := math.Log10(c.Alpha)
		f.whisker(s, x, math.Log10(c.Actual.Low), math.Log10(c.Actual.High))
		if c.Actual.Hits > 0 {
			s.dot(f.x(x), f.y(math.Log10(c.Actual.Share)), blue)
		} else {
			s.dot(f.x(x), f.y(math.Log10(c.Actual.High)), "#ffffff")
		}
	}
	s.text(s.width-40, s.height-14, "end", 11, fmt.Sprintf("%d client-days; empty circle: none seen, upper limit", r.clientDays()))
	return s.close()
}

func (r Report) clientDays() int {
	if len(r.Calibration) == 0 {
		return 0
	}
	return r.Calibration[0].Actual.Of
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
func percent(v float64) string { return decimal(100*v) + " %" }
func power10(v float64) string { return "1e" + decimal(v) }
