package sim

import (
	"time"

	"sundew"
)

func carding() method {
	return method{
		Attack: Attack{
			Name:      "carding",
			OWASP:     []string{"OAT-001", "API6:2023"},
			Sentence:  "Three addresses with one account add stolen card after stolen card to see which are still good; most are declined.",
			Lasts:     15 * time.Minute,
			Intensity: 0.7,
		},
		slow: 4, fast: 100, addresses: 3,
		arm:    (*campaign).signIn,
		strike: tryCard,
	}
}

func cardCracking() method {
	return method{
		Attack: Attack{
			Name:      "card-cracking",
			OWASP:     []string{"OAT-010", "API6:2023"},
			Sentence:  "One account tries expiry dates and security codes on the number of one card.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 4, fast: 150, addresses: 2,
		arm: func(c *campaign) {
			c.signIn()
			c.target = "pm_" + hex16(c.rng.Uint64())
		},
		strike: crackCard,
	}
}

// goodCards is the share of stolen cards that are not blocked yet.
const goodCards = 0.12

func tryCard(c *campaign, e *sundew.Event) {
	card.call(c.rng, e)
	e.Signature = sundew.ProofValid
	e.Object = "pm_" + hex16(c.rng.Uint64())
	if !chance(c.rng, goodCards) {
		answer(e, 402)
	}
}

func crackCard(c *campaign, e *sundew.Event) {
	verify.callPath(c.rng, e, c.target+"/verification")
	e.Object = c.target
	e.Signature = sundew.ProofValid
	answer(e, 422)
}
