package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sundew/cmd/sundew/quality"
)

func runBenchQuality(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	c := quality.DefaultConfig()
	flags.IntVar(&c.Seeds, "seeds", c.Seeds, "independent simulations")
	flags.IntVar(&c.Clients, "clients", c.Clients, "legitimate clients in each")
	flags.IntVar(&c.Days, "days", c.Days, "days in each")
	flags.Float64Var(&c.Rate, "rate", c.Rate, "`requests` of a client per day; fewer let more client-days fit into the time")
	flags.BoolVar(&c.Adaptive, "adaptive", false, "attackers slow down when delayed and change addresses and devices when blocked")
	flags.BoolVar(&c.Incidents, "incidents", false, "with a crowd, bad releases and an outage on the last day")
	intensities := flags.String("intensities", "0.2,0.5,0.9", "`list` of how hard each attack is tried, above 0 (disguised) to 1 (blatant)")
	plots := flags.String("plots", "", "write power.svg and calibration.svg into this `directory`")
	jsonFile := flags.String("json", "", "write the result to this `file`, JSON")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	var err error
	if c.Intensities, err = numbers(*intensities); err != nil {
		return usageError{"bench quality: --intensities: " + err.Error()}
	}
	if err := c.Validate(); err != nil {
		return usageError{"bench quality: " + err.Error()}
	}
	progress := newProgress(t.err)
	c.OnProgress = progress.showShare
	report, err := quality.Run(ctx, c)
	progress.done()
	if err != nil {
		return fmt.Errorf("bench quality: %w", err)
	}
	if err := report.WriteTables(t.out); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if *plots != "" {
		if err := writePlots(*plots, report); err != nil {
			return err
		}
	}
	if *jsonFile == "" {
		return nil
	}
	return writeReport(*jsonFile, report)
}

func writePlots(dir string, report quality.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("plots: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "power.svg"), report.Power(), 0o644),
		os.WriteFile(filepath.Join(dir, "calibration.svg"), report.CalibrationPlot(), 0o644),
	)
}

// numbers reads a list such as 0.2,0.5.
func numbers(list string) ([]float64, error) {
	var out []float64
	for text := range strings.SplitSeq(list, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number: want a list such as 0.2,0.5,0.9", text)
		}
		out = append(out, v)
	}
	return out, nil
}

func writeReport(name string, report quality.Report) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	encoder := json.NewEncoder(file)
	encoder.SetIndent("", "  ")
	if err := errors.Join(encoder.Encode(report), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
