package rules

import (
	"testing"

	"sundew"
)

func TestScope(t *testing.T) {
	event := func(method, path, route string, status int) sundew.Event {
		return sundew.Event{Method: method, Path: path, Route: route, Status: status}
	}
	for name, test := range map[string]struct {
		scope string
		event sundew.Event
		want  bool
	}{
		"route by its template":            {`{ routes: ["GET /orders/{id}"] }`, event("GET", "/orders/7", "/orders/{id}", 200), true},
		"route of another method":          {`{ routes: ["GET /orders/{id}"] }`, event("POST", "/orders/7", "/orders/{id}", 200), false},
		"route without a method":           {`{ routes: ["/orders/{id}"] }`, event("POST", "/orders/7", "/orders/{id}", 200), true},
		"path where the log has no route":  {`{ routes: ["GET /orders/{id}"] }`, event("GET", "/orders/7", "", 200), true},
		"longer path":                      {`{ routes: ["GET /orders/{id}"] }`, event("GET", "/orders/7/items", "", 200), false},
		"shorter path":                     {`{ routes: ["GET /orders/{id}"] }`, event("GET", "/orders", "", 200), false},
		"empty segment for a placeholder":  {`{ routes: ["GET /orders/{id}"] }`, event("GET", "/orders/", "", 200), false},
		"the root":                         {`{ routes: ["/"] }`, event("GET", "/", "", 200), true},
		"another name for the placeholder": {`{ routes: ["GET /orders/{id}"] }`, event("GET", "/orders/7", "/orders/{number}", 200), true},
		"another template":                 {`{ routes: ["GET /orders/{id}"] }`, event("GET", "/orders/7", "/orders/{id}/items", 200), false},
		"path prefix":                      {`{ paths: [/api/] }`, event("GET", "/api/x", "", 200), true},
		"outside the path prefix":          {`{ paths: [/api/] }`, event("GET", "/ap", "", 200), false},
		"class of status":                  {`{ status: [4xx] }`, event("GET", "/", "", 404), true},
		"another class":                    {`{ status: [4xx, 503] }`, event("GET", "/", "", 500), false},
		"one status":                       {`{ status: [4xx, 503] }`, event("GET", "/", "", 503), true},
		"a refusal by the edge":            {`{ status: [4xx] }`, sundew.Event{Status: 403, EdgeAction: sundew.ActionBlock}, false},
		"a delay by the edge":              {`{ status: [4xx] }`, sundew.Event{Status: 403, EdgeAction: sundew.ActionTarpit}, true},
		"all parts must agree":             {`{ methods: [POST], status: [4xx] }`, event("POST", "/", "", 200), false},
	} {
		t.Run(name, func(t *testing.T) {
			set := setOf(t, map[string]string{"sample.yaml": minimalRule + "scope: " + test.scope + "\n"})
			if got := set.rules[0].scope.includes(&test.event); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
