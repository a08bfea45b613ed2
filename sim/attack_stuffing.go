package sim

import (
	"time"

	"sundew"
)

// stuffingHit is the share of leaked passwords that still open an account.
const stuffingHit = 0.015

func credentialStuffing() method {
	return method{
		Attack: Attack{
			Name:      "credential-stuffing",
			OWASP:     []string{"OAT-008", "API2:2023"},
			Sentence:  "One address tries leaked pairs of user name and password, each once; nearly all fail.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 4, fast: 180, addresses: 1,
		strike: stuff,
	}
}

func distributedCredentialStuffing() method {
	return method{
		Attack: Attack{
			Name:      "distributed-credential-stuffing",
			OWASP:     []string{"OAT-008", "API2:2023"},
			Sentence:  "The same over many addresses, each of which does little; the TLS fingerprint of the tool is common to all.",
			Lasts:     30 * time.Minute,
			Intensity: 0.7,
		},
		slow: 12, fast: 360, addresses: 60,
		arm:    (*campaign).buildTool,
		strike: stuff,
	}
}

func botnetCredentialStuffing() method {
	return method{
		Attack: Attack{
			Name:      "botnet-credential-stuffing",
			OWASP:     []string{"OAT-008", "API2:2023"},
			Sentence:  "The same over a thousand addresses, so few tries from each that none stands out alone.",
			Lasts:     30 * time.Minute,
			Intensity: 0.7,
		},
		slow: 60, fast: 1200, addresses: 1000,
		arm:    (*campaign).buildTool,
		strike: stuff,
	}
}

// buildTool gives the campaign a tool whose TLS fingerprint nobody else has.
func (c *campaign) buildTool() {
	c.ja4 = "t13d1109h2_" + hex16(c.rng.Uint64())[:12] + "_" + hex16(c.rng.Uint64())[:12]
	c.holds(sundew.KindFingerprint, c.ja4)
}

// stuff tries the next pair of the list. A pair that works is that of somebody who uses the shop.
func stuff(c *campaign, e *sundew.Event) {
	if !chance(c.rng, stuffingHit) {
		tryLogin(c.rng, e, hex16(c.rng.Uint64()), false)
		return
	}
	victim := identityOf(c.seed, c.victim())
	tryLogin(c.rng, e, victim.username, true)
	e.Account = victim.account
	e.Session = hex16(c.rng.Uint64())
}
