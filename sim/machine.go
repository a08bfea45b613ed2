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
