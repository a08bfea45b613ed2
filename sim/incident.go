package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"sundew"
)

// Incident is a bad hour, or a busy one, in which nobody attacks: what it makes legitimate clients do keeps their label.
// Name is one of those that [Incidents] lists; Sentence is its and need not be given.
type Incident struct {
	Name     string        `yaml:"name"`
	Sentence string        `yaml:"-"`     // what happens
	After    time.Duration `yaml:"after"` // from the start of the traffic to the beginning
	Lasts    time.Duration `yaml:"lasts"` // 0: as listed
}

// mishandling is how an incident shows in the requests of a client.
type mishandling struct {
	Incident
	// oneRelease says that only a release of the app for one platform is concerned.
	oneRelease bool
	// touch returns the client as the incident has it, and the time of its first request.
	touch func(o *occurrence, number uint32, c client, first time.Duration) (client, time.Duration)
}

// mishandlings lists every incident in the order in which they are laid on a client: what comes later befalls the
// requests that what comes earlier makes.
func mishandlings() []mishandling {
	return []mishandling{flashCrowd(), brokenRelease(), malformedRelease(), outage()}
}

// Incidents returns every incident as it is when nothing else is said.
func Incidents() []Incident {
	var incidents []Incident
	for _, m := range mishandlings() {
		incidents = append(incidents, m.Incident)
	}
	return incidents
}

func (i *Incident) validate() error {
	var names []string
	for _, m := range mishandlings() {
		names = append(names, m.Name)
	}
	switch {
	case !slices.Contains(names, i.Name):
		return fmt.Errorf("unknown incident %q: want one of %s", i.Name, strings.Join(names, ", "))
	case i.After < 0:
		return fmt.Errorf("%s: after is %s: it must not be below 0", i.Name, i.After)
	case i.Lasts < 0:
		return fmt.Errorf("%s: lasts is %s: it must not be below 0", i.Name, i.Lasts)
	}
	return nil
}

// occurrence is an incident of one traffic.
type occurrence struct {
	mishandling
	rank       int // in mishandlings
	ordinal    int // in the configuration
	seed       uint64
	begin, end time.Duration // after the start of the traffic
	platform   platform      // whose release is concerned, where one is; another for the next incident
}

// occurrences returns the incidents that begin within the duration, in the order in which they are laid on a client.
func occurrences(c *Config) []occurrence {
	var all []occurrence
	for ordinal, wish := range c.Incidents {
		if wish.After >= c.Duration {
			continue
		}
		for rank, m := range mishandlings() {
			if m.Name == wish.Name {
				all = append(all, m.occur(c, wish, rank, ordinal))
			}
		}
	}
	slices.SortStableFunc(all, func(a, b occurrence) int { return cmp.Compare(a.rank, b.rank) })
	return all
}

func (m mishandling) occur(c *Config, wish Incident, rank, ordinal int) occurrence {
	lasts := cmp.Or(wish.Lasts, m.Lasts)
	o := occurrence{
		mishandling: m,
		rank:        rank,
		ordinal:     ordinal,
		seed:        c.Seed,
		begin:       wish.After,
		end:         wish.After + min(lasts, c.Duration-wish.After),
	}
	if m.oneRelease {
		o.platform = apps[(derive(c.Seed, forIncident, 0)%uint64(len(apps))+uint64(ordinal))%uint64(len(apps))]
	}
	return o
}

// rand returns the generator by which the incident befalls a client, so that neither the client's own choices nor any
// other incident depend on it.
func (o *occurrence) rand(number uint32) *rand.Rand {
	return newRand(o.seed, forIncident, uint64(o.ordinal)<<32|uint64(number))
}

func (o *occurrence) during(at time.Duration) bool { return o.begin <= at && at < o.end }

func (o *occurrence) truth(start time.Time) Disruption {
	d := Disruption{
		Name:     o.Name + "-" + strconv.Itoa(o.ordinal+1),
		Incident: o.Name,
		Sentence: o.Sentence,
		Start:    start.Add(o.begin).UTC(),
		End:      start.Add(o.end).UTC(),
	}
	if o.oneRelease {
		d.UserAgent = nextRelease(o.platform.agent)
	}
	return d
}

// both is one client that does two things, each at times of its own.
type both struct {
	one, other         client
	nextOne, nextOther time.Duration
}

func (b *both) request(at time.Duration, e *sundew.Event) time.Duration {
	if b.nextOne <= b.nextOther {
		b.nextOne = b.one.request(at, e)
	} else {
		b.nextOther = b.other.request(at, e)
	}
	return min(b.nextOne, b.nextOther)
}

// personOf returns the person with the app that the client is, or nil.
func personOf(c client) *person {
	switch c := c.(type) {
	case *person:
		if c.device != "" {
			return c
		}
	case *both:
		return personOf(c.one)
	case *releasedApp:
		return personOf(c.client)
	}
	return nil
}

// repeat fills in what was sent before, as another request.
func repeat(e *sundew.Event, before sundew.Event) {
	if before.Device != "" {
		before.DeviceAge = (before.DeviceAge + e.Time.Sub(before.Time)).Truncate(time.Second)
	}
	before.Time, before.RequestID = e.Time, e.RequestID
	before.GatewaySequence, before.Offset = e.GatewaySequence, e.Offset
	*e = before
}
