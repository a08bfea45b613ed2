package sim

import (
	"time"

	"sundew"
)

func objectEnumeration() method {
	return method{
		Attack: Attack{
			Name:      "object-enumeration",
			OWASP:     []string{"API1:2023"},
			Sentence:  "One account asks for order after order by counting up the id; most belong to others.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 6, fast: 180, addresses: 1,
		arm: func(c *campaign) {
			c.signIn()
			c.at = c.rng.IntN(1_000_000)
		},
		strike: enumerate,
	}
}

// enumerate asks for the next order. Some are served, because the check of the owner is missing where they are read.
func enumerate(c *campaign, e *sundew.Event) {
	c.at++
	if !c.blatant() {
		c.at += c.rng.IntN(3)
	}
	order.callObject(c.rng, e, orderID(uint64(c.at)))
	e.Signature = sundew.ProofValid
	switch draw := c.rng.Float64(); {
	case draw < 0.55:
		answer(e, 403)
	case draw < 0.75:
		answer(e, 404)
	}
}
