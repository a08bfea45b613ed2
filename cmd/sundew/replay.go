package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"sundew"
	"sundew/ingest"
	"sundew/rules"
	"sundew/scoring"
)

func runReplay(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	format := flags.String("format", "auto", "log `format`: auto or one of "+formatNames())
	configFile := flags.String("config", "", "configuration `file`")
	rulesDir := flags.String("rules", "", "`directory` of rule files instead of the pack that comes with the program")
	decisionsFile := flags.String("decisions", "", "write the decisions to this `file`, NDJSON; - is standard output")
	scoresFile := flags.String("scores", "", "write the scores from 1 point on to this `file`, NDJSON")
	labelsFile := flags.String("labels", "", "labels of analysts from this `file`, NDJSON, each at its time")
	shards := flags.Int("shards", 0, "goroutines that score; 0 means one per processor. Changes no decision")
	files, err := parseFlags(flags, args, 1, -1)
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
	c.Scoring.Workers = *shards
	scorer, err := scoring.New(c.Scoring)
	if err != nil {
		return err
	}
	set, err := loadRules(c.Rules.Dir)
	if err != nil {
		return err
	}
	source, privacy, err := openHistory(c, set, files, *format, t)
	if err != nil {
		return err
	}
	defer source.Close()
	labels, err := readLabels(*labelsFile)
	if err != nil {
		return err
	}
	decisions, err := createNDJSON(*decisionsFile, t)
	if err != nil {
		return err
	}
	scores, err := createNDJSON(*scoresFile, t)
	if err != nil {
		return err
	}

	tally := replayTally{start: time.Now(), entities: map[sundew.Entity]sundew.Action{}}
	engine := rules.NewEngine(set, c.Rules.Limits)
	pipeline := sundew.Pipeline{
		Source: &labelling{Source: source, labels: labels}, Scorer: scorer, Policy: engine,
		Publisher: mark(decisions, privacy), Recorder: scoresWriter{scores}, Observe: tally.observe,
	}
	runErr := pipeline.Run(ctx)
	source.done()
	if err := errors.Join(runErr, decisions.close(), scores.close()); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	stats := source.Stats()
	fmt.Fprint(t.err, linesSummary(stats))
	fmt.Fprint(t.err, tally.summary(stats.Lines, scorer.Entities()))
	for _, trip := range engine.Trips() {
		fmt.Fprintf(t.err, "braked    %s at %s: it acted on %s (%d of about %d); %d decisions withdrawn\n",
			trip.Name, trip.Time.Format(time.RFC3339), trip.Reason, trip.Entities, trip.Seen, trip.Withdrawn)
	}
	return ctx.Err()
}

// openHistory opens log files as the configuration treats live lines.
func openHistory(c Config, set *rules.Set, files []string, format string, t terminal) (*logFiles, *ingest.Privacy, error) {
	proxies, err := sundew.NewProxies(c.Ingest.TrustedProxies)
	if err != nil {
		return nil, nil, err
	}
	privacy, err := openPrivacy(c, set)
	if err != nil {
		return nil, nil, err
	}
	routes, err := ingest.NewRoutes(c.Ingest.Routes, c.Ingest.RoutesOnly, nil)
	if err != nil {
		return nil, nil, err
	}
	source, err := openLogs(files, ingest.FileConfig{Format: format, Proxies: proxies, Routes: routes, Privacy: privacy, Once: true}, t)
	return source, privacy, err
}

// loadRules reads the rule files of a directory, or the starter pack where there is none.
func loadRules(dir string) (*rules.Set, error) {
	files, err := rulesIn(dir)
	if err != nil {
		return nil, err
	}
	return rules.Load(files, dir)
}

func rulesIn(dir string) (fs.FS, error) {
	if dir == "" {
		return rules.Starter(), nil
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("rules: %s is a file: name the directory it is in", dir)
	}
	return os.DirFS(dir), nil
}

// replayTally counts what a replay did.
type replayTally struct {
	start    time.Time
	actions  [5]int64
	shadow   int64
	entities map[sundew.Entity]sundew.Action // hardest action of each entity that was decided about
}

func (r *replayTally) observe(_ sundew.Batch, _ []sundew.Score, ds []sundew.Decision) {
	for i := range ds {
		d := &ds[i]
		if d.Shadow {
			r.shadow++
			continue
		}
		r.actions[d.Action]++
		r.entities[d.Entity] = max(r.entities[d.Entity], d.Action)
	}
}

func (r *replayTally) summary(lines int64, entities int) string {
	var out strings.Builder
	var enforced [5]int
	for _, action := range r.entities {
		enforced[action]++
	}
	elapsed := time.Since(r.start)
	fmt.Fprintf(&out, "entities  %d kept at the end\ndecisions %d\n", entities, r.actions[sundew.ActionObserve]+r.actions[sundew.ActionTarpit]+r.actions[sundew.ActionChallenge]+r.actions[sundew.ActionBlock])
	for action := sundew.ActionObserve; action <= sundew.ActionBlock; action++ {
		fmt.Fprintf(&out, "  %-10s %6d   entities whose hardest action it is: %d\n", action, r.actions[action], enforced[action])
	}
	if r.shadow > 0 {
		fmt.Fprintf(&out, "  %-10s %6d\n", "shadow", r.shadow)
	}
	fmt.Fprintf(&out, "time      %s, %.0f lines/s\n", elapsed.Round(time.Millisecond), float64(lines)/elapsed.Seconds())
	return out.String()
}

// ndjson writes one JSON object per line to a file that appears under its name when it is complete. A nil one writes
// nothing.
type ndjson struct {
	w    *bufio.Writer
	file *os.File // nil for standard output
	name string
}

func createNDJSON(name string, t terminal) (*ndjson, error) {
	switch name {
	case "":
		return nil, nil
	case "-":
		return &ndjson{w: bufio.NewWriter(t.out)}, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return &ndjson{w: bufio.NewWriterSize(file, 1<<16), file: file, name: name}, nil
}

func (n *ndjson) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = n.w.Write(append(line, '\n'))
	return err
}

// Publish writes decisions as they are made.
func (n *ndjson) Publish(_ context.Context, ds []sundew.Decision) error {
	if n == nil {
		return nil
	}
	for i := range ds {
		if err := n.write(ds[i]); err != nil {
			return err
		}
	}
	return nil
}

func (n *ndjson) close() error {
	if n == nil {
		return nil
	}
	err := n.w.Flush()
	if n.file != nil {
		err = errors.Join(err, n.file.Close())
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", n.name, err)
	}
	return nil
}

// scoresWriter writes scores from 1 point on.
type scoresWriter struct{ out *ndjson }

// scoreLine is one line of the scores file.
type scoreLine struct {
	Time     time.Time          `json:"time"`
	Entity   sundew.Entity      `json:"entity"`
	Score    float64            `json:"score"`
	Nats     float64            `json:"nats"`
	Evidence []sundew.Evidence  `json:"evidence"`
	Features map[string]float64 `json:"features"`
	Offset   int64              `json:"offset"` // of the line that moved the score
}

func (s scoresWriter) Record(_ context.Context, _ sundew.Batch, scores []sundew.Score, _ []sundew.Decision) error {
	if s.out == nil {
		return nil
	}
	for i := range scores {
		score := &scores[i]
		if score.Points < 1 {
			continue
		}
		line := scoreLine{score.Time, score.Entity, score.Points, score.Nats, slices.Clone(score.Evidence), map[string]float64{}, score.Event.Offset}
		for f, value := range score.Features {
			if value != 0 {
				line.Features[sundew.Catalogue[f].Name] = value
			}
		}
		if err := s.out.write(line); err != nil {
			return err
		}
	}
	return nil
}
