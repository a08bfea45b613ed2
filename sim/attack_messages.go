package sim

import (
	"time"

	"sundew"
)

func smsPumping() method {
	return method{
		Attack: Attack{
			Name:      "sms-pumping",
			OWASP:     []string{"API6:2023", "API4:2023"},
			Sentence:  "Five addresses ask for verification codes to be sent to number after number of a range that pays them for each message.",
			Lasts:     15 * time.Minute,
			Intensity: 0.7,
		},
		slow: 5, fast: 150, addresses: 5,
		strike: pump,
	}
}

func passwordResetFlood() method {
	return method{
		Attack: Attack{
			Name:      "password-reset-flood",
			OWASP:     []string{"API6:2023", "API2:2023"},
			Sentence:  "Two addresses ask for a new password for user name after user name, whose owners get a message each.",
			Lasts:     10 * time.Minute,
			Intensity: 0.7,
		},
		slow: 5, fast: 150, addresses: 2,
		strike: resetPassword,
	}
}

func pump(c *campaign, e *sundew.Event) {
	oneTime.call(c.rng, e)
	e.Object = "tel_" + hex16(c.rng.Uint64())
	if chance(c.rng, 0.1) {
		answer(e, 429)
	}
}

// resetPassword names somebody who has an account, or a name of a leaked list. The answer does not tell which.
func resetPassword(c *campaign, e *sundew.Event) {
	reset.call(c.rng, e)
	e.AuthUsername = hex16(c.rng.Uint64())
	if chance(c.rng, 0.3) {
		e.AuthUsername = usernameOf(c.seed, c.victim())
	}
}
