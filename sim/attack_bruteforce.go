package sim

import (
	"time"

	"sundew"
)

func passwordBruteForce() method {
	return method{
		Attack: Attack{
			Name:      "password-brute-force",
			OWASP:     []string{"OAT-007", "API2:2023"},
			Sentence:  "Three addresses try one password after another on the account of one person.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 3, fast: 120, addresses: 3,
		arm: func(c *campaign) { c.target = usernameOf(c.seed, c.victim()) },
		strike: func(c *campaign, e *sundew.Event) {
			tryLogin(c.rng, e, c.target, false)
		},
	}
}
