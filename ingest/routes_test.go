package ingest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

func routesOf(t *testing.T, only bool, templates ...string) *Routes {
	t.Helper()
	r, err := NewRoutes(templates, only, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRoutes(t *testing.T) {
	r := routesOf(t, false, "/", "/orders/{id}", "/orders/new", "/orders/{id}/items/{item}", "/users/{name}/feed", "/users/me/{page}",
		"/files/{path...}", "/files/{owner}/raw", "/café/{id}", "/v1/status")
	tests := []struct{ path, route, object string }{
		{"/", "/", ""},
		{"/orders/17", "/orders/{id}", "17"},
		{"/orders/blue", "/orders/{id}", "blue"},
		{"/orders/17/", "/orders/{id}", "17"},
		{"/orders/new", "/orders/new", ""},
		{"/orders/n%65w", "/orders/new", ""},
		{"/orders/a%2Fb", "/orders/{id}", "a%2Fb"},
		{"/orders/%zz", "/orders/{id}", "%zz"},
		{"/orders/17/items/4", "/orders/{id}/items/{item}", "4"},
		{"/orders/new/items/4", "/orders/{id}/items/{item}", "4"},
		{"/users/me/feed", "/users/me/{page}", "feed"},
		{"/users/me2/feed", "/users/{name}/feed", "me2"},
		{"/files", "/files/{path...}", ""},
		{"/files/a/b/c", "/files/{path...}", ""},
		{"/files/a/raw", "/files/{owner}/raw", "a"},
		{"/files/a/raw/b", "/files/{path...}", ""},
		{"/files/" + strings.Repeat("a/", 40), "/files/{path...}", ""},
		{"/caf%C3%A9/5", "/café/{id}", "5"},
		{"/caf%c3%a9/5", "/café/{id}", "5"},
		{"/ORDERS/17", "/ORDERS/{id}", "17"}, // paths have case; the identifier is found all the same
		{"/orders//17", "/orders//{id}", "17"},
		{"/v1/status/x", "", ""},
		{"orders/new", "", ""},
		{"*", "", ""},
	}
	for _, tt := range tests {
		e := event(func(e *sundew.Event) { e.Path = tt.path })
		treatment{routes: r}.finish(&e)
		if e.Route != tt.route || e.Object != tt.object {
			t.Errorf("%s: route %q, object %q; want %q, %q", tt.path, e.Route, e.Object, tt.route, tt.object)
		}
	}
	logged := event(func(e *sundew.Event) { e.Path, e.Route, e.Object = "/orders/17", "/o/{n}", "" })
	treatment{routes: r}.finish(&logged)
	if logged.Route != "/o/{n}" {
		t.Errorf("the route that the gateway logged became %q", logged.Route)
	}
}

func TestRoutesOnly(t *testing.T) {
	reg := prometheus.NewRegistry()
	r, err := NewRoutes([]string{"/orders/{id}"}, true, reg)
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]bool{}
	for i, path := range []string{"/orders/17", "/orders/17/x/4", "/a1b2c3/17", "/made-up", "//", "/" + strings.Repeat("x/", 30) + "7"} {
		e := event(func(e *sundew.Event) { e.Path = path })
		treatment{routes: r}.finish(&e)
		routes[e.Route] = true
		if want := otherRoute; i > 0 && e.Route != want {
			t.Errorf("%s: route %q", path, e.Route)
		}
	}
	if len(routes) != 2 || !routes["/orders/{id}"] {
		t.Errorf("routes %v", routes)
	}
	if n := testutil.ToFloat64(r.other); n != 5 {
		t.Errorf("%v others are counted, want 5", n)
	}
}

func TestRouteMistakes(t *testing.T) {
	tests := []struct {
		templates []string
		only      bool
		want      string
	}{
		{nil, true, "ingest.routes_only needs ingest.routes"},
		{[]string{"/a", "orders/{id}"}, false, `ingest.routes[1]: "orders/{id}" is no template`},
		{[]string{"GET /orders"}, false, "without method"},
		{[]string{"/a?b={c}"}, false, "without method, host or query"},
		{[]string{"/" + strings.Repeat("a", maxTemplate)}, false, "up to 512 bytes"},
		{[]string{strings.Repeat("/a", maxSegments+1)}, false, "more than 16 segments"},
		{[]string{"/a//b"}, false, "an empty segment"},
		{[]string{"/order-{id}"}, false, "a parameter is a whole segment"},
		{[]string{"/{}"}, false, "a parameter is a whole segment"},
		{[]string{"/{p...}/b"}, false, "in front of other segments"},
		{[]string{"/a/{id}", "/a/{name}/"}, false, `"/a/{name}/" fits the same paths as "/a/{id}"`},
		{[]string{"/a/{p...}", "/a/{q...}"}, false, "fits the same paths"},
		{[]string{"/b", "/%62"}, false, "fits the same paths"},
		{make([]string, maxRoutes+1), false, "at most 4096"},
	}
	for _, tt := range tests {
		c := DefaultListenerConfig()
		c.Routes, c.RoutesOnly = tt.templates, tt.only
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.80q: %v, want %q", tt.templates, err, tt.want)
		}
	}
}

// fits says whether a path of plain segments fits a template, one segment after the other.
func fits(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	for i, w := range want {
		switch {
		case strings.HasSuffix(w, "...}"):
			return true
		case i >= len(have), w != have[i] && w[0] != '{':
			return false
		}
	}
	return len(want) == len(have)
}

// better says whether template a goes before b where both fit.
func better(a, b string) bool {
	kind := func(s string) int {
		switch {
		case strings.HasSuffix(s, "...}"):
			return 2
		case strings.HasPrefix(s, "{"):
			return 1
		}
		return 0
	}
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return kind(as[i]) < kind(bs[i])
		}
	}
	return len(as) < len(bs)
}

// TestRoutesAreThoseOfAPlainSearch draws templates and paths from few words, so that many fit several.
func TestRoutesAreThoseOfAPlainSearch(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	draw := func(words ...string) string {
		var b strings.Builder
		for range 1 + random.IntN(4) {
			b.WriteString("/" + words[random.IntN(len(words))])
		}
		return b.String()
	}
	several := 0
	for range 300 {
		var templates []string
		r := &Routes{}
		for range 12 {
			s := draw("a", "b", "{x}")
			if random.IntN(4) == 0 {
				s += "/{r...}"
			}
			if r.add(s) == nil {
				templates = append(templates, s)
			}
		}
		for range 40 {
			path, want, fitting := draw("a", "b", "c"), "", 0
			for _, s := range templates {
				if fits(s, path) {
					fitting++
					if want == "" || better(s, want) {
						want = s
					}
				}
			}
			if fitting > 1 {
				several++
			}
			if got, _ := r.find(path); got != want {
				t.Fatalf("%v: %s has the route %q, want %q", templates, path, got, want)
			}
		}
	}
	if several < 100 {
		t.Errorf("only %d paths fit several templates", several)
	}
}
