package sim

import (
	"strconv"
	"time"

	"sundew"
)

// perPage is how many products a page of the list names.
const perPage = 20

func scraping() method {
	return method{
		Attack: Attack{
			Name:      "scraping",
			OWASP:     []string{"OAT-011", "API6:2023"},
			Sentence:  "One address walks through the whole catalogue: a page of the list, then every product on it.",
			Lasts:     20 * time.Minute,
			Intensity: 0.7,
		},
		slow: 10, fast: 300, addresses: 1,
		arm:    func(c *campaign) { c.at = c.rng.IntN(catalogueSize) },
		strike: scrape,
	}
}

func scrape(c *campaign, e *sundew.Event) {
	if c.sent%(perPage+1) == 0 {
		products.call(c.rng, e)
		e.Query = "page=" + strconv.Itoa(1+c.at/perPage)
		return
	}
	product.callObject(c.rng, e, strconv.Itoa(1+c.at%catalogueSize))
	c.at++
	gone(c.rng, e)
}
