package edge

import (
	"net/url"
	"slices"
	"strings"

	"sundew"
)

// A query is what a CrowdSec client narrows its list by. The lists are empty for all.
type query struct {
	scopes    []string // lower case
	origins   []string
	including []string // parts of the scenario, lower case
	excluding []string
	remedy    string
	everyone  bool // dedup=false: all decisions for a target, not the longest alone
}

// parseQuery reads the parameters that all lists share, and leaves those it does not know alone, as CrowdSec does.
// Without scopes a client gets addresses and ranges: the firewall bouncer loses its whole batch to one other value.
func parseQuery(v url.Values) query {
	q := query{
		origins:   fields(v.Get("origins")),
		including: fields(strings.ToLower(v.Get("scenarios_containing"))),
		excluding: fields(strings.ToLower(v.Get("scenarios_not_containing"))),
		remedy:    v.Get("type"),
		everyone:  v.Get("dedup") == "false",
	}
	q.scopes = fields(strings.ToLower(v.Get("scopes") + "," + v.Get("scope")))
	if len(q.scopes) == 0 {
		q.scopes = []string{"ip", "range"}
	}
	return q
}

// fields returns the non-empty words between commas.
func fields(text string) []string { return slices.Collect(words(text)) }

func (q query) matches(t target, d *sundew.Decision) bool {
	if !q.wantsScope(t.scope()) || (q.remedy != "" && q.remedy != t.remedy) {
		return false
	}
	if len(q.origins) > 0 && !slices.Contains(q.origins, crowdsecOrigin) {
		return false
	}
	scenario := strings.ToLower(d.RuleID())
	contained := func(part string) bool { return strings.Contains(scenario, part) }
	if len(q.including) > 0 && !slices.ContainsFunc(q.including, contained) {
		return false
	}
	return !slices.ContainsFunc(q.excluding, contained)
}

func (q query) wantsScope(scope string) bool {
	return len(q.scopes) == 0 || slices.ContainsFunc(q.scopes, func(s string) bool { return strings.EqualFold(s, scope) })
}
