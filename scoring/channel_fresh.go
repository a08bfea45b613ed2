package scoring

import (
	"time"

	"sundew"
)

// freshAge is how long a device counts as new.
const freshAge = time.Hour

// freshPrior has one device in eleven installed just before it is first seen that day, as on the day of a campaign. The
// age is the client's own word where it is not attested.
var freshPrior = priorOf{sundew.KindDevice: {.02, .2}}

// freshAbusers is low because most abusers keep their devices, and honest people's are all new once: a new device is
// worth less than a nat.
const freshAbusers = .2

func freshChannel() channel {
	return channel{
		name:  "identity_fresh",
		kinds: kinds(sundew.KindDevice),
		step: func(s *state, t *trial) (float64, float64, bool) {
			if !t.aged {
				return 1, 0, false
			}
			return habit(s, chFresh, &freshPrior, t.fresh, freshAbusers)
		},
		explain: outcomeExplain(chFresh, &freshPrior, "%d of %d requests came from a device less than an hour old, %.1f expected"),
	}
}
