package sim

import (
	"math/rand/v2"
	"strings"
	"time"

	"sundew"
)

const (
	adoptedShare = 0.8 // of a platform's devices at the end of the incident
	faultShare   = 0.4 // of requests after which the release sends what fails
	faultTries   = 3   // at most, in a row
)

func brokenRelease() mishandling {
	return mishandling{
		Incident: Incident{
			Name:     "broken-release",
			Sentence: "A release of the app, which ever more devices of one platform get, asks for a route that is gone (404), many times in a session.",
			Lasts:    4 * time.Hour,
		},
		oneRelease: true,
		touch:      releaseWith(askGone),
	}
}

func malformedRelease() mishandling {
	return mishandling{
		Incident: Incident{
			Name:     "malformed-release",
			Sentence: "A release of the app, which ever more devices of one platform get, sends a body that the server refuses (400), many times in a session.",
			Lasts:    4 * time.Hour,
		},
		oneRelease: true,
		touch:      releaseWith(sendMalformed),
	}
}

// releasedApp is a client whose app is replaced by the release at some time, and keeps it; what the release does wrong is
// served again when the incident is over.
type releasedApp struct {
	client
	o      *occurrence
	rng    *rand.Rand
	fault  func(rng *rand.Rand, e *sundew.Event)
	adopts time.Duration
	next   time.Duration // of the client itself
	due    time.Duration // of the next fault; never when none is
	left   int           // faults to come in a row
	last   *sundew.Event // of the client itself, before the faults; nil when due is never
}

func releaseWith(fault func(rng *rand.Rand, e *sundew.Event)) func(*occurrence, uint32, client, time.Duration) (client, time.Duration) {
	return func(o *occurrence, number uint32, c client, first time.Duration) (client, time.Duration) {
		p := personOf(c)
		if p == nil || p.agent != o.platform.agent {
			return c, first
		}
		rng := o.rand(number)
		adopts := o.begin + time.Duration(rng.Float64()/adoptedShare*float64(o.end-o.begin))
		if adopts >= o.end {
			return c, first
		}
		return &releasedApp{client: c, o: o, rng: rng, fault: fault, adopts: adopts, next: first, due: never}, first
	}
}

func (r *releasedApp) request(at time.Duration, e *sundew.Event) time.Duration {
	if r.due < r.next {
		r.fail(at, e)
	} else {
		r.next = r.client.request(at, e)
		r.mark(at, e)
	}
	return min(r.next, r.due)
}

// mark makes the request one of the release, when the device has that, and may have a fault follow.
func (r *releasedApp) mark(at time.Duration, e *sundew.Event) {
	if at < r.adopts {
		return
	}
	e.UserAgent = nextRelease(e.UserAgent)
	if r.left == 0 && r.o.during(at) && chance(r.rng, faultShare) {
		last := *e
		r.last = &last
		r.left = 1 + r.rng.IntN(faultTries)
		r.due = at + between(r.rng, burstLow, burstHigh)
	}
}

func (r *releasedApp) fail(at time.Duration, e *sundew.Event) {
	repeat(e, *r.last)
	e.Object, e.Query = "", ""
	e.Auth, e.AuthUsername = sundew.OutcomeNone, ""
	r.fault(r.rng, e)
	r.left--
	r.due = at + between(r.rng, time.Second, 4*time.Second)
	if r.left == 0 {
		r.last, r.due = nil, never
	}
}

// askGone asks for a route that the gateway does not know any more.
func askGone(rng *rand.Rand, e *sundew.Event) {
	feed.call(rng, e)
	e.Route, e.Path = "", "/v1/recommendations"
	answer(e, 404)
}

func sendMalformed(rng *rand.Rand, e *sundew.Event) {
	cart.call(rng, e)
	answer(e, 400)
}

// nextRelease returns the user agent of an app with the number of the release.
func nextRelease(agent string) string {
	name, rest, _ := strings.Cut(agent, "/")
	_, device, _ := strings.Cut(rest, " ")
	return name + "/7.5.0 " + device
}
