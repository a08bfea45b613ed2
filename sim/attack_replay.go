package sim

import (
	"time"

	"sundew"
)

func replayedDevice() method {
	return method{
		Attack: Attack{
			Name:      "replayed-device",
			OWASP:     []string{"API2:2023"},
			Sentence:  "The GUID of one registered device is copied into a script that runs at many addresses at once.",
			Lasts:     20 * time.Minute,
			Intensity: 0.7,
		},
		slow: 10, fast: 120, addresses: 30,
		arm:    func(c *campaign) { c.install(40 * 24 * time.Hour) },
		strike: replay,
	}
}

// replay sends a request that the device once sent; the more blatant, the more often with its old signature.
func replay(c *campaign, e *sundew.Event) {
	step := []step{browsing, listing, searching, viewing}[c.rng.IntN(4)]
	step.send(c.rng, e)
	e.Attestation = sundew.ProofExpired
	e.Signature = sundew.ProofValid
	if chance(c.rng, c.Intensity) {
		e.Signature = sundew.ProofReplayed
	}
}
