package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sundew/sim"
)

func runSimulate(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	wish := simulation{Config: sim.DefaultConfig()}
	wish.register(flags)
	out := flags.String("out", "-", "write canonical JSON lines to this `file`; - is standard output")
	truth := flags.String("truth", "", "write who is who to this `file`, JSON")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	c, err := wish.config()
	if err != nil {
		return usageError{fmt.Sprintf("simulate: %v", err)}
	}
	traffic, err := sim.New(c)
	if err != nil {
		return usageError{err.Error()}
	}
	w := t.out
	var file *os.File
	if *out != "-" {
		if file, err = os.Create(*out); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		w = file
	}
	began := time.Now()
	events, err := sim.WriteNDJSON(ctx, traffic, w)
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	if *truth != "" {
		if err := writeTruth(*truth, traffic.Truth()); err != nil {
			return err
		}
	}
	fmt.Fprintf(t.err, "events    %d\ncampaigns %d\ntime      %s\n", events, len(traffic.Truth().Campaigns), time.Since(began).Round(time.Millisecond))
	return nil
}

// simulation is the traffic that the flags ask for.
type simulation struct {
	sim.Config
	start     string
	days      int
	attacks   string
	intensity float64
	incidents bool
}

func (s *simulation) register(flags *flag.FlagSet) {
	flags.Uint64Var(&s.Seed, "seed", s.Seed, "the same seed gives the same traffic")
	flags.StringVar(&s.start, "start", s.Start.Format(time.RFC3339), "`time` of the first event, RFC 3339")
	flags.DurationVar(&s.Duration, "duration", s.Duration, "how much time to simulate")
	flags.IntVar(&s.days, "days", 0, "how many days to simulate, in place of --duration")
	flags.IntVar(&s.Clients, "clients", s.Clients, "legitimate clients")
	flags.StringVar(&s.attacks, "attacks", "all", "`names` of attacks with commas between them, all or none")
	flags.Float64Var(&s.intensity, "intensity", 0, "of every attack: 1 blatant, towards 0 stealthy; 0 as each attack is listed")
	flags.BoolVar(&s.incidents, "incidents", false, "add bad releases, a crowd and an outage, of which no attacker is the cause")
}

// config returns the configuration, or what is wrong with the words of the flags.
func (s *simulation) config() (sim.Config, error) {
	c := s.Config
	var err error
	if c.Start, err = time.Parse(time.RFC3339, s.start); err != nil {
		return c, fmt.Errorf("--start: %w", err)
	}
	if s.days < 0 || s.days > maxDays {
		return c, fmt.Errorf("--days is %d: it must be 1 to %d", s.days, maxDays)
	}
	if s.days > 0 {
		c.Duration = time.Duration(s.days) * 24 * time.Hour
	}
	if c.Attacks, err = attacksNamed(s.attacks); err != nil {
		return c, fmt.Errorf("--attacks: %w", err)
	}
	for i := range c.Attacks {
		if s.intensity != 0 {
			c.Attacks[i].Intensity = s.intensity
		}
	}
	spread(c.Attacks, c.Duration)
	if s.incidents {
		c.Incidents = incidentsWithin(c.Duration)
	}
	return c, nil
}

// maxDays keeps the duration within what time.Duration holds.
const maxDays = 36_500

// attacksNamed returns the attacks of a list with commas, in its order; each once.
func attacksNamed(list string) ([]sim.Attack, error) {
	all := sim.Catalogue()
	switch list {
	case "all":
		return all, nil
	case "none":
		return nil, nil
	}
	var attacks []sim.Attack
	for name := range strings.SplitSeq(list, ",") {
		is := func(a sim.Attack) bool { return a.Name == strings.TrimSpace(name) }
		i := slices.IndexFunc(all, is)
		if i < 0 {
			return nil, fmt.Errorf("unknown attack %q: want all, none or some of %s", name, strings.Join(attackNames(all), ", "))
		}
		if !slices.ContainsFunc(attacks, is) {
			attacks = append(attacks, all[i])
		}
	}
	return attacks, nil
}

func attackNames(attacks []sim.Attack) []string {
	var names []string
	for _, a := range attacks {
		names = append(names, a.Name)
	}
	return names
}

// spread lets the attacks begin one after another over the whole time, so that a short simulation has them all.
func spread(attacks []sim.Attack, over time.Duration) {
	for i := range attacks {
		attacks[i].After = over / time.Duration(len(attacks)+1) * time.Duration(i+1)
	}
}

// incidentsWithin returns every incident once, one after another over the second half of the time, each at most a quarter
// of it long.
func incidentsWithin(over time.Duration) []sim.Incident {
	incidents := sim.Incidents()
	for i := range incidents {
		incidents[i].After = over/2 + over/2/time.Duration(len(incidents))*time.Duration(i)
		incidents[i].Lasts = min(incidents[i].Lasts, over/4)
	}
	return incidents
}

func writeTruth(name string, truth sim.Truth) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if err := errors.Join(truth.WriteJSON(file), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
