package sim

import (
	"time"

	"sundew"
)

func scalping() method {
	return method{
		Attack: Attack{
			Name:      "scalping",
			OWASP:     []string{"OAT-005", "API6:2023"},
			Sentence:  "One account at six addresses puts one sought-after product into the cart and orders it, over and over.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 4, fast: 150, addresses: 6,
		arm: func(c *campaign) {
			c.signIn()
			c.target = popularProduct(c.rng)
		},
		strike: scalp,
	}
}

func inventoryHoarding() method {
	return method{
		Attack: Attack{
			Name:      "inventory-hoarding",
			OWASP:     []string{"OAT-021", "API6:2023"},
			Sentence:  "One account fills its cart with product after product, which reserves them, and never pays.",
			Lasts:     20 * time.Minute,
			Intensity: 0.7,
		},
		slow: 6, fast: 200, addresses: 2,
		arm:    (*campaign).signIn,
		strike: hoard,
	}
}

// scalp looks at the product, puts it into the cart and pays, in turn; what is sold out is refused.
func scalp(c *campaign, e *sundew.Event) {
	switch c.sent % 3 {
	case 0:
		product.callObject(c.rng, e, c.target)
	case 1:
		cart.call(c.rng, e)
	default:
		checkout.call(c.rng, e)
	}
	e.Signature = sundew.ProofValid
	if e.Method == "POST" && chance(c.rng, 0.25) {
		answer(e, 409)
	}
}

func hoard(c *campaign, e *sundew.Event) {
	cart.call(c.rng, e)
	e.Signature = sundew.ProofValid
	if chance(c.rng, 0.1) {
		answer(e, 409)
	}
}
