package dashboards

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"sundew"
)

// frame is what surrounds a model on an HTML page; templates read it as $.
type frame struct {
	Name    string // of the view
	Model   model
	Root    string // way to the root of the console
	Self    string // the page itself, seen from the root
	JSON    string // the same model as JSON, "" where there is none
	Nav     []link
	Ranges  []link // of the range picker; empty where the page has no range
	Span    span
	Live    bool // the page changes with the clock
	Refresh bool // it asks again by itself
	Status  []StatusItem
	Version string
	Demo    bool
	Host    string // as the analyst's browser calls the listener, for the commands of empty pages
	Now     time.Time

	carry string // the part of the query that links take along
	rules map[string]bool
}

// link is an address within the console.
type link struct {
	Title, Href string
	Short       string
	Current     bool
}

// navigation lists the pages of the menu: the name of the view, its path and its title.
var navigation = [...]struct{ name, path, title string }{
	{"overview", "", "Overview"},
	{"entities", "entities", "Entities"},
	{"decisions", "decisions", "Decisions"},
	{"blocklist", "blocklist", "Blocklist"},
	{"rules", "rules", "Rules"},
	{"deadletters", "deadletters", "Dead letters"},
}

// section says under which menu entry a view stands, and whether it looks at a time range.
func section(name string) (entry string, ranged bool) {
	switch name {
	case "overview", "entities", "decisions", "deadletters":
		return name, true
	case "entity":
		return "entities", true
	case "decision":
		return "decisions", false
	}
	return name, false
}

func (c *console) frame(q query, name string, m model) frame {
	entry, ranged := section(name)
	f := frame{
		Name: name, Model: m, Span: q.Span, Now: q.Now, Host: q.Host,
		Root: rootOf(q.URL.EscapedPath()), Self: selfOf(q.Request),
		Status: c.Status(), Version: c.Version, Demo: c.Demo,
		Live:    name != "problem" && name != "rules" && (!ranged || q.Span.Live()),
		Refresh: q.Values.Get("refresh") != "off",
		rules:   map[string]bool{},
	}
	f.carry = carryOf(q)
	f.JSON = jsonOf(q, name)
	for _, rule := range c.Rules {
		f.rules[rule.ID] = true
	}
	for _, item := range navigation {
		href := item.path
		if href == "" {
			href = "./"
		}
		f.Nav = append(f.Nav, link{Title: item.title, Href: withQuery(href, f.carry), Current: item.name == entry})
	}
	if ranged {
		f.Ranges = rangeLinks(q)
	}
	return f
}

// selfOf returns path and query of the page, seen from the root.
func selfOf(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	if path == "" {
		path = "./"
	}
	return withQuery(path, r.URL.Query().Encode())
}

// jsonOf returns the address under which the same model is JSON.
func jsonOf(q query, name string) string {
	values := q.URL.Query()
	values.Del("refresh")
	switch name {
	case "problem":
		return ""
	case "overview", "entity", "decision":
		values.Set("format", "json")
		return selfOf(&http.Request{URL: &url.URL{Path: q.URL.Path, RawPath: q.URL.RawPath, RawQuery: values.Encode()}})
	}
	return withQuery("api/v1/"+name, values.Encode())
}

// carryOf is the state of the page that links to other pages keep: the range, and whether the page refreshes itself.
func carryOf(q query) string {
	if q.Span.From.IsZero() {
		return ""
	}
	carry := q.Span.Query()
	if q.Values.Get("refresh") == "off" {
		carry = strings.TrimPrefix(carry+"&refresh=off", "&")
	}
	return carry
}

func rangeLinks(q query) []link {
	links := make([]link, 0, len(presets))
	for _, p := range presets {
		values := q.URL.Query()
		values.Del("from")
		values.Del("to")
		values.Set("range", p.Word)
		path, _, _ := strings.Cut(selfOf(q.Request), "?")
		links = append(links, link{
			Title: p.Title, Short: p.Word, Current: p.Word == q.Span.Preset, Href: withQuery(path, values.Encode()),
		})
	}
	return links
}

// Path is the page without its query, for forms.
func (f frame) Path() string {
	path, _, _ := strings.Cut(f.Self, "?")
	return path
}

// Keep lists the parameters of the page that a form of the range picker must send along.
func (f frame) Keep() []link {
	_, query, _ := strings.Cut(f.Self, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil
	}
	var kept []link
	for _, name := range [...]string{"q", "kind", "action", "limit", "refresh"} {
		if values.Has(name) {
			kept = append(kept, link{Title: name, Short: values.Get(name)})
		}
	}
	return kept
}

// EntityHref is the page of an entity in the same range.
func (f frame) EntityHref(e sundew.Entity) string { return withQuery(entityPath(e), f.carry) }

// DecisionHref is the page of a decision.
func (f frame) DecisionHref(id string) string { return withQuery(decisionPath(id), f.carry) }

// PageHref is another page of the console in the same range, with more of a query.
func (f frame) PageHref(path, query string) string { return withQuery(withQuery(path, query), f.carry) }

// RuleHref is the place of a rule on the page of rules, "" for a rule that is not loaded.
func (f frame) RuleHref(rule string) string {
	id, _, _ := strings.Cut(rule, "@")
	if !f.rules[id] {
		return ""
	}
	return withQuery("rules", f.carry) + "#" + ruleAnchor(id)
}
