package ingest

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"sundew"
)

// Bounds of configured routes.
const (
	maxRoutes   = 4096
	maxTemplate = 512 // bytes
)

// otherRoute is the route of every path that no template fits, where only templates may be routes, and of paths whose own
// route would be one too many.
const otherRoute = "/{other}"

// Routes are the templates of an API's paths, such as /orders/{id}. They look at the path alone, so that it has the same
// route in every stream and process. The nil *Routes has none. Any number of goroutines may use it.
type Routes struct {
	root  routeNode
	only  bool
	other prometheus.Counter
}

// routeNode is what templates have in common from the front, up to one segment.
type routeNode struct {
	literals map[string]*routeNode
	any      *routeNode // the segment is a parameter
	template string     // ends here; "" none does
	rest     string     // ends here with a parameter for all that follows, if anything does
}

// NewRoutes reads templates: segments are literal text, {name} for one segment, or {name...} at the end for any number of
// them. With only, a path that none fits has the route /{other}, so that there are no more routes than templates and one,
// whoever makes up paths; otherwise it gets one made of its identifiers. It returns nil where there is nothing to do.
func NewRoutes(templates []string, only bool, reg prometheus.Registerer) (*Routes, error) {
	if len(templates) == 0 {
		if only {
			return nil, fmt.Errorf("ingest.routes_only needs ingest.routes: every path would have the route %s", otherRoute)
		}
		return nil, nil
	}
	if len(templates) > maxRoutes {
		return nil, fmt.Errorf("ingest.routes has %d templates: at most %d", len(templates), maxRoutes)
	}
	r := &Routes{only: only, other: otherRoutes(reg)}
	for i, t := range templates {
		if err := r.add(t); err != nil {
			return nil, fmt.Errorf("ingest.routes[%d]: %q %w", i, t, err)
		}
	}
	return r, nil
}

func (r *Routes) add(template string) error {
	rest, ok := strings.CutPrefix(template, "/")
	if !ok || len(template) > maxTemplate || strings.ContainsAny(template, "?# \t") {
		return fmt.Errorf("is no template of a path: want up to %d bytes such as /orders/{id}, without method, host or query", maxTemplate)
	}
	segments := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	if len(segments) > maxSegments {
		return fmt.Errorf("has more than %d segments", maxSegments)
	}
	n := &r.root
	end := &n.template
	for i, s := range segments {
		switch {
		case s == "" && len(segments) == 1: // the path /
		case s == "":
			return fmt.Errorf("has an empty segment")
		case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "...}") && len(s) > 5:
			if i < len(segments)-1 {
				return fmt.Errorf("has %s in front of other segments: it stands for all that follow", s)
			}
			end = &n.rest
			continue
		case strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") && len(s) > 2:
			if n.any == nil {
				n.any = &routeNode{}
			}
			n = n.any
		case strings.ContainsAny(s, "{}"):
			return fmt.Errorf("has the segment %s: a parameter is a whole segment such as {id}, or {path...} at the end", s)
		default:
			n = n.literal(decodedSegment(s))
		}
		end = &n.template
	}
	if *end != "" {
		return fmt.Errorf("fits the same paths as %q: leave one out", *end)
	}
	*end = template
	return nil
}

func (n *routeNode) literal(text string) *routeNode {
	if n.literals == nil {
		n.literals = map[string]*routeNode{}
	}
	next := n.literals[text]
	if next == nil {
		next = &routeNode{}
		n.literals[text] = next
	}
	return next
}

// decodedSegment resolves percent-encoding, so that a path is the same however it was written; a slash that is encoded
// separates nothing. What cannot be resolved stands for itself.
func decodedSegment(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	return s
}

// set gives an event whose gateway logged no route the template that its path fits, and the last parameter of one segment
// as its object.
func (r *Routes) set(e *sundew.Event) {
	if r == nil || e.Route != "" || e.Path == "" {
		return
	}
	template, object := r.find(e.Path)
	switch {
	case template != "":
		e.Route = template
		if e.Object == "" && len(object) <= sundew.MaxID {
			e.Object = object
		}
	case r.only:
		e.Route = otherRoute
		r.other.Inc()
	}
}

// find returns the template that a path fits, "" for none. In every segment a literal goes before a parameter, and one
// segment before all that follow. A slash at the end of a path means nothing.
func (r *Routes) find(path string) (template, object string) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", ""
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return r.root.end(), ""
	}
	return r.root.find(rest, 0)
}

func (n *routeNode) end() string {
	if n.template != "" {
		return n.template
	}
	return n.rest
}

// find goes down the tree, at most once to each of its nodes.
func (n *routeNode) find(path string, depth int) (template, object string) {
	segment, rest, more := strings.Cut(path, "/")
	if segment != "" && depth < maxSegments {
		if next := n.literals[decodedSegment(segment)]; next != nil {
			if template, object = next.below(rest, more, depth); template != "" {
				return template, object
			}
		}
		if n.any != nil {
			if template, object = n.any.below(rest, more, depth); template != "" {
				if object == "" {
					object = segment
				}
				return template, object
			}
		}
	}
	return n.rest, ""
}

func (n *routeNode) below(rest string, more bool, depth int) (template, object string) {
	if !more {
		return n.end(), ""
	}
	return n.find(rest, depth+1)
}
