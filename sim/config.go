package sim

import (
	"errors"
	"fmt"
	"time"
)

// Bounds on a configuration: what one process can lay out in memory and number in a label.
const (
	maxClients   = 1_000_000
	maxCampaigns = 1_000_000
	maxIncidents = 100
	maxBatch     = 1 << 16
	maxRate      = 100_000
)

// Config says what traffic to make. All of it is part of the result: two equal configurations give equal bytes.
type Config struct {
	Seed          uint64        `yaml:"seed"`
	Start         time.Time     `yaml:"start"`           // event time of the beginning
	Duration      time.Duration `yaml:"duration"`        // event time that the traffic covers
	Clients       int           `yaml:"clients"`         // people and their devices; a few machines (partners, a crawler, a monitor) come on top
	RatePerClient float64       `yaml:"rate_per_client"` // mean requests of a person per day
	Season        float64       `yaml:"season"`          // daily swing: 0 none, 1 silent at 06:00 UTC and double at 18:00
	Batch         int           `yaml:"batch"`           // most events in one batch
	Attacks       []Attack      `yaml:"attacks"`
	Incidents     []Incident    `yaml:"incidents"`
}

// DefaultConfig returns a day of a thousand people with every attack of the catalogue once, one after another.
func DefaultConfig() Config {
	c := Config{
		Seed:          1,
		Start:         time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC),
		Duration:      24 * time.Hour,
		Clients:       1000,
		RatePerClient: 480,
		Season:        0.6,
		Batch:         1024,
		Attacks:       Catalogue(),
	}
	for i := range c.Attacks {
		c.Attacks[i].After = (c.Duration * time.Duration(i+1) / time.Duration(len(c.Attacks)+1)).Truncate(time.Minute)
	}
	return c
}

// Hard returns the day of [DefaultConfig] with every incident in its second half: a crowd at noon, two bad releases that
// overlap in the afternoon, an outage in the evening.
func Hard() Config {
	c := DefaultConfig()
	c.Incidents = Incidents()
	for i, after := range []time.Duration{12 * time.Hour, 13 * time.Hour, 15 * time.Hour, 20 * time.Hour} {
		c.Incidents[i].After = after
	}
	return c
}

// Demo returns a day that is worth watching from its first minute: 120 busy visitors, and attacks that begin one after
// another from the tenth second on, then again every three minutes from fresh addresses.
func Demo(start time.Time) Config {
	c := DefaultConfig()
	c.Start = start
	c.Clients = 120
	c.RatePerClient = 2880
	c.Season = 0
	c.Batch = 256
	c.Attacks = nil
	for i, name := range []string{
		"credential-stuffing",
		"scraping",
		"vulnerability-scan",
		"object-enumeration",
		"distributed-credential-stuffing",
		"fake-accounts",
		"forged-signatures",
	} {
		c.Attacks = append(c.Attacks, Attack{
			Name:      name,
			After:     time.Duration(i+1) * 10 * time.Second,
			Lasts:     time.Minute,
			Every:     3 * time.Minute,
			Intensity: 0.9,
		})
	}
	return c
}

// Validate reports the first setting that no traffic can be made from.
func (c *Config) Validate() error {
	switch {
	case c.Start.IsZero():
		return errors.New("sim: start is missing: set the event time at which the traffic begins")
	case c.Duration <= 0:
		return fmt.Errorf("sim: duration is %s: it must be above 0", c.Duration)
	case c.Clients < 1 || c.Clients > maxClients:
		return fmt.Errorf("sim: clients is %d: it must be 1 to %d", c.Clients, maxClients)
	case c.RatePerClient == 0 || !within(c.RatePerClient, 0, maxRate):
		return fmt.Errorf("sim: rate_per_client is %g: it must be above 0 and at most %d requests a day", c.RatePerClient, maxRate)
	case !within(c.Season, 0, 1):
		return fmt.Errorf("sim: season is %g: it must be 0 to 1", c.Season)
	case len(c.Incidents) > maxIncidents:
		return fmt.Errorf("sim: there are %d incidents: at most %d", len(c.Incidents), maxIncidents)
	case c.Batch < 1 || c.Batch > maxBatch:
		return fmt.Errorf("sim: batch is %d: it must be 1 to %d", c.Batch, maxBatch)
	}
	rounds := 0
	for i := range c.Attacks {
		if err := c.Attacks[i].validate(); err != nil {
			return fmt.Errorf("sim: attacks[%d]: %w", i, err)
		}
		rounds = max(rounds, c.Attacks[i].rounds(c.Duration))
	}
	for i := range c.Incidents {
		if err := c.Incidents[i].validate(); err != nil {
			return fmt.Errorf("sim: incidents[%d]: %w", i, err)
		}
	}
	if rounds*len(c.Attacks) > maxCampaigns {
		return fmt.Errorf("sim: the attacks begin too often: %d rounds of %d attacks, at most %d campaigns are numbered; raise every",
			rounds, len(c.Attacks), maxCampaigns)
	}
	return nil
}

// within says that x is a number from low to high.
func within(x, low, high float64) bool { return x >= low && x <= high }
