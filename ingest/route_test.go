package ingest

import (
	"strings"
	"testing"
	"time"

	"sundew"
)

func TestRoutesAndObjectsOfPaths(t *testing.T) {
	tests := []struct{ path, route, object string }{
		{"/orders/17", "/orders/{id}", "17"},
		{"/v2/orders/17/items/3", "/v2/orders/{id}/items/{id}", "3"},
		{"/users/6f1f9c9e-8d5d-4c3f-9b6a-000000000001/avatar", "/users/{id}/avatar", "6f1f9c9e-8d5d-4c3f-9b6a-000000000001"},
		{"/commits/3bb9eaa0c1d2", "/commits/{id}", "3bb9eaa0c1d2"},
		{"/files/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/files/{id}", "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		{"/pay/ord_48151", "/pay/{id}", "ord_48151"},
		{"/users/eve@example.com", "/users/{id}", "eve@example.com"},
		{"orders/17", "/orders/{id}", "17"},
		{"/blog/2026/11/welcome", "/blog/{id}/{id}/welcome", ""},
		{"/", "", ""},
		{"/v2/orders", "", ""},
		{"/how-to-win-at-chess-in-10-moves", "", ""},
		{"/assets/app-9f8e7d6c5b4a.js", "", ""},
		{"/img/12.png", "", ""},
		{"/oauth2/token", "", ""},
		{"/" + strings.Repeat("1/", 20), "", ""},
	}
	for _, tt := range tests {
		e := sundew.Event{Path: tt.path}
		inferRoute(&e)
		if e.Route != tt.route || e.Object != tt.object {
			t.Errorf("%s: route %q, object %q, want %q, %q", tt.path, e.Route, e.Object, tt.route, tt.object)
		}
	}
}

func TestObjectsOfQueries(t *testing.T) {
	tests := []struct{ query, object string }{
		{"id=17", "17"},
		{"page=2&order_id=48151&x=1", "48151"},
		{"orderId=6f1f9c9e-8d5d-4c3f-9b6a-000000000001", "6f1f9c9e-8d5d-4c3f-9b6a-000000000001"},
		{"author=3", "3"},
		{"page=2", ""},
		{"gclid=EAIaIQobChMI0123456789", ""},
		{"session_id=9f8e7d6c5b4a39281706f5e4d3c2b1a0", ""},
		{"id=", ""},
		{"id=1%20OR%201=1", ""},
		{strings.Repeat("a=1&", 20) + "id=3", ""},
	}
	for _, tt := range tests {
		e := sundew.Event{Path: "/a", Query: tt.query}
		if inferRoute(&e); e.Object != tt.object {
			t.Errorf("%s: object %q, want %q", tt.query, e.Object, tt.object)
		}
	}
}

func TestRoutesOfGatewaysStand(t *testing.T) {
	e := sundew.Event{Path: "/orders/17", Route: "/orders/{order}", Object: "x"}
	inferRoute(&e)
	if e.Route != "/orders/{order}" || e.Object != "x" {
		t.Errorf("route %q, object %q", e.Route, e.Object)
	}
}

// TestRoutesAreStable writes an event and reads it back.
func TestRoutesAreStable(t *testing.T) {
	var first, second sundew.Event
	const line = `192.0.2.7 - - [24/Nov/2026:12:00:00 +0000] "GET /orders/17 HTTP/1.1" 200 5`
	if what, _ := (treatment{}).decode(newCombined(), "nginx", []byte(line), len(line), time.Time{}, &first); what != parsed || first.Route != "/orders/{id}" {
		t.Fatalf("%v, route %q", what, first.Route)
	}
	again := first.AppendJSON(nil)
	if what, _ := (treatment{}).decode(newCanonicalJSON(), "json", again, len(again), time.Time{}, &second); what != parsed || string(second.AppendJSON(nil)) != string(again) {
		t.Errorf("%s became %s", again, second.AppendJSON(nil))
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("/orders/17")
	f.Add("//@/2020/{id}")
	f.Fuzz(func(t *testing.T, path string) {
		route, object, ok := routeOf(path)
		if !ok {
			return
		}
		if !strings.Contains(path, object) || strings.Count(route, "/") > maxSegments || !strings.Contains(route, placeholder) {
			t.Errorf("%q: route %q, object %q", path, route, object)
		}
		if again, _, found := routeOf(route); found && again != route {
			t.Errorf("%q: the route of route %q is %q", path, route, again)
		}
	})
}
