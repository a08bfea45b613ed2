package dashboards

import (
	"encoding/xml"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// svg writes one drawing. Every attribute value and every text passes through an XML escape, numbers are finite, and
// there is no way to write raw markup, so the result may stand in a page as it is. Colours come from classes of the
// style sheet.
type svg struct {
	b    strings.Builder
	open []string
}

// attrs are pairs of a name, which is a constant of this package, and a value: string, int or float64.
type attrs []any

func (s *svg) start(name string, a attrs) {
	s.tag(name, a)
	s.b.WriteByte('>')
	s.open = append(s.open, name)
}

func (s *svg) end() {
	last := len(s.open) - 1
	s.b.WriteString("</" + s.open[last] + ">")
	s.open = s.open[:last]
}

func (s *svg) leaf(name string, a attrs) {
	s.tag(name, a)
	s.b.WriteString("/>")
}

func (s *svg) text(name string, a attrs, content string) {
	s.start(name, a)
	s.escape(content)
	s.end()
}

func (s *svg) tag(name string, a attrs) {
	s.b.WriteString("<" + name)
	for i := 0; i+1 < len(a); i += 2 {
		s.b.WriteString(" " + a[i].(string) + `="`)
		switch v := a[i+1].(type) {
		case string:
			s.escape(v)
		case int:
			s.b.WriteString(strconv.Itoa(v))
		case float64:
			s.b.WriteString(coordinate(v))
		}
		s.b.WriteByte('"')
	}
}

// escape spells out invisible characters first: XML has no form for most controls.
func (s *svg) escape(text string) {
	_ = xml.EscapeText(&s.b, []byte(spelled(text))) // a strings.Builder does not fail
}

// coordinate writes a finite number with two decimals; what is none becomes 0.
func coordinate(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) || math.Abs(x) > 1e9 {
		return "0"
	}
	return strconv.FormatFloat(math.Round(x*100)/100+0, 'f', -1, 64) // + 0 turns -0 into 0
}

// pathData collects the commands of a path's d attribute.
type pathData struct{ b strings.Builder }

func (p *pathData) to(command string, coordinates ...float64) {
	p.b.WriteString(command)
	for i, c := range coordinates {
		if i > 0 {
			p.b.WriteByte(' ')
		}
		p.b.WriteString(coordinate(c))
	}
}

// html hands the drawing to html/template. This is the one place of the package that vouches for markup.
func (s *svg) html() template.HTML {
	return template.HTML(s.b.String())
}
