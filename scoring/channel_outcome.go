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
	sundew.KindASN:         {2, 18},
}

// authChannel sees authentication attempts fail.
func authChannel() channel {
	return channel{
		name:  "outcome_auth",
		prior: &authPrior,
		kinds: kinds(sundew.KindIP, sundew.KindPrefix, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey,
			sundew.KindFingerprint, sundew.KindASN),
		step: func(s *state, t *trial) (float64, float64, bool) {
			return outcomeStep(s, t, chAuth, ofAuth, &authPrior, krichevskyTrofimov)
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

// writesPrior expects one in ten of the requests that would change something to be refused: forms are filled in wrongly.
var writesPrior = priorOf{
	sundew.KindFingerprint: {2, 18},
	sundew.KindASN:         {2, 18},
}

// writesChannel sees a group's requests fail that would change something: vouchers, codes and card numbers that are tried
// out, accounts and reviews that are refused. The duel is that of its writes alone, so that what else its people do does
// not dilute it. With an address the channel only counts, so that it is known when the address has spoken.
func writesChannel() channel {
	return channel{
		name:  "outcome_writes",
		kinds: kinds(sundew.KindIP, sundew.KindFingerprint, sundew.KindASN),
		step: func(s *state, t *trial) (float64, float64, bool) {
			what, failed, spoke := t.outcome()
			if !t.write || !spoke {
				return 1, 0, false
			}
			d := s.duel(chWrites)
			if !isGroup(sundew.Kind(s.Kind)) {
				d.remember(failed)
				return 1, 0, false
			}
			start := startWeight(uint32(d.Trials))
			return d.lifted(writesPrior[s.Kind], krichevskyTrofimov, failed, t.weather(s, what)), start, true
		},
		explain: outcomeExplain(chWrites, &writesPrior, "%d of %d requests that would change something were refused, %.1f expected"),
	}
}

// clientErrorChannel sees requests answered with 400 to 499: things that are not there or make no sense. What is
// forbidden has a channel of its own, which a request speaks to first.
func clientErrorChannel() channel {
	return channel{
		name:  "outcome_client_error",
		prior: &clientErrorPrior,
		kinds: kinds(sundew.KindIP, sundew.KindPrefix, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step: func(s *state, t *trial) (float64, float64, bool) {
			return outcomeStep(s, t, chClientError, ofClientError, &clientErrorPrior, seldom)
		},
		explain: outcomeExplain(chClientError, &clientErrorPrior, "%d of %d requests were not found or made no sense, %.1f expected"),
	}
}

const (
	statusTooManyRequests = 429
	statusClientClosed    = 499 // nginx: the client closed the connection
)

// deniedPrior expects one request in fifty to be forbidden: a link to somebody else's page, a session that ended.
var deniedPrior = priorOf{
	sundew.KindIP:      {.3, 14.7},
	sundew.KindPrefix:  {.3, 14.7},
	sundew.KindDevice:  {.3, 14.7},
	sundew.KindAccount: {.3, 14.7},
	sundew.KindAPIKey:  {.3, 14.7},
}

// deniedChannel sees requests that the API refuses because of who asks: 403, and 401 where nobody tried to log in. It
// listens from the first refusal of a day on; that one itself is no evidence.
func deniedChannel() channel {
	return channel{
		name:  "outcome_denied",
		kinds: kinds(sundew.KindIP, sundew.KindPrefix, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step: func(s *state, t *trial) (float64, float64, bool) {
			what, failed, spoke := t.outcome()
			denied := spoke && what == ofDenied
			if what == ofAuth || !spoke || (!denied && s.trials(chDenied) == 0) {
				return 1, 0, false
			}
			d := s.duel(chDenied)
			if d.Trials == 0 {
				d.remember(failed)
				return 1, 0, false
			}
			start := startWeight(uint32(d.Trials))
			return d.lifted(deniedPrior[s.Kind], krichevskyTrofimov, denied, t.weather(s, ofDenied)), start, true
		},
		explain: outcomeExplain(chDenied, &deniedPrior, "%d of %d requests were forbidden, %.1f expected"),
	}
}

// outcome says which of the outcome channels the event speaks to, and whether it failed. Authentication has its own
// channel; what a browser asks for unbidden, what the client gave up, and what an edge of ours refused say nothing about
// the client.
func (t *trial) outcome() (what int, failed, spoke bool) {
	switch {
	case t.authAttempt:
		return ofAuth, t.authFailure, true
	case t.unbidden || t.ours || t.status == 0 || t.status == statusTooManyRequests || t.status == statusClientClosed:
		return 0, false, false
	case t.status == 401 || t.status == 403:
		return ofDenied, true, true
	}
	return ofClientError, t.clientError, true
}

// outcomeStep takes the channel's trial, which the climate bears on.
func outcomeStep(s *state, t *trial, ch, of int, prior *priorOf, belief beta) (ratio, start float64, tried bool) {
	what, failed, spoke := t.outcome()
	if !spoke || what != of {
		return 1, 0, false
	}
	d := s.duel(ch)
	start = startWeight(uint32(d.Trials))
	return d.lifted(s.prior(ch, prior), belief, failed, t.weather(s, of)), start, true
}

// weather is the one that bears on the entity's outcome. Hardly any group is known long enough to vote, so theirs is that
// of the addresses.
func (t *trial) weather(s *state, of int) *air {
	kind := sundew.Kind(s.Kind)
	if isGroup(kind) {
		kind = sundew.KindIP
	}
	return &t.climate[kind][weatherOf(of)]
}

func outcomeExplain(ch int, prior *priorOf, format string) func(*state) (float64, float64, time.Duration, string) {
	return func(s *state) (observed, expected float64, window time.Duration, sentence string) {
		d := s.duel(ch)
		expected = d.expected(s.prior(ch, prior))
		return float64(d.Hits), expected, s.sinceMidnight(), fmt.Sprintf(format, d.Hits, d.Trials, expected)
	}
}
