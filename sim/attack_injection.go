package sim

import (
	"time"

	"sundew"
)

func parameterInjection() method {
	return method{
		Attack: Attack{
			Name:      "parameter-injection",
			OWASP:     []string{"OAT-014", "API7:2023", "API8:2023"},
			Sentence:  "One account puts SQL into parameters and addresses of inner servers where a link is asked for.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 5, fast: 150, addresses: 1,
		arm:    (*campaign).signIn,
		strike: inject,
	}
}

// inject names an inner server as the link to a picture, or adds to a parameter of a search or of the list of products.
func inject(c *campaign, e *sundew.Event) {
	switch c.rng.IntN(3) {
	case 0:
		picture.call(c.rng, e)
		e.Query = "url=" + pick(c.rng, innerServers)
	case 1:
		products.call(c.rng, e)
		e.Query = pick(c.rng, injections)
	default:
		search.call(c.rng, e)
		e.Query = pick(c.rng, injections)
	}
	e.Signature = sundew.ProofValid
	switch draw := c.rng.Float64(); {
	case draw < 0.6:
		answer(e, 400)
	case draw < 0.75:
		answer(e, 500)
	}
}

var innerServers = []string{
	"http://169.254.169.254/latest/meta-data/", "http://localhost:8080/admin", "http://127.0.0.1:6379/", "file:///etc/passwd",
	"http://metadata.internal/computeMetadata/v1/", "gopher://127.0.0.1:11211/_stats", "http://[::1]:9200/_cat/indices",
}
