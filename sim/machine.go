package sim

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"sundew"
)

// poller is a person's app that asks for notifications on a timer, day and night.
type poller struct {
	app
	rng *rand.Rand
}

const pollEvery = 30 * time.Second

func (s *settler) addPoller(number uint32, at place) {
	rng := newRand(s.config.Seed, forBehaviour, uint64(number))
	p := &poller{rng: rng, app: s.installApp(rng, number, at)}
	s.add(number, p, between(rng, 0, pollEvery))
}

func (p *poller) request(at time.Duration, e *sundew.Event) time.Duration {
	p.appear(at, e)
	inbox.call(p.rng, e)
	if chance(p.rng, 0.9) {
		answer(e, 304)
	}
	mishap(p.rng, e)
	return at + pollEvery + between(p.rng, -400*time.Millisecond, 400*time.Millisecond)
}

// partner is another shop's software: one key, two addresses, steady and fast.
type partner struct {
	rng   *rand.Rand
	key   string
	addrs [2]netip.Addr
}

const partnerPerMinute = 40

func (s *settler) partners(first uint32, _ int) (int, []sundew.Entity) {
	rng := newRand(s.config.Seed, forBehaviour, uint64(first))
	host := byte(10 + 2*(int(first-s.out.people)%100))
	p := &partner{
		rng: rng,
		key: "ak_" + hex16(rng.Uint64()),
		addrs: [2]netip.Addr{
			netip.AddrFrom4([4]byte{203, 0, 113, host}),
			netip.AddrFrom4([4]byte{203, 0, 113, host + 1}),
		},
	}
	s.add(first, p, between(rng, 0, time.Minute/partnerPerMinute))
	return 1, nil
}

func (p *partner) request(at time.Duration, e *sundew.Event) time.Duration {
	e.Client, e.Country, e.ASN = p.addrs[p.rng.IntN(len(p.addrs))], "DE", 64504
	e.UserAgent, e.JA4 = partnerAgent.agent, partnerAgent.ja4
	e.APIKey = p.key
	e.Signature = sundew.ProofValid
	if chance(p.rng, 0.1) {
		dispatch.call(p.rng, e)
	} else {
		inventory.call(p.rng, e)
		e.Query = "since=" + strconv.FormatInt(e.Time.Unix()-90, 10)
	}
	mishap(p.rng, e)
	const every = time.Minute / partnerPerMinute
	return at + between(p.rng, every*8/10, every*12/10)
}

// crawler is a search engine that reads products from end to end, slowly.
type crawler struct {
	rng  *rand.Rand
	sent int
}

const (
	crawlEvery  = 5 * time.Second
	robotsEvery = 700 // requests
)

func (s *settler) crawlers(first uint32, _ int) (int, []sundew.Entity) {
	rng := newRand(s.config.Seed, forBehaviour, uint64(first))
	s.add(first, &crawler{rng: rng}, between(rng, 0, crawlEvery))
	return 1, nil
}

func (c *crawler) request(at time.Duration, e *sundew.Event) time.Duration {
	e.Client = netip.AddrFrom4([4]byte{192, 0, 2, byte(16 + c.rng.IntN(4))})
	e.Country, e.ASN = "US", 64505
	e.UserAgent, e.JA4 = crawlerAgent.agent, crawlerAgent.ja4
	if c.sent%robotsEvery == 0 {
		robots.call(c.rng, e)
	} else {
		shopPage.callPath(c.rng, e, "item-"+strconv.Itoa(1+c.sent%catalogueSize))
		gone(c.rng, e)
	}
	c.sent++
	mishap(c.rng, e)
	return at + between(c.rng, crawlEvery/2, crawlEvery*3/2)
}

// beat is a machine that asks for one thing on a timer, from one address.
type beat struct {
	platform
	rng       *rand.Rand
	addr      netip.Addr
	key       string // of the API; "" where none is needed
	signature sundew.Proof
	route     *endpoint
	unchanged float64 // share of answers that nothing is new
	every     time.Duration
	strays    time.Duration // at most, to either side
}

const (
	pollingEvery = 15 * time.Second
	monitorEvery = 10 * time.Second
)

func (s *settler) pollingPartners(first uint32, _ int) (int, []sundew.Entity) {
	rng := newRand(s.config.Seed, forBehaviour, uint64(first))
	s.add(first, &beat{
		platform:  pollingAgent,
		rng:       rng,
		addr:      netip.AddrFrom4([4]byte{203, 0, 113, 230}),
		key:       "ak_" + hex16(rng.Uint64()),
		signature: sundew.ProofValid,
		route:     &pending,
		unchanged: 0.95,
		every:     pollingEvery,
		strays:    300 * time.Millisecond,
	}, between(rng, 0, pollingEvery))
	return 1, nil
}

func (s *settler) monitors(first uint32, _ int) (int, []sundew.Entity) {
	rng := newRand(s.config.Seed, forBehaviour, uint64(first))
	s.add(first, &beat{
		platform: monitorAgent,
		rng:      rng,
		addr:     netip.AddrFrom4([4]byte{192, 0, 2, 40}),
		route:    &health,
		every:    monitorEvery,
		strays:   20 * time.Millisecond,
	}, between(rng, 0, monitorEvery))
	return 1, nil
}

func (b *beat) request(at time.Duration, e *sundew.Event) time.Duration {
	e.Client, e.Country, e.ASN = b.addr, "DE", 64506
	e.UserAgent, e.JA4 = b.agent, b.ja4
	e.APIKey, e.Signature = b.key, b.signature
	b.route.call(b.rng, e)
	if chance(b.rng, b.unchanged) {
		answer(e, 304)
	}
	mishap(b.rng, e)
	return at + b.every + between(b.rng, -b.strays, b.strays)
}
