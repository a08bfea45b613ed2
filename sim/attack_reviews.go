package sim

import (
	"strconv"
	"time"

	"sundew"
)

func reviewSpam() method {
	return method{
		Attack: Attack{
			Name:      "review-spam",
			OWASP:     []string{"OAT-017", "API6:2023"},
			Sentence:  "One account writes advertisements as reviews under product after product.",
			Lasts:     15 * time.Minute,
			Intensity: 0.7,
		},
		slow: 4, fast: 90, addresses: 2,
		arm:    (*campaign).signIn,
		strike: spam,
	}
}

func spam(c *campaign, e *sundew.Event) {
	id := strconv.Itoa(1 + c.rng.IntN(catalogueSize))
	review.callPath(c.rng, e, id+"/reviews")
	e.Object = id
	e.Signature = sundew.ProofValid
	if chance(c.rng, 0.15) {
		answer(e, 422)
	}
}
