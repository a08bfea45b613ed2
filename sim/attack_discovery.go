package sim

import (
	"time"

	"sundew"
)

func apiDiscovery() method {
	return method{
		Attack: Attack{
			Name:      "api-discovery",
			OWASP:     []string{"OAT-004", "API9:2023"},
			Sentence:  "One address guesses names and old versions of routes, and methods that they do not have, to learn what there is.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 6, fast: 200, addresses: 1,
		strike: discover,
	}
}

func adminProbing() method {
	return method{
		Attack: Attack{
			Name:      "admin-probing",
			OWASP:     []string{"API5:2023"},
			Sentence:  "One account without the rights asks for one route of the administration after another.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 5, fast: 120, addresses: 1,
		arm:    (*campaign).signIn,
		strike: probeAdmin,
	}
}

// discover asks for a route that might be there: most are not, some do not take the method, some ask for a login.
func discover(c *campaign, e *sundew.Event) {
	feed.call(c.rng, e)
	e.Route = ""
	e.Method = pick(c.rng, guessedMethods)
	e.Path = pick(c.rng, guessedVersions) + pick(c.rng, guessedNames) + pick(c.rng, guessedEnds)
	switch draw := c.rng.Float64(); {
	case draw < 0.75:
		answer(e, 404)
	case draw < 0.92:
		answer(e, 405)
	default:
		answer(e, 401)
	}
}

// probeAdmin asks for a section of the administration. Now and then one is served, because the check is missing there.
func probeAdmin(c *campaign, e *sundew.Event) {
	overview.callPath(c.rng, e, pick(c.rng, guessedNames)[1:]+pick(c.rng, guessedEnds))
	e.Method = pick(c.rng, guessedMethods)
	e.Signature = sundew.ProofValid
	switch draw := c.rng.Float64(); {
	case draw < 0.85:
		answer(e, 403)
	case draw < 0.98:
		answer(e, 404)
	}
}

var (
	guessedMethods  = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
	guessedVersions = []string{"/v0", "/v1", "/v2", "/v3", "/beta", "/internal", "/api/v1", "/mobile"}
	guessedNames    = []string{
		"/users", "/accounts", "/roles", "/config", "/metrics", "/export", "/invoices", "/payments", "/tokens", "/keys", "/audit",
		"/flags", "/jobs", "/reports", "/refunds", "/stores", "/prices", "/webhooks", "/sessions", "/graphql", "/debug", "/docs",
	}
	guessedEnds = []string{"", "", "/1", "/me", "/all", "/list", "/search", "/status"}
)
