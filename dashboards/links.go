package dashboards

import (
	"net/url"
	"strings"

	"sundew"
)

// Links are relative to the root of the console, which the base element of a page points at.

// entityPath returns the path of an entity's page. A key of dots would be taken for a step up the path, so it travels
// in the query.
func entityPath(e sundew.Entity) string {
	if e.Key == "." || e.Key == ".." {
		return "entity?q=" + url.QueryEscape(e.String())
	}
	return "entity/" + url.PathEscape(e.Kind.String()) + "/" + url.PathEscape(e.Key)
}

func decisionPath(id string) string {
	if id == "" || id == "." || id == ".." {
		return "decisions"
	}
	return "decision/" + url.PathEscape(id)
}

// ruleAnchor is the id of a rule's place on the page of rules. Browsers compare a fragment with ids before they decode
// it, so the escaped form serves as both.
func ruleAnchor(id string) string { return "rule-" + url.QueryEscape(id) }

// withQuery appends an encoded query to a path that may have one.
func withQuery(path, query string) string {
	switch {
	case query == "":
		return path
	case strings.Contains(path, "?"):
		return path + "&" + query
	}
	return path + "?" + query
}

// rootOf returns the way from a page up to the root of the console, for the base element.
func rootOf(escapedPath string) string {
	depth := strings.Count(strings.TrimPrefix(escapedPath, "/"), "/")
	if depth == 0 {
		return "./"
	}
	return strings.Repeat("../", depth)
}

// reference returns the address if it is a web page's that may be linked to, "" for anything else.
func reference(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return u.String()
}
