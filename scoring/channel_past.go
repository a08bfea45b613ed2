package scoring

import (
	"math/bits"

	"sundew"
)

// pastPrior has one device in thirty begin a day with other software and from another network than it began its latest
// day: an update, and a journey.
var pastPrior = priorOf{sundew.KindDevice: {.03, .87}}

// pastAbusers is how many who go by somebody else's device show both.
const pastAbusers = .3

// pastChannel holds a device against its own past. It speaks once a day, so it can tip a scale and convict nobody.
func pastChannel() channel {
	return channel{
		name:  "consistency_past",
		kinds: kinds(sundew.KindDevice),
		step: func(s *state, t *trial) (float64, float64, bool) {
			if s.Trials > 0 || t.software == 0 || t.network == 0 {
				return 1, 0, false
			}
			software, network := s.members(softwareBefore), s.members(networkBefore)
			if s.Points < convicted {
				s.setMembers(softwareBefore, t.software)
				s.setMembers(networkBefore, t.network)
			}
			if software == 0 || network == 0 {
				return 1, 0, false
			}
			return habit(s, chPast, &pastPrior, software != t.software && network != t.network, pastAbusers)
		},
		explain: outcomeExplain(chPast, &pastPrior, "began %d of %d days with other software and from another network than before, %.2f expected"),
	}
}

// networksPrior expects one request in forty of somebody on the move to come from a network that is new that day.
var networksPrior = priorOf{
	sundew.KindDevice:  {.3, 11.7},
	sundew.KindAccount: {.4, 11.6},
}

// ordinaryNetworks are no trial: home, work, and the phone on the way.
const ordinaryNetworks = 3

// networksChannel sees an entity go through autonomous systems and countries: who rents other people's connections gets
// another one at request after request.
func networksChannel() channel {
	return channel{
		name:  "consistency_network",
		kinds: kinds(sundew.KindDevice, sundew.KindAccount),
		step: func(s *state, t *trial) (float64, float64, bool) {
			shown := bits.OnesCount64(s.members(networksToday))
			isNew, damp, tried := s.cover(networksToday, t.network)
			if !tried || shown < ordinaryNetworks {
				return 1, 0, false
			}
			return rare(s, chNetworks, &networksPrior, isNew, damp)
		},
		explain: outcomeExplain(chNetworks, &networksPrior, "%d of %d requests came from a network that was new that day, %.1f expected"),
	}
}

// pastOf are the bits of what a device shows of its software and of where it is.
func (t *trial) pastOf(e *sundew.Event, h hasher) (software, network uint64) {
	if e.UserAgent != "" || e.JA4 != "" {
		software = t.userAgent
		if e.JA4 != "" {
			software ^= (h + 1).text(e.JA4)
		}
		software = bitOf(software)
	}
	if e.ASN != 0 || e.Country != "" {
		network = uint64(e.ASN)
		if e.Country != "" {
			network ^= (h + 2).text(e.Country)
		}
		network = bitOf(keyOf(0, network))
	}
	return software, network
}
