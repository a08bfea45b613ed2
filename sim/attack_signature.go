package sim

import (
	"time"

	"sundew"
)

func forgedSignatures() method {
	return method{
		Attack: Attack{
			Name:      "forged-signatures",
			OWASP:     []string{"API2:2023", "API8:2023"},
			Sentence:  "A script sends orders in the app's name without knowing how the app signs them.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 5, fast: 90, addresses: 1,
		arm:    (*campaign).signIn,
		strike: forge,
	}
}

func forge(c *campaign, e *sundew.Event) {
	checkout.call(c.rng, e)
	e.Attestation = sundew.ProofMissing
	e.Signature = sundew.ProofInvalid
	if chance(c.rng, 0.2) {
		e.Signature = sundew.ProofMissing
	}
	answer(e, 401)
}
