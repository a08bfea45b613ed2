package scoring

import (
	"fmt"
	"math/bits"
	"time"

	"sundew"
)

// The coverage channels see an entity touch something it has not touched today. Members of a set are hashed, with the
// deployment's key, to one bit of 64; the changed bit is the event. Because bits collide, the null's probability is
// scaled by the share of bits that are still clear.
func coverageChannel(ch, set int, name string, prior *priorOf, things string, on ...sundew.Kind) channel {
	return channel{
		name:  name,
		kinds: kinds(on...),
		prior: prior,
		step: func(s *state, t *trial) (float64, float64, bool) {
			isNew, damp, tried := s.cover(inToday(set), t.bits[set])
			if !tried {
				return 1, 0, false
			}
			return bernoulli(s, ch, prior, isNew, damp)
		},
		explain: func(s *state) (observed, expected float64, window time.Duration, sentence string) {
			d := s.duel(ch)
			observed = distinct(s.members(inToday(set)))
			expected = 1 + d.expected(s.prior(ch, prior))
			return observed, expected, s.sinceMidnight(),
				fmt.Sprintf("%s %.0f different %s in %d requests, at most %.1f expected", about(observed), observed, things, int(d.Trials)+1, expected)
		},
	}
}

// cover adds a member's bit to the members seen today. Nothing is tried where there is no member, where it is the first
// one, as everybody's first one is new, and where no bit is left; damp is the share of bits that were clear.
func (s *state) cover(bitmap int, bit uint64) (isNew bool, damp float64, tried bool) {
	before := s.members(bitmap)
	s.addMembers(bitmap, bit)
	unset := 64 - bits.OnesCount64(before)
	if bit == 0 || before == 0 || unset == 0 {
		return false, 0, false
	}
	return before&bit == 0, float64(unset) / 64, true
}

// about says how to read a count that saturates.
func about(n float64) string {
	if n > 200 {
		return "over"
	}
	return "about"
}

// Paths: people browse, so most of what they open is new to them; only a crawl that never comes back stands out a little.
var pathsPrior = priorOf{
	sundew.KindIP:      {8.5, 1.5},
	sundew.KindDevice:  {8.5, 1.5},
	sundew.KindAccount: {8.5, 1.5},
	sundew.KindAPIKey:  {8.5, 1.5},
}

func pathsChannel() channel {
	return coverageChannel(chPaths, setPaths, "coverage_paths", &pathsPrior, "paths",
		sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey)
}

// Accounts: an address may serve an office, a device belongs to one or two people.
var accountsPrior = priorOf{
	sundew.KindIP:     {1, 7},
	sundew.KindPrefix: {2, 6},
	sundew.KindDevice: {.2, 7.8},
}

func accountsChannel() channel {
	return coverageChannel(chAccounts, setAccounts, "coverage_accounts", &accountsPrior, "accounts",
		sundew.KindIP, sundew.KindPrefix, sundew.KindDevice)
}

// Devices: an address may serve an office, an account has a handful.
var devicesPrior = priorOf{
	sundew.KindIP:      {1.5, 6.5},
	sundew.KindAccount: {.2, 7.8},
	sundew.KindAPIKey:  {4, 4},
	sundew.KindPrefix:  {2, 6},
}

// devicesChannel hears a network only about devices that the log knows to be young: the others belong to who lives there.
func devicesChannel() channel {
	c := coverageChannel(chDevices, setDevices, "coverage_devices", &devicesPrior, "devices",
		sundew.KindIP, sundew.KindPrefix, sundew.KindAccount, sundew.KindAPIKey)
	cover := c.step
	c.step = func(s *state, t *trial) (ratio, start float64, tried bool) {
		if sundew.Kind(s.Kind) == sundew.KindPrefix && (!t.aged || t.tenured != 0) {
			return 1, 0, false
		}
		return cover(s, t)
	}
	return c
}

// Objects: lists lead to details, and few things are looked at twice in a day.
var objectsPrior = priorOf{
	sundew.KindDevice:  {8, 2},
	sundew.KindAccount: {8, 2},
}

func objectsChannel() channel {
	return coverageChannel(chObjects, setObjects, "coverage_objects", &objectsPrior, "objects",
		sundew.KindDevice, sundew.KindAccount)
}
