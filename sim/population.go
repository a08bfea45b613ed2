package sim

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"sundew"
)

// population is the legitimate clients by segment. Numbers run through the segments in order, people before machines.
type population struct {
	people   uint32
	segments []segment
}

type segment struct {
	Segment
	first uint32 // number of its first client
}

// Sizes of groups.
const (
	householdMax     = 3
	groupMin         = 5 // behind the address of an office or of a carrier
	groupMax         = 50
	peoplePerPartner = 2000
)

// settler lays out the clients of one configuration.
type settler struct {
	config *Config
	rng    *rand.Rand
	homes  [len(providers)]int // of each provider, dealt so far
	add    func(number uint32, c client, first time.Duration)
	out    population
}

// settle lays out all clients and hands each to add with the time of its first request.
func settle(c *Config, add func(number uint32, c client, first time.Duration)) population {
	s := &settler{config: c, rng: newRand(c.Seed, forLayout, 0), add: add}
	offices, carriers := c.Clients*12/100, c.Clients*25/100
	web, pollers := c.Clients*12/100, c.Clients*2/100
	families, forgetful, travellers, desks := c.Clients*2/100, c.Clients/100, c.Clients/100, c.Clients*2/100
	homes := c.Clients - offices - carriers - web - pollers - families - forgetful - travellers - desks

	s.settle("app-home", "people with the app at home, a household of up to three behind one address or IPv6 network", homes, s.home)
	s.settle("app-carrier", "people with the app on a carrier's network, up to 50 behind each of its shared addresses", carriers, s.group)
	s.settle("app-office", "people with the app at work, up to 50 behind the address of their office", offices, s.group)
	s.settle("web", "people with a browser: page loads of 20 to 60 requests within seconds", web, s.browsers)
	s.settle("app-poller", "people whose app asks for notifications every 30 seconds", pollers, s.pollers)
	s.settle("family", "the phone, the tablet and the browser of a family, all with one account", families, s.families)
	s.settle("app-forgetful", "people whose password manager fills in an old password, 5 to 15 times a day", forgetful, s.forgetful)
	s.settle("app-traveller", "people with the app whose address and country change every few hours", travellers, s.travellers)
	s.settle("web-office", "people at work who log in with the same browser, up to 50 behind the address of their office", desks, s.desks)
	s.out.people = s.next()
	s.settle("partner", "a shop's own software that reads the stock all day with an API key", 1+c.Clients/peoplePerPartner, s.partners)
	s.settle("crawler", "a search engine that reads the catalogue from four addresses", 1, s.crawlers)
	s.settle("partner-poller", "a shop's own software that asks for the state of its orders every 15 seconds with an API key", 1, s.pollingPartners)
	s.settle("monitor", "a probe that asks every 10 seconds whether the server is well, from one address", 1, s.monitors)
	return s.out
}

// settle lays out a segment: members is asked for clients until there are n.
func (s *settler) settle(name, sentence string, n int, members func(first uint32, atMost int) (settled int, shared []sundew.Entity)) {
	seg := segment{Segment: Segment{Name: name, Sentence: sentence, Clients: n, Shared: []sundew.Entity{}}, first: s.next()}
	for settled := 0; settled < n; {
		more, shared := members(seg.first+uint32(settled), n-settled)
		seg.Shared = append(seg.Shared, shared...)
		settled += more
	}
	s.out.segments = append(s.out.segments, seg)
}

// next returns the first number that no client has.
func (s *settler) next() uint32 { return s.out.size() }

func (s *settler) home(first uint32, atMost int) (int, []sundew.Entity) {
	n := min(atMost, 1+s.rng.IntN(householdMax))
	return n, s.household(first, n, s.addPerson)
}

func (s *settler) browsers(first uint32, atMost int) (int, []sundew.Entity) {
	n := min(atMost, 1+s.rng.IntN(householdMax))
	return n, s.household(first, n, s.addBrowser)
}

func (s *settler) pollers(first uint32, _ int) (int, []sundew.Entity) {
	return 1, s.household(first, 1, s.addPoller)
}

// household settles n people in a new home of some provider: behind one IPv4 address, or each with an IPv6 address of
// the home's network.
func (s *settler) household(first uint32, n int, move func(number uint32, at place)) []sundew.Entity {
	isp := s.rng.IntN(len(providers))
	home := s.homes[isp]
	s.homes[isp]++
	addr, isV4 := accessV4(isp, home)
	isV4 = isV4 && chance(s.rng, 0.5)
	for i := range n {
		if !isV4 {
			addr = accessV6(isp, home, s.rng.Uint64())
		}
		move(first+uint32(i), place{addr, providers[isp].country, providers[isp].asn})
	}
	return shared(n, addr)
}

// group settles 5 to 50 people, or as many as are left, behind one address.
func (s *settler) group(first uint32, atMost int) (int, []sundew.Entity) {
	return s.crowd(first, atMost, s.addPerson)
}

// crowd settles a group of whom move makes each.
func (s *settler) crowd(first uint32, atMost int, move func(number uint32, at place)) (int, []sundew.Entity) {
	n := min(atMost, groupMin+s.rng.IntN(groupMax-groupMin+1))
	isp := s.rng.IntN(len(providers))
	addr, isV4 := accessV4(isp, s.homes[isp])
	if !isV4 {
		addr = accessV6(isp, s.homes[isp], 1)
	}
	s.homes[isp]++
	for i := range n {
		move(first+uint32(i), place{addr, providers[isp].country, providers[isp].asn})
	}
	return n, shared(n, addr)
}

// shared names what n people have in common: an IPv4 address, or the network of their IPv6 addresses.
func shared(n int, addr netip.Addr) []sundew.Entity {
	switch prefixes, _ := sundew.Prefixes(addr); {
	case n < 2:
		return nil
	case addr.Is4():
		return []sundew.Entity{{Kind: sundew.KindIP, Key: addr.String()}}
	default:
		return []sundew.Entity{{Kind: sundew.KindPrefix, Key: prefixes[0].String()}}
	}
}

// share returns how busy a person is, as a multiple of the mean.
func share(rng *rand.Rand) float64 { return gamma(rng, rateShape, 1) }

// arrivals returns moments for a person whose requests come perArrival at a time.
func (s *settler) arrivals(rng *rand.Rand, perArrival float64) arrivals {
	c := s.config
	return arrivals{
		rng:       rng,
		perSecond: share(rng) * c.RatePerClient / secondsPerDay / perArrival,
		season:    c.Season,
		midnight:  c.Start.UTC().Truncate(24 * time.Hour).Sub(c.Start),
		end:       c.Duration,
	}
}

// size returns how many clients there are: their numbers are below it.
func (p *population) size() uint32 {
	if len(p.segments) == 0 {
		return 0
	}
	last := p.segments[len(p.segments)-1]
	return last.first + uint32(last.Clients)
}

func (p *population) segmentOf(number uint32) string {
	name := ""
	for _, s := range p.segments {
		if s.first <= number {
			name = s.Name
		}
	}
	return name
}

func (p *population) truth() []Segment {
	segments := make([]Segment, len(p.segments))
	for i, s := range p.segments {
		segments[i] = s.Segment
	}
	return segments
}
