package sim

import (
	"time"

	"sundew"
)

func accountAggregation() method {
	return method{
		Attack: Attack{
			Name:      "account-aggregation",
			OWASP:     []string{"OAT-020", "API6:2023"},
			Sentence:  "One address logs in to one account after another, with the right passwords, and copies the profile and the orders.",
			Lasts:     20 * time.Minute,
			Intensity: 0.7,
		},
		slow: 6, fast: 150, addresses: 1,
		strike: aggregate,
	}
}

// aggregate logs in, reads the profile and reads the orders, in turn, and goes on to the next account.
func aggregate(c *campaign, e *sundew.Event) {
	if c.sent%3 == 0 {
		victim := identityOf(c.seed, c.victim())
		c.account, c.session = victim.account, hex16(c.rng.Uint64())
		tryLogin(c.rng, e, victim.username, true)
		e.Account, e.Session = c.account, c.session
		return
	}
	if c.sent%3 == 1 {
		profile.call(c.rng, e)
	} else {
		orders.call(c.rng, e)
	}
}
