package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"sundew/sim"
)

func runSimulate(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	c := sim.DefaultConfig()
	flags.Uint64Var(&c.Seed, "seed", c.Seed, "the same seed gives the same traffic")
	flags.DurationVar(&c.Duration, "duration", c.Duration, "how much time to simulate")
	flags.IntVar(&c.Clients, "clients", c.Clients, "legitimate clients")
	start := flags.String("start", c.Start.Format(time.RFC3339), "`time` of the first event, RFC 3339")
	out := flags.String("out", "-", "write canonical JSON lines to this `file`; - is standard output")
	truth := flags.String("truth", "", "write who is who to this `file`, JSON")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	var err error
	if c.Start, err = time.Parse(time.RFC3339, *start); err != nil {
		return usageError{fmt.Sprintf("simulate: --start: %v", err)}
	}
	spread(c.Attacks, c.Duration)
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

// spread lets the attacks begin one after another over the whole time, so that a short simulation has them all.
func spread(attacks []sim.Attack, over time.Duration) {
	for i := range attacks {
		attacks[i].After = over * time.Duration(i+1) / time.Duration(len(attacks)+1)
	}
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
