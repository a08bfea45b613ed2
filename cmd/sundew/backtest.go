package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sundew"
	"sundew/rules"
	"sundew/scoring"
)

func runRulesBacktest(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	format := flags.String("format", "auto", "log `format`: auto or one of "+formatNames())
	configFile := flags.String("config", "", "configuration `file`")
	rulesDir := flags.String("rules", "", "`directory` of the rules as they are, instead of the pack that comes with the program")
	labelsFile := flags.String("labels", "", "labels of analysts from this `file`, NDJSON")
	sweep := flags.String("sweep", "", "vary a parameter: `NAME=VALUES`, such as limit=10,20,50 or limit=10..50/10")
	asJSON := flags.Bool("json", false, "JSON instead of text")
	words, err := parseFlags(flags, args, 2, -1)
	if err != nil {
		return err
	}
	c, err := loadConfig(*configFile)
	if err != nil {
		return err
	}
	if *rulesDir != "" {
		c.Rules.Dir = *rulesDir
	}
	config, err := backtestConfig(c, words[0], *sweep)
	if err != nil {
		return err
	}
	if config.Labels, err = readLabels(*labelsFile); err != nil {
		return err
	}
	report, err := backtest(ctx, c, config, words[1:], *format, t)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(t.out, report)
	}
	return printReport(t.out, report)
}

// backtestConfig takes a rule of the directory by its id, or a file that changes one or adds one.
func backtestConfig(c Config, rule, sweep string) (config rules.BacktestConfig, err error) {
	config = rules.BacktestConfig{Root: c.Rules.Dir, Proposal: rules.Proposal{Rule: rule}, Limits: c.Rules.Limits}
	if config.Files, err = rulesIn(c.Rules.Dir); err != nil {
		return config, err
	}
	if filepath.Ext(rule) == ".yaml" {
		config.Proposal.Rule = strings.TrimSuffix(filepath.Base(rule), ".yaml")
		if config.Proposal.Text, err = os.ReadFile(rule); err != nil {
			return config, fmt.Errorf("rules backtest: %w", err)
		}
	}
	if sweep != "" {
		name, values, found := strings.Cut(sweep, "=")
		if !found {
			return config, usageError{fmt.Sprintf("rules backtest: --sweep %q: want NAME=VALUES", sweep)}
		}
		config.Sweep = name
		if config.Values, err = rules.ParseValues(values); err != nil {
			return config, usageError{"rules backtest: --sweep: " + err.Error()}
		}
	}
	return config, nil
}

// backtest replays the logs through scoring and both sets of rules. The labels judge; scoring does not learn from them.
func backtest(ctx context.Context, c Config, config rules.BacktestConfig, files []string, format string, t terminal) (rules.Report, error) {
	trial, err := rules.NewBacktest(config)
	if err != nil {
		return rules.Report{}, err
	}
	scorer, err := scoring.New(c.Scoring)
	if err != nil {
		return rules.Report{}, err
	}
	set, err := rules.Load(config.Files, config.Root)
	if err != nil {
		return rules.Report{}, err
	}
	source, _, err := openHistory(c, set, files, format, t)
	if err != nil {
		return rules.Report{}, err
	}
	defer source.Close()
	pipeline := sundew.Pipeline{Source: source, Scorer: scorer, Policy: trial}
	err = pipeline.Run(ctx)
	source.done()
	if err := errors.Join(err, ctx.Err()); err != nil {
		return rules.Report{}, fmt.Errorf("backtest: %w", err)
	}
	report := trial.Report()
	report.Made = time.Now().UTC().Truncate(time.Second)
	if s := source.Stats(); s.Lines > s.Parsed+s.Skipped {
		n := s.Lines - s.Parsed - s.Skipped
		report.Coverage = append(report.Coverage, fmt.Sprintf("%d lines could not be read: sundew parse says why", n))
	}
	return report, nil
}

// printReport writes a report for a person. What the log chose is quoted.
func printReport(out io.Writer, r rules.Report) error {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	against := "a new rule"
	if r.Identity.Against != "" {
		against = "against " + r.Identity.Against + " (" + r.Identity.AgainstStatus + ")"
	}
	line("%s, if it were active, %s", r.Identity.Rule, against)
	line("%s, %s to %s, lists %s", r.Identity.Mode, r.Identity.From.Format(time.RFC3339), r.Identity.To.Format(time.RFC3339), r.Identity.Lists)
	line("")
	line("requests            %d, of which it matched %d", r.Volume.Evaluations, r.Volume.Matches)
	line("entities            %d acted on with this rule among the reasons", r.Volume.Entities)
	line("acted on by all     new %d, lost %d, otherwise %d, as before %d", r.Delta.New.Entities, r.Delta.Lost.Entities, r.Delta.Changed.Entities, r.Delta.Unchanged.Entities)
	line("requests held       %d, now %d; of labelled legitimate entities %d, now %d",
		r.Held.Proposed.Requests, r.Held.Current.Requests, r.Held.Proposed.Legitimate, r.Held.Current.Legitimate)
	q := r.Quality
	line("labelled            true positives %d, false positives %d, missed %d, spared %d; precision %s, recall %s",
		q.TruePositives, q.FalsePositives, q.FalseNegatives, q.TrueNegatives, shareOf(q.Precision), shareOf(q.Recall))
	for _, trip := range r.Brake {
		line("braked              %s at %s: %s", trip.Name, trip.Time.Format(time.RFC3339), trip.Reason)
	}
	printGroup(line, "new", r.Delta.New)
	printGroup(line, "lost", r.Delta.Lost)
	printGroup(line, "probable false positives", r.ProbableFP)
	if len(r.Overlap) > 0 {
		line("\noverlap             entities both, share of either")
		for _, o := range r.Overlap {
			line("  %-30s %8d  %5.1f%%", o.Rule, o.Both, o.Jaccard*100)
		}
	}
	if len(r.Sweep) > 0 {
		line("\nsweep                 entities  precision  recall")
		for _, s := range r.Sweep {
			line("  %-20s %8d  %9s  %6s", s.Param+"="+s.Value, s.Entities, shareOf(s.Quality.Precision), shareOf(s.Quality.Recall))
		}
	}
	line("\nenforced decisions by hour")
	for _, h := range r.Series {
		line("  %s  %8d requests  now %6d  proposed %6d", h.Time.Format("2006-01-02 15h"), h.Requests, h.Current, h.Proposed)
	}
	line("\nnot covered")
	for _, what := range r.Coverage {
		line("  %s", what)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func printGroup(line func(string, ...any), name string, g rules.GroupReport) {
	if g.Entities == 0 {
		return
	}
	line("\n%s: %d", name, g.Entities)
	for _, e := range g.Examples {
		line("  %s %q  %s -> %s  %q %s", e.Entity.Kind, e.Entity.Key, orNone(e.Current), orNone(e.Proposed), e.Sentence, strings.Join(e.Signs, "; "))
	}
	if more := g.Entities - len(g.Examples); more > 0 {
		line("  and %d more", more)
	}
}

func orNone(action string) string {
	if action == "" {
		return "none"
	}
	return action
}

// shareOf writes a ratio that may be unknown.
func shareOf(ratio *float64) string {
	if ratio == nil {
		return "unknown"
	}
	return strconv.FormatFloat(*ratio*100, 'f', 1, 64) + "%"
}
