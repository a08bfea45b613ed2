package dashboards

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"time"

	"sundew"
)

//go:embed templates
var templateFiles embed.FS

// templates are the pages by the name of their view, each parsed together with the layout and the parts.
type templates map[string]*template.Template

func loadTemplates(static assets) (templates, error) {
	layout, err := template.New("layout.html").Funcs(functions(static)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	names := []string{"problem"}
	for _, v := range views() {
		names = append(names, v.name)
	}
	pages := templates{}
	for _, name := range names {
		page, err := layout.Clone()
		if err != nil {
			return nil, fmt.Errorf("copy layout: %w", err)
		}
		if pages[name], err = page.ParseFS(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("parse page: %w", err)
		}
	}
	return pages, nil
}

func (t templates) execute(w io.Writer, name string, f frame) error {
	page, ok := t[name]
	if !ok {
		return fmt.Errorf("no page %q", name)
	}
	return page.ExecuteTemplate(w, "layout.html", f)
}

// functions are what templates may call. Those that return markup draw SVG; everything else is text, which
// html/template escapes for the place it stands in.
func functions(static assets) template.FuncMap {
	return template.FuncMap{
		"asset": static.path,

		"text":    func(value string) shown { return showText(value, maxCell) },
		"cut":     func(value string, n int) shown { return showText(value, n) },
		"spelled": spelled,
		"kind":    kindWord,
		"title":   title,
		"ref":     reference,

		"points":   points,
		"number":   number,
		"count":    grouped[int],
		"count64":  grouped[int64],
		"odds":     odds,
		"duration": duration,
		"stamp":    func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"local":    func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04") },
		"full":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999") + " UTC" },
		"moment":   func(t time.Time, f frame) moment { return moment{t, f.Now} },
		"distance": distance,

		"glyph":          glyph,
		"meter":          meter,
		"natsBar":        natsBar,
		"requestsChart":  requestColumns,
		"decisionsChart": decisionColumns,
		"scoreChart":     newScoreChart,

		"entity":   func(e sundew.Entity, f frame) entityLink { return entityLink{e, f} },
		"evidence": func(list []sundew.Evidence) evidenceTable { return evidenceTable{list, strongest(list)} },
		"requests": func(events []eventModel, f frame) requestsTable { return requestsTable{events, f} },
		"decided":  func(ds []sundew.Decision, f frame) decisionsTable { return decisionsTable{ds, f} },
		"rule":     func(rule string, f frame) ruleLink { return ruleLink{rule, f} },

		"ruleAnchor": ruleAnchor,
		"ruleQuery":  func(id string) string { return url.Values{"q": {id}}.Encode() },
		"one":        plural,
	}
}

// moment is a time for the part that shows one.
type moment struct{ Time, Now time.Time }

// Clock is the time of day, with the date where it is not today's.
func (m moment) Clock() string { return clock(m.Time, m.Now) }

// Distance says how far the time is from now.
func (m moment) Distance() string { return distance(m.Time, m.Now) }

type entityLink struct {
	Entity sundew.Entity
	frame  frame
}

// Href is the page of the entity.
func (l entityLink) Href() string { return l.frame.EntityHref(l.Entity) }

type ruleLink struct {
	Rule  string
	Frame frame
}

type evidenceTable struct {
	List      []sundew.Evidence
	Strongest float64
}

type requestsTable struct {
	List  []eventModel
	Frame frame
}

type decisionsTable struct {
	List  []sundew.Decision
	Frame frame
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}
