package sim

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"sundew"
)

// campaign is one carrying-out of an attack, a client that sends from one or many addresses.
type campaign struct {
	method
	name       string
	number     uint32
	begin, end time.Duration // after the start of the traffic
	rng        *rand.Rand
	seed       uint64
	people     uint32 // whose accounts there are to attack

	sources []netip.Addr
	network place  // country and system number of the sources
	agent   string // user agent
	ja4     string
	session string
	account string
	device  string // with the time of its installation
	since   time.Duration

	own    []sundew.Entity // what the attacker carries all through, besides its addresses
	sent   int             // requests so far
	at     int             // where a walk through ids or pages stands
	target string          // user name under attack
}

// campaign returns the campaign that begins with l. It is the same whenever it is asked for.
func (t *Traffic) campaign(l launch) *campaign {
	m := t.methods[l.method]
	ordinal := l.round*len(t.methods) + l.method
	number := t.population.size() + uint32(ordinal)
	c := &campaign{
		method: m,
		name:   campaignName(m.Name, ordinal),
		number: number,
		begin:  l.at,
		end:    min(l.at+m.Lasts, t.config.Duration),
		rng:    newRand(t.config.Seed, forBehaviour, uint64(number)),
		seed:   t.config.Seed,
		people: t.population.people,
	}
	c.network = c.uplink()
	c.agent, c.ja4 = c.tool()
	c.sources = t.addresses.sources(l, c.addressCount())
	if m.arm != nil {
		m.arm(c)
	}
	return c
}

// addressCount is how many addresses the campaign needs for three requests from each.
func (c *campaign) addressCount() int {
	expected := (c.end - c.begin).Seconds() / c.meanGap()
	return max(1, min(c.addresses, int(expected/3)))
}

// meanGap returns the mean seconds between two requests.
func (c *campaign) meanGap() float64 {
	return 60 / (c.slow * math.Pow(c.fast/c.slow, c.Intensity))
}

// request sends one request of the attack. A blatant one keeps the beat of a loop, a stealthy one that of chance.
func (c *campaign) request(at time.Duration, e *sundew.Event) time.Duration {
	e.Client = c.sources[c.sent%len(c.sources)]
	e.Country, e.ASN = c.network.country, c.network.asn
	e.UserAgent, e.JA4 = c.agent, c.ja4
	e.Account, e.Session = c.account, c.session
	if c.device != "" {
		e.Device, e.DeviceAge = c.device, (at - c.since).Truncate(time.Second)
	}
	c.strike(c, e)
	c.sent++

	beat := 0.95 + 0.1*c.rng.Float64()
	gap := c.meanGap() * (c.Intensity*beat + (1-c.Intensity)*c.rng.ExpFloat64())
	next := at + max(precision, seconds(gap))
	if next >= c.end {
		return never
	}
	return next
}

// blatant says that the attacker does not care to be seen.
func (c *campaign) blatant() bool { return c.Intensity >= 0.5 }

// uplink says which network the campaign's addresses belong to: a hoster's, or for the stealthy one that sells
// household connections.
func (c *campaign) uplink() place {
	if c.blatant() {
		return place{country: "NL", asn: hosterASN}
	}
	isp := providers[c.rng.IntN(len(providers))]
	return place{country: isp.country, asn: isp.asn}
}

// tool returns the user agent and the TLS fingerprint of a script, or of the genuine app for the stealthy.
func (c *campaign) tool() (agent, ja4 string) {
	if c.blatant() {
		s := scripts[c.rng.IntN(len(scripts))]
		return s.agent, s.ja4
	}
	a := apps[c.rng.IntN(len(apps))]
	return a.agent, a.ja4
}

// signIn gives the campaign an account of its own, and a device with the app; the patient have had it for long.
func (c *campaign) signIn() {
	c.account = accountOf(c.rng.Uint64())
	c.session = hex16(c.rng.Uint64())
	c.holds(sundew.KindAccount, c.account)
	const patience = 30 * 24 * time.Hour
	c.install(time.Hour + time.Duration((1-c.Intensity)*float64(patience)))
}

// install gives the campaign a device that was registered some time before it begins.
func (c *campaign) install(before time.Duration) {
	c.device = guid(c.rng.Uint64(), c.rng.Uint64())
	c.since = c.begin - before
	c.holds(sundew.KindDevice, c.device)
}

// holds says that the entity is the attacker's alone and on every request.
func (c *campaign) holds(kind sundew.Kind, key string) {
	c.own = append(c.own, sundew.Entity{Kind: kind, Key: key})
}

// victim returns the number of somebody who has an account.
func (c *campaign) victim() uint64 { return uint64(c.rng.IntN(int(c.people))) }

func (c *campaign) truth(start time.Time) Campaign {
	return Campaign{
		Name:      c.name,
		Attack:    c.Name,
		OWASP:     c.OWASP,
		Start:     start.Add(c.begin).UTC().Truncate(precision),
		End:       start.Add(c.end).UTC(),
		Intensity: c.Intensity,
		Entities:  c.entities(),
	}
}

// entities lists the addresses, or the networks where these are all the attacker's, and what the attacker holds.
func (c *campaign) entities() []sundew.Entity {
	var all []sundew.Entity
	if c.oneNetwork {
		prefixes, n := sundew.Prefixes(c.sources[0])
		for _, prefix := range prefixes[:n] {
			all = append(all, sundew.Entity{Kind: sundew.KindPrefix, Key: prefix.String()})
		}
		return append(all, c.own...)
	}
	for _, addr := range c.sources {
		all = append(all, sundew.Entity{Kind: sundew.KindIP, Key: addr.String()})
	}
	return append(all, c.own...)
}
