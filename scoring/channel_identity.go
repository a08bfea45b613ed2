package scoring

import "sundew"

// The identity channels see what a request could prove of itself: that the genuine app sent it (attestation), that it
// was signed and not sent before (signature), that a person is behind it (captcha). What nobody checked is no trial.

// proofs is what an event says to the identity channels. The first of each pair says whether there was a question, the
// second whether the answer speaks for abuse.
type proofs struct {
	checked, forged  bool // a proof was looked at; it was made up, or used before
	asked, unproven  bool // a proof was due; none was there that still held
	watched, inhuman bool // a captcha gave a score; it was low
}

// lowCaptcha is the score below which a captcha takes a client for a machine.
const lowCaptcha = .3

// proofsOf tells two ways of failing apart. A proof is not invalid or replayed by omission; it is missing or expired where
// the platform's services are absent or the app slept. A request with a forged proof is not asked whether it has one.
func proofsOf(e *sundew.Event) proofs {
	a, s := e.Attestation, e.Signature
	checked := a != sundew.ProofUnchecked || s != sundew.ProofUnchecked
	forged := forged(a) || forged(s)
	return proofs{
		checked:  checked,
		forged:   forged,
		asked:    checked && !forged,
		unproven: !forged && (lacking(a) || lacking(s)),
		watched:  e.CaptchaScore >= 0,
		inhuman:  e.CaptchaScore >= 0 && e.CaptchaScore < lowCaptcha,
	}
}

func forged(p sundew.Proof) bool { return p == sundew.ProofInvalid || p == sundew.ProofReplayed }

func lacking(p sundew.Proof) bool { return p == sundew.ProofMissing || p == sundew.ProofExpired }

// forgedPrior expects one proof in 200 to be bad: a clock that is far off, a retry that the network delivered twice. Many
// apps stand behind an address or a key, and one of them may be faulty.
var forgedPrior = priorOf{
	sundew.KindIP:      {1, 19},
	sundew.KindDevice:  {.1, 19.9},
	sundew.KindAccount: {.1, 19.9},
	sundew.KindAPIKey:  {1, 19},

	sundew.KindFingerprint: {1, 19},
	sundew.KindASN:         {1, 19},
}

func forgedChannel() channel {
	return channel{
		name: "identity_forged",
		kinds: kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey, sundew.KindFingerprint,
			sundew.KindASN),
		step: func(s *state, t *trial) (float64, float64, bool) {
			if !t.proofs.checked {
				return 1, 0, false
			}
			return rare(s, chForged, &forgedPrior, t.proofs.forged, 1)
		},
		explain: outcomeExplain(chForged, &forgedPrior, "%d of %d requests carried a forged or used proof, %.1f expected"),
	}
}

// unprovenPrior has one entity in 40 without the platform's services, in an old version of the app, or in a browser.
// Where no client is attested it is wrong about all of them, which is why this is a habit and not a duel of every request.
var unprovenPrior = priorOf{
	sundew.KindIP:      {.005, .2},
	sundew.KindDevice:  {.005, .2},
	sundew.KindAccount: {.005, .2},
	sundew.KindAPIKey:  {.005, .2},
}

const unprovenAbusers = .2

func unprovenChannel() channel {
	return channel{
		name:  "identity_unproven",
		kinds: kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step: func(s *state, t *trial) (float64, float64, bool) {
			if !t.proofs.asked {
				return 1, 0, false
			}
			return habit(s, chUnproven, &unprovenPrior, t.proofs.unproven, unprovenAbusers)
		},
		explain: outcomeExplain(chUnproven, &unprovenPrior, "%d of %d requests had no proof that still held, %.1f expected"),
	}
}

// captchaPrior has one person in eleven with privacy tools or an unusual browser, which get low scores every time.
var captchaPrior = priorOf{
	sundew.KindIP:      {.02, .2},
	sundew.KindDevice:  {.02, .2},
	sundew.KindAccount: {.02, .2},
	sundew.KindAPIKey:  {.02, .2},
}

const inhumanAbusers = .5

func captchaChannel() channel {
	return channel{
		name:  "identity_captcha",
		kinds: kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step: func(s *state, t *trial) (float64, float64, bool) {
			if !t.proofs.watched {
				return 1, 0, false
			}
			return habit(s, chCaptcha, &captchaPrior, t.proofs.inhuman, inhumanAbusers)
		},
		explain: outcomeExplain(chCaptcha, &captchaPrior, "%d of %d captcha scores were low, %.1f expected"),
	}
}
