package scoring

import (
	"fmt"
	"math/bits"
	"time"

	"sundew"
)

// consistencyPrior expects one request in 80 of a device to come with a face that is new that day, and one in 40 of an
// account, which people use on a phone, a tablet and a laptop: updates, another network, another country.
var consistencyPrior = priorOf{
	sundew.KindDevice:  {.2, 15.8},
	sundew.KindAccount: {.4, 15.6},
}

// ordinaryFaces are no trial: an app talks by itself, by a web view and by what loads its pictures, and a connection that is
// resumed has another fingerprint than a fresh one.
const ordinaryFaces = 4

// consistencyChannel sees an entity change its face: the user agent, the TLS fingerprint and the country that a request
// shows together. A change is nothing; a new face at request after request is a disguise.
func consistencyChannel() channel {
	return channel{
		name:  "consistency",
		kinds: kinds(sundew.KindDevice, sundew.KindAccount),
		step: func(s *state, t *trial) (float64, float64, bool) {
			shown := bits.OnesCount64(s.members(facesToday))
			isNew, damp, tried := s.cover(facesToday, t.face)
			if !tried || shown < ordinaryFaces {
				return 1, 0, false
			}
			return rare(s, chConsistency, &consistencyPrior, isNew, damp)
		},
		explain: func(s *state) (observed, expected float64, window time.Duration, sentence string) {
			d := s.duel(chConsistency)
			observed, expected = distinct(s.members(facesToday)), 1+d.expected(consistencyPrior[s.Kind])
			return observed, expected, s.sinceMidnight(), fmt.Sprintf(
				"%s %.0f different combinations of user agent, TLS fingerprint and country in %d requests, at most %.1f expected",
				about(observed), observed, int(d.Trials)+1, expected)
		},
	}
}

// faceOf is the bit of the event's face, 0 for an event that shows none. A field that the log leaves out is a part of it,
// so that gateways which log less than others give a client a second face and no more.
func (t *trial) faceOf(e *sundew.Event, h hasher) uint64 {
	if e.UserAgent == "" && e.JA4 == "" && e.Country == "" {
		return 0
	}
	face := t.userAgent
	if e.JA4 != "" {
		face ^= (h + 1).text(e.JA4)
	}
	if e.Country != "" {
		face ^= (h + 2).text(e.Country)
	}
	return bitOf(face)
}
