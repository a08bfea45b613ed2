package scoring

import (
	"fmt"
	"time"

	"sundew"
)

// authPrior expects one attempt in ten to fail: people mistype. Many people stand behind a fingerprint, so its prior
// weighs more. As only attempts to log in are trials, its duel is that of the fingerprint at the login routes: what else
// an app asks for does not dilute it.
var authPrior = priorOf{
	sundew.KindIP:      {.8, 7.2},
	sundew.KindPrefix:  {.8, 7.2},
	sundew.KindDevice:  {.8, 7.2},
	sundew.KindAccount: {.8, 7.2},
	sundew.KindAPIKey:  {.4, 7.6},

	sundew.KindFingerprint: {2, 18},
}

// authChannel sees authentication attempts fail.
func authChannel() channel {
	return channel{
		name:  "outcome_auth",
		kinds: kinds(sundew.KindIP, sundew.KindPrefix, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey, sundew.KindFingerprint),
		step: func(s *state, t *trial) (float64, float64, bool) {
			return outcomeStep(s, t, chAuth, ofAuth, &authPrior)
		},
		explain: outcomeExplain(chAuth, &authPrior, "%d of %d authentication attempts failed, %.1f expected"),
	}
}

// clientErrorPrior expects one request in twenty to miss: broken links, things that were there yesterday.
var clientErrorPrior = priorOf{
	sundew.KindIP:      {.5, 9.5},
	sundew.KindPrefix:  {.5, 9.5},
	sundew.KindDevice:  {.5, 9.5},
	sundew.KindAccount: {.5, 9.5},
	sundew.KindAPIKey:  {.5, 9.5},
}

// clientErrorChannel sees requests answered with 400 to 499: things that are not there or not allowed.
func clientErrorChannel() channel {
	return channel{
		name:  "outcome_client_error",
		kinds: kinds(sundew.KindIP, sundew.KindPrefix, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step: func(s *state, t *trial) (float64, float64, bool) {
			return outcomeStep(s, t, chClientError, ofClientError, &clientErrorPrior)
		},
		explain: outcomeExplain(chClientError, &clientErrorPrior, "%d of %d requests were refused or not found, %.1f expected"),
	}
}

const (
	statusTooManyRequests = 429
	statusClientClosed    = 499 // nginx: the client closed the connection
)

// outcome says which of the outcome channels the event speaks to, and whether it failed. Authentication has its own
// channel; what a browser asks for unbidden, what the client gave up, and what an edge of ours refused say nothing about
// the client.
func (t *trial) outcome() (what int, failed, spoke bool) {
	switch {
	case t.authAttempt:
		return ofAuth, t.authFailure, true
	case t.unbidden || t.ours || t.status == 0 || t.status == statusTooManyRequests || t.status == statusClientClosed:
		return 0, false, false
	}
	return ofClientError, t.clientError, true
}

// outcomeStep takes the channel's trial, which the climate bears on.
func outcomeStep(s *state, t *trial, ch, of int, prior *priorOf) (ratio, start float64, tried bool) {
	what, failed, spoke := t.outcome()
	if !spoke || what != of {
		return 1, 0, false
	}
	d := s.duel(ch)
	start = startWeight(uint32(d.Trials))
	return d.lifted(prior[s.Kind], failed, &t.climate[s.Kind][of]), start, true
}

func outcomeExplain(ch int, prior *priorOf, format string) func(*state) (float64, float64, time.Duration, string) {
	return func(s *state) (observed, expected float64, window time.Duration, sentence string) {
		d := s.duel(ch)
		expected = d.expected(prior[s.Kind])
		return float64(d.Hits), expected, s.sinceMidnight(), fmt.Sprintf(format, d.Hits, d.Trials, expected)
	}
}
