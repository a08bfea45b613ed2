package sim

import (
	"time"

	"sundew"
)

func fakeAccounts() method {
	return method{
		Attack: Attack{
			Name:      "fake-accounts",
			OWASP:     []string{"OAT-019", "API6:2023"},
			Sentence:  "One network registers app after app, each a new device with a new account from another of its addresses.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 4, fast: 90, addresses: 64, oneNetwork: true,
		strike: registerFake,
	}
}

func registerFake(c *campaign, e *sundew.Event) {
	register.call(c.rng, e)
	e.Device = guid(c.rng.Uint64(), c.rng.Uint64())
	e.DeviceAge = 0
	e.Account = accountOf(c.rng.Uint64())
	e.Signature = sundew.ProofValid
	e.Attestation = sundew.ProofMissing
}
