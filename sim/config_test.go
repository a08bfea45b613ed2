package sim_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sundew/sim"
)

func TestConfigRefusesWhatNoTrafficCanBeMadeFrom(t *testing.T) {
	for _, test := range []struct {
		story string
		spoil func(c *sim.Config)
		says  string
	}{
		{"no start", func(c *sim.Config) { c.Start = time.Time{} }, "start is missing"},
		{"no duration", func(c *sim.Config) { c.Duration = 0 }, "duration is 0s"},
		{"nobody", func(c *sim.Config) { c.Clients = 0 }, "clients is 0"},
		{"more than memory holds", func(c *sim.Config) { c.Clients = 2_000_000 }, "1 to 1000000"},
		{"silence", func(c *sim.Config) { c.RatePerClient = 0 }, "rate_per_client is 0"},
		{"no rate at all", func(c *sim.Config) { c.RatePerClient = math.NaN() }, "rate_per_client is NaN"},
		{"a negative season", func(c *sim.Config) { c.Season = -0.1 }, "season is -0.1"},
		{"empty batches", func(c *sim.Config) { c.Batch = 0 }, "batch is 0"},
		{"an attack nobody knows", func(c *sim.Config) { c.Attacks[1].Name = "sorcery" }, `attacks[1]: unknown attack "sorcery": want one of credential-stuffing, `},
		{"an attack before the start", func(c *sim.Config) { c.Attacks[0].After = -1 }, "attacks[0]: credential-stuffing: after is -1ns"},
		{"an attack of negative length", func(c *sim.Config) { c.Attacks[0].Lasts = -1 }, "lasts is -1ns"},
		{"an attack that begins all the time", func(c *sim.Config) { c.Attacks[0].Every = time.Millisecond }, "every is 1ms"},
		{"more than blatant", func(c *sim.Config) { c.Attacks[0].Intensity = 1.1 }, "intensity is 1.1"},
		{"an incident nobody knows", func(c *sim.Config) { c.Incidents[1].Name = "plague" }, `incidents[1]: unknown incident "plague": want one of flash-crowd, `},
		{"an incident before the start", func(c *sim.Config) { c.Incidents[0].After = -1 }, "incidents[0]: flash-crowd: after is -1ns"},
		{"an incident of negative length", func(c *sim.Config) { c.Incidents[0].Lasts = -1 }, "lasts is -1ns"},
		{"too many incidents", func(c *sim.Config) { c.Incidents = make([]sim.Incident, 2000) }, "2000 incidents: at most 100"},
		{"too many campaigns", func(c *sim.Config) { c.Duration, c.Attacks[0].Every = 1000*time.Hour, time.Second }, "raise every"},
	} {
		t.Run(test.story, func(t *testing.T) {
			c := sim.Hard()
			test.spoil(&c)
			if _, err := sim.New(c); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", err, test.says)
			}
		})
	}
}

func TestDefaultsAreValid(t *testing.T) {
	for story, c := range map[string]sim.Config{"default": sim.DefaultConfig(), "hard": sim.Hard(), "demo": sim.Demo(time.Unix(1_800_000_000, 0))} {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", story, err)
		}
	}
}

func TestConfigFromYAML(t *testing.T) {
	c := sim.DefaultConfig()
	err := yaml.Unmarshal([]byte("seed: 9\nduration: 90m\nattacks:\n- {name: flood, after: 10s, every: 5m}\n"), &c)
	if err != nil {
		t.Fatal(err)
	}
	campaigns := begin(t, c).Truth().Campaigns
	if c.Seed != 9 || len(campaigns) != 18 || campaigns[17].Attack != "flood" {
		t.Fatalf("%d campaigns of %+v", len(campaigns), c)
	}
	if first := campaigns[0]; first.Intensity == 0 || !first.End.After(first.Start) || len(first.OWASP) == 0 {
		t.Errorf("what is not given should be the catalogue's: %+v", first)
	}
}
