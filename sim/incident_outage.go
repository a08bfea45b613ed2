package sim

import (
	"math/rand/v2"
	"time"

	"sundew"
)

const (
	lostShare  = 0.6 // of requests, during an outage
	retriesMax = 4   // of a request that was lost; a login is tried until it works
)

func outage() mishandling {
	return mishandling{
		Incident: Incident{
			Name:     "outage",
			Sentence: "For a quarter of an hour the server fails three requests in five (502, 503) and logins with 401 or 500; apps try again.",
			Lasts:    15 * time.Minute,
		},
		touch: cutOff,
	}
}

// unserved is a client during an outage. An app tries again what was lost; while it is a login that was, the app's
// other requests are refused.
type unserved struct {
	client
	o         *occurrence
	rng       *rand.Rand
	patient   bool          // tries again
	next      time.Duration // of the client itself
	due       time.Duration // of the next try; never when there is nothing to try again
	tries     int
	lost      *sundew.Event // what is tried again, as it would have been answered; nil when due is never
	loggedOut bool
}

func cutOff(o *occurrence, number uint32, c client, first time.Duration) (client, time.Duration) {
	_, attacks := c.(*campaign)
	return &unserved{client: c, o: o, rng: o.rand(number), patient: !attacks, next: first, due: never}, first
}

func (u *unserved) request(at time.Duration, e *sundew.Event) time.Duration {
	if u.due < u.next {
		repeat(e, *u.lost)
		u.forget()
		u.tries++
	} else {
		u.next = u.client.request(at, e)
		u.tries = 0
	}
	u.serve(at, e)
	return min(u.next, u.due)
}

// serve answers the request as the server did before, or loses it.
func (u *unserved) serve(at time.Duration, e *sundew.Event) {
	switch {
	case u.loggedOut && e.Auth == sundew.OutcomeNone:
		e.Account, e.Session = "", ""
		answer(e, 401)
	case u.o.during(at) && chance(u.rng, lostShare):
		u.lose(at, e)
	case e.Auth == sundew.OutcomeSuccess:
		u.loggedOut = false
		u.forget()
	}
}

func (u *unserved) forget() { u.lost, u.due = nil, never }

func (u *unserved) lose(at time.Duration, e *sundew.Event) {
	login := e.Auth == sundew.OutcomeSuccess
	if u.patient && (login || e.Device != "" && e.Auth == sundew.OutcomeNone && u.tries < retriesMax) {
		lost := *e
		u.lost = &lost
		u.loggedOut = login
		u.due = at + between(u.rng, time.Second, 3*time.Second)<<min(u.tries, 3)
	}
	if e.Auth == sundew.OutcomeNone {
		answer(e, 502+u.rng.IntN(2))
		return
	}
	e.Auth, e.Account, e.Session = sundew.OutcomeFailure, "", ""
	answer(e, []int{401, 500}[u.rng.IntN(2)])
}
