package sim

import (
	"strconv"
	"time"

	"sundew"
)

func flood() method {
	return method{
		Attack: Attack{
			Name:      "flood",
			OWASP:     []string{"OAT-015", "API4:2023"},
			Sentence:  "Three addresses ask for the search that costs most, each time with other words so that no cache helps.",
			Lasts:     5 * time.Minute,
			Intensity: 0.7,
		},
		slow: 60, fast: 1200, addresses: 3,
		strike: floodSearch,
	}
}

func floodSearch(c *campaign, e *sundew.Event) {
	search.call(c.rng, e)
	e.Query = "sort=relevance&limit=500&q=" + strconv.FormatUint(c.rng.Uint64(), 36)
	e.Duration = time.Duration(spread(c.rng, float64(1500*time.Millisecond))).Truncate(precision)
	e.ResponseBytes *= 12
	if chance(c.rng, 0.15) {
		answer(e, 503)
	}
}
