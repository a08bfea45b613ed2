package dashboards

import (
	"encoding/xml"
	"errors"
	"flag"
	"html/template"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sundew"
)

var update = flag.Bool("update", false, "rewrite the golden drawings in testdata")

// golden compares a drawing with the file of that name.
func golden(t *testing.T, name string, drawn template.HTML) {
	t.Helper()
	assertXML(t, string(drawn))
	got := strings.ReplaceAll(string(drawn), "><", ">\n<") + "\n"
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at the page, then run go test -update\ngot:\n%s", name, got)
	}
}

// assertXML checks that a drawing is well-formed, holds drawing elements alone and finite coordinates alone.
func assertXML(t *testing.T, drawing string) {
	t.Helper()
	allowed := map[string]bool{"svg": true, "g": true, "rect": true, "line": true, "path": true, "circle": true, "text": true, "title": true, "desc": true}
	d := xml.NewDecoder(strings.NewReader(drawing))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %s", err, drawing)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !allowed[element.Name.Local] {
			t.Errorf("the drawing holds <%s>", element.Name.Local)
		}
		for _, a := range element.Attr {
			switch a.Name.Local {
			case "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d", "viewBox":
				if strings.ContainsAny(a.Value, "NIn") {
					t.Errorf("<%s %s=%q>", element.Name.Local, a.Name.Local, a.Value)
				}
			case "style", "href":
				t.Errorf("<%s> has an attribute %s", element.Name.Local, a.Name.Local)
			}
		}
	}
}

func quarterHour() span {
	s := span{Step: 5 * time.Minute, Preset: "15m"}
	s.From = time.Date(2026, 3, 14, 23, 50, 0, 0, time.UTC)
	s.To = s.From.Add(20 * time.Minute)
	return s
}

func TestColumnsGolden(t *testing.T) {
	s := quarterHour()
	now := s.To.Add(-time.Minute)
	points := []sundew.OverviewPoint{
		{Time: s.From, Requests: 180, ClientErrors: 12, ServerErrors: 3},
		{Time: s.From.Add(5 * time.Minute)},
		{Time: s.From.Add(10 * time.Minute), Requests: 240, ClientErrors: 200, Observed: 3, Tarpitted: 2, Challenged: 1, Blocked: 1},
		{Time: s.From.Add(15 * time.Minute), Requests: 90},
		{Time: s.To, Requests: 1 << 40},
		{Time: s.From.Add(-time.Second), Requests: -7},
	}
	golden(t, "requests.svg", requestColumns(points[:4], frame{Span: s, Now: now}).Draw(380))
	golden(t, "decisions.svg", decisionColumns(points, frame{Span: s, Now: now}).Draw(380))
}

func TestScoreGolden(t *testing.T) {
	s := quarterHour()
	e := sundew.Entity{Kind: sundew.KindAccount, Key: `</desc><script>alert("1")</script>` + "\x00\u202e"}
	at := func(minutes int) time.Time { return s.From.Add(time.Duration(minutes) * time.Minute) }
	m := entityModel{
		Entity: e,
		Scores: []sundew.ScorePoint{
			{Time: at(-1), Points: 100},
			{Time: at(2), Points: 22},
			{Time: at(4), Points: math.NaN()},
			{Time: at(6), Points: 61},
			{Time: at(9), Points: math.Inf(1)},
			{Time: at(12), Points: 12},
			{Time: at(20), Points: 100},
		},
		Decisions: []sundew.Decision{
			{Time: at(6), Action: sundew.ActionTarpit, Rule: `"/><script>@1`},
			{Time: at(40), Action: sundew.ActionBlock, Rule: "outside@1"},
		},
	}
	golden(t, "score.svg", newScoreChart(m, frame{Span: s}).Draw(380))
}

func TestMarksAreFinite(t *testing.T) {
	for _, x := range []float64{0, 29.9, 30, 101, -5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64} {
		assertXML(t, string(meter(x)))
		for _, y := range []float64{0, 1, math.NaN(), math.Inf(1), math.MaxFloat64} {
			assertXML(t, string(natsBar(x, y)))
		}
		if c := coordinate(x); strings.ContainsAny(c, "NIe") {
			t.Errorf("coordinate(%v) is %s", x, c)
		}
	}
	if coordinate(-0.001) != "0" {
		t.Errorf("a negative zero is written as %s", coordinate(-0.001))
	}
}

func TestGlyphFillsUpToTheRung(t *testing.T) {
	for i, a := range []sundew.Action{sundew.ActionNone, sundew.ActionObserve, sundew.ActionTarpit, sundew.ActionChallenge, sundew.ActionBlock} {
		if got := strings.Count(string(glyph(a)), `class="on"`); got != i {
			t.Errorf("%s fills %d rungs, want %d", a, got, i)
		}
	}
}

func TestNiceMax(t *testing.T) {
	for _, largest := range []float64{0, 1, 4, 5, 9, 17, 99, 101, 1234, 5e6, 3e17, math.NaN(), math.Inf(1)} {
		top, step := niceMax(largest)
		lines := top / step
		if !(top >= largest || math.IsNaN(largest) || math.IsInf(largest, 1)) || lines < 2 || lines > 5 || step != math.Trunc(step) {
			t.Errorf("niceMax(%v) is %v in steps of %v", largest, top, step)
		}
	}
}

func TestTimeTicksAreRoundAndApart(t *testing.T) {
	for _, p := range presets {
		s, err := parseSpan(map[string][]string{"range": {p.Word}}, sceneNow)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []float64{340, 920} {
			plot := plot{width: width, Range: s.Range}
			ticks, _ := plot.timeTicks()
			if len(ticks) < 2 || len(ticks) > int(width/labelWidth)+1 {
				t.Errorf("%s at %v: %d labels", p.Word, width, len(ticks))
			}
			for _, tick := range ticks {
				if tick.Second() != 0 || tick.Before(s.From) || !tick.Before(s.To) {
					t.Errorf("%s at %v: a label at %s", p.Word, width, tick)
				}
			}
		}
	}
}

// FuzzDrawing checks that no text and no number can break out of a drawing.
func FuzzDrawing(f *testing.F) {
	for _, text := range hostileStrings {
		f.Add(text, 1.5, int64(3))
	}
	f.Fuzz(func(t *testing.T, text string, x float64, n int64) {
		s := quarterHour()
		e := sundew.Entity{Kind: sundew.KindAccount, Key: text}
		m := entityModel{
			Entity:    e,
			Scores:    []sundew.ScorePoint{{Time: s.From, Points: x}, {Time: s.From.Add(time.Duration(n)), Points: x}},
			Decisions: []sundew.Decision{{Time: s.From, Rule: text, Action: sundew.ActionBlock}},
		}
		assertXML(t, string(newScoreChart(m, frame{Span: s}).Draw(380)))
		points := []sundew.OverviewPoint{{Time: s.From, Requests: n, ClientErrors: n / 2, Blocked: n}}
		assertXML(t, string(requestColumns(points, frame{Span: s}).Draw(380)))
		assertXML(t, string(natsBar(x, float64(n))))
	})
}
