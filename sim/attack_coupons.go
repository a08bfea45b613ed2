package sim

import (
	"time"

	"sundew"
)

func tokenCracking() method {
	return method{
		Attack: Attack{
			Name:      "token-cracking",
			OWASP:     []string{"OAT-002", "API6:2023"},
			Sentence:  "One account guesses coupon codes; hardly any exists.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 4, fast: 120, addresses: 1,
		arm:    (*campaign).signIn,
		strike: guessCoupon,
	}
}

func guessCoupon(c *campaign, e *sundew.Event) {
	coupon.callObject(c.rng, e, couponCode(c.rng))
	e.Signature = sundew.ProofValid
	if !chance(c.rng, 0.01) {
		answer(e, 404)
	}
}
