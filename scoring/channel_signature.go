package scoring

import "sundew"

// signaturePrior is for requests with odd text, of which it expects one in twenty to look like an attack though none is:
// somebody searches for a statement of SQL, or pastes a piece of a page. It is wrong about consoles and editors that
// send SQL or HTML in the query by design.
var signaturePrior = priorOf{
	sundew.KindIP:      {.5, 9.5},
	sundew.KindDevice:  {.5, 9.5},
	sundew.KindAccount: {.5, 9.5},
	sundew.KindAPIKey:  {.5, 9.5},
}

// signatureChannel sees request lines that carry an attack on the server. Only requests with text that could hide one are
// trials, so that a scanner cannot thin its attacks out with plain requests.
func signatureChannel() channel {
	return channel{
		name:  "signature_attack",
		kinds: kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step: func(s *state, t *trial) (float64, float64, bool) {
			if !t.odd {
				return 1, 0, false
			}
			return bernoulli(s, chSignature, &signaturePrior, t.attack, 1)
		},
		explain: outcomeExplain(chSignature, &signaturePrior, "%d of %d requests with odd text carried an attack, %.1f expected"),
	}
}
