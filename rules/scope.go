package rules

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// A scope says which requests a rule looks at. It is asked before the condition and costs a few comparisons; what it
// leaves empty holds for every request.
type scope struct {
	narrow   bool // something below is not empty
	routes   []route
	methods  []string
	paths    []string // prefixes
	statuses []statusRange
}

type statusRange struct{ low, high int }

// A route is "METHOD /template" or "/template"; a segment in braces stands for any one segment.
type route struct {
	method   string
	template string
	segments []string
}

func (f *file) readScope(n *yaml.Node, s *scope) {
	f.object(n, "scope",
		optional("routes", f.sequence("routes", func(n *yaml.Node) { f.readRoute(n, s) })),
		optional("methods", f.texts("methods", &s.methods)),
		optional("paths", f.texts("paths", &s.paths)),
		optional("status", f.sequence("status", func(n *yaml.Node) { f.readStatus(n, s) })),
	)
	s.narrow = len(s.routes)+len(s.methods)+len(s.paths)+len(s.statuses) > 0
	for _, m := range s.methods {
		if m != strings.ToUpper(m) || m == "" {
			f.note(n, "", "scope: method %q is not in upper case", m)
		}
	}
}

func (f *file) readRoute(n *yaml.Node, s *scope) {
	var text string
	f.text(&text)(n)
	if n == nil {
		return
	}
	r := route{template: text}
	if method, template, found := strings.Cut(text, " "); found {
		r.method, r.template = method, template
	}
	if !strings.HasPrefix(r.template, "/") || r.method != strings.ToUpper(r.method) {
		f.note(n, `write "POST /login" or "/orders/{id}"`, "scope: route %q", text)
		return
	}
	r.segments = strings.Split(r.template[1:], "/")
	s.routes = append(s.routes, r)
}

// readStatus reads 404 or 4xx.
func (f *file) readStatus(n *yaml.Node, s *scope) {
	if n == nil {
		f.form = statusForm
		return
	}
	if class, found := strings.CutSuffix(n.Value, "xx"); found && len(class) == 1 && class[0] >= '1' && class[0] <= '9' {
		low := int(class[0]-'0') * 100
		s.statuses = append(s.statuses, statusRange{low, low + 99})
		return
	}
	code, err := strconv.Atoi(n.Value)
	if err != nil || code < 100 || code > 999 {
		f.note(n, "write 404 or 4xx", "scope: status %s", shape(n))
		return
	}
	s.statuses = append(s.statuses, statusRange{code, code})
}

func (s *scope) includes(e *sundew.Event) bool {
	return (len(s.methods) == 0 || slices.Contains(s.methods, e.Method)) &&
		(len(s.statuses) == 0 || s.includesStatus(statusOf(e))) &&
		(len(s.paths) == 0 || s.includesPath(e.Path)) &&
		(len(s.routes) == 0 || s.includesRoute(e))
}

func (s *scope) includesStatus(status int) bool {
	for _, r := range s.statuses {
		if r.low <= status && status <= r.high {
			return true
		}
	}
	return false
}

func (s *scope) includesPath(path string) bool {
	for _, prefix := range s.paths {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// includesRoute compares the template that the gateway logged; without one, the path is held against the template.
func (s *scope) includesRoute(e *sundew.Event) bool {
	for i := range s.routes {
		r := &s.routes[i]
		if r.method != "" && r.method != e.Method {
			continue
		}
		if sameRoute(e.Route, r.template) || (e.Route == "" && r.fits(e.Path)) {
			return true
		}
	}
	return false
}

// sameRoute compares templates whatever they call their placeholders.
func sameRoute(a, b string) bool {
	for {
		i, j := strings.IndexByte(a, '{'), strings.IndexByte(b, '{')
		if i < 0 || j < 0 {
			return a == b
		}
		if a[:i] != b[:j] {
			return false
		}
		_, a, _ = strings.Cut(a[i:], "}")
		_, b, _ = strings.Cut(b[j:], "}")
	}
}

func (r *route) fits(path string) bool {
	path = strings.TrimPrefix(path, "/")
	for i, segment := range r.segments {
		head, rest, more := strings.Cut(path, "/")
		placeholder := strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}") && head != ""
		if !placeholder && head != segment {
			return false
		}
		if last := i == len(r.segments)-1; last || !more {
			return last && !more
		}
		path = rest
	}
	return false
}
