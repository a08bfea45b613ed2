package sim

import (
	"math/rand/v2"
	"strconv"
	"time"

	"sundew"
)

// person uses the app: it registers once, logs in now and then, and walks from screen to screen.
type person struct {
	rhythm
	app
	step   step
	typos  int // failed logins in a row
	orders int // own orders
}

// app is what a person's copy of the app shows of itself and of the person.
type app struct {
	identity
	place
	platform
	installed time.Duration // after the start of the traffic; below 0 before it
	session   string        // "" while nobody is logged in
	attested  sundew.Proof
}

// identity is who somebody is to the shop.
type identity struct {
	device   string // "" in a browser
	account  string
	username string // hashed
	ordersAt uint64 // which orders are the person's
}

// identityOf returns who the number's person is, to the person and to those who attack it.
func identityOf(seed, number uint64) identity {
	return identity{
		device:   guid(derive(seed, forDevice, number), derive(seed, forDevice, ^number)),
		account:  accountOf(derive(seed, forAccount, number)),
		username: usernameOf(seed, number),
		ordersAt: derive(seed, forOrders, number),
	}
}

func accountOf(x uint64) string { return "u" + strconv.FormatUint(x>>24, 10) }

// usernameOf returns the hashed user name of the number's person.
func usernameOf(seed, number uint64) string { return hex16(derive(seed, forUsername, number)) }

const (
	newcomerShare   = 0.03 // of people, who install the app during the traffic
	meanTenure      = 90 * 24 * time.Hour
	unattestedShare = 0.02  // of devices
	namelessShare   = 0.005 // of apps, which are too old to know their device or are kept from telling
	expiredShare    = 0.08  // of openings that find the session over
	firstTypoShare  = 0.06  // of logins
	nextTypoShare   = 0.3   // of logins after a failed one
	typoMax         = 4     // after which a new password is asked for
	refusedShare    = 0.1   // of cards
	meanOrders      = 6
)

func (s *settler) addPerson(number uint32, at place) {
	p := s.newPerson(number, at)
	first := p.first()
	if chance(p.opens.rng, newcomerShare) {
		p.installed = first
		p.step = registering
		p.session = ""
	}
	s.add(number, p, first)
}

// newPerson returns somebody who has had the app for a while.
func (s *settler) newPerson(number uint32, at place) *person {
	rng := newRand(s.config.Seed, forBehaviour, uint64(number))
	return &person{
		rhythm: rhythm{opens: s.arrivals(rng, requestsPerOpen)},
		app:    s.installApp(rng, number, at),
		step:   opening,
		orders: 1 + rng.IntN(2*meanOrders),
	}
}

// installApp returns the app of somebody who has had it for a while.
func (s *settler) installApp(rng *rand.Rand, number uint32, at place) app {
	a := app{
		identity:  identityOf(s.config.Seed, uint64(number)),
		place:     at,
		platform:  apps[rng.IntN(len(apps))],
		installed: -seconds(rng.ExpFloat64() * meanTenure.Seconds()),
		session:   hex16(rng.Uint64()),
		attested:  sundew.ProofValid,
	}
	if chance(rng, unattestedShare) {
		a.attested = sundew.ProofMissing
	}
	if chance(rng, namelessShare) {
		a.device = ""
	}
	return a
}

// request takes the next step of the walk. What it sends depends on where the person stands, never on the rhythm.
func (p *person) request(at time.Duration, e *sundew.Event) time.Duration {
	rng := p.opens.rng
	p.appear(at, e)
	p.step = p.take(rng, e)
	next, opened := p.after(at)
	if opened && p.step.signedIn() {
		p.step = opening
	}
	return next
}

// appear fills in what the app sends with every request.
func (a *app) appear(at time.Duration, e *sundew.Event) {
	e.Client, e.Country, e.ASN = a.addr, a.country, a.asn
	e.UserAgent, e.JA4 = a.agent, a.ja4
	if a.device != "" {
		e.Device, e.DeviceAge = a.device, (at - a.installed).Truncate(time.Second)
		e.Signature = sundew.ProofValid
		e.Attestation, e.AttestationProvider = a.attested, a.provider
	}
	if a.session != "" {
		e.Session, e.Account = a.session, a.account
	}
}

// take sends the request of the step and returns the step after it.
func (p *person) take(rng *rand.Rand, e *sundew.Event) step {
	switch p.step {
	case registering:
		register.call(rng, e)
		return loggingIn
	case loggingIn:
		return p.logIn(rng, e)
	case resetting:
		reset.call(rng, e)
		e.AuthUsername = p.username
		return loggingIn
	case opening:
		return p.openApp(rng, e)
	}
	p.send(rng, e)
	mishap(rng, e)
	return p.step.next(rng)
}

// send fills in the request of a step that needs a session.
func (p *person) send(rng *rand.Rand, e *sundew.Event) {
	switch p.step {
	case tracking:
		order.callObject(rng, e, p.ownOrder(rng))
		gone(rng, e)
	case proving:
		oneTime.call(rng, e)
		e.Object = "tel_" + p.username
	case adding:
		card.call(rng, e)
		e.Object = p.ownCard()
		refused(rng, e, 402)
	case verifying:
		verify.callPath(rng, e, p.ownCard()+"/verification")
		e.Object = p.ownCard()
		refused(rng, e, 422)
	default:
		p.step.send(rng, e)
	}
}

// ownCard returns the id of the person's card.
func (p *person) ownCard() string { return "pm_" + p.username }

// refused answers now and then that a person has mistyped a number, or that the bank says no.
func refused(rng *rand.Rand, e *sundew.Event, status int) {
	if chance(rng, refusedShare) {
		answer(e, status)
	}
}

// openApp exchanges the session for a fresh one, unless it has run out.
func (p *person) openApp(rng *rand.Rand, e *sundew.Event) step {
	refresh.call(rng, e)
	if chance(rng, expiredShare) {
		p.session = ""
		e.Session, e.Account = "", ""
		answer(e, 401)
		return loggingIn
	}
	return browsing
}

func (p *person) logIn(rng *rand.Rand, e *sundew.Event) step {
	wrong := firstTypoShare
	if p.typos > 0 {
		wrong = nextTypoShare
	}
	if p.typos < typoMax && chance(rng, wrong) {
		p.typos++
		tryLogin(rng, e, p.username, false)
		if p.typos == typoMax {
			return resetting
		}
		return loggingIn
	}
	p.typos = 0
	p.session = hex16(rng.Uint64())
	tryLogin(rng, e, p.username, true)
	e.Account, e.Session = p.account, p.session
	return browsing
}

// ownOrder returns the id of one of the person's orders.
func (p *person) ownOrder(rng *rand.Rand) string {
	return orderID(mix(p.ordersAt + uint64(rng.IntN(p.orders))))
}

// orderID returns the id of the x'th order, counted from somewhere: ids are eight digits and dense.
func orderID(x uint64) string { return strconv.FormatUint(10_000_000+x%90_000_000, 10) }
