package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"sundew/rules"
)

// A ruleHistory is what stands beside the rules in .history/ID: every version under the hash of its content, which is
// never written again, and a line of history.ndjson for each change.
type ruleHistory struct {
	file string // of the rule
	dir  string
	id   string
}

// ruleChange is one line of the history.
type ruleChange struct {
	Time      time.Time `json:"time"`
	Version   string    `json:"version"`
	Body      string    `json:"body"`
	Status    string    `json:"status"`
	By        string    `json:"by"`
	Note      string    `json:"note,omitempty"`      // what was done, or why
	Overruled []string  `json:"overruled,omitempty"` // what spoke against it
}

// openRuleHistory finds a rule's file in a directory.
func openRuleHistory(dir, id string) (*ruleHistory, error) {
	if dir == "" {
		return nil, usageError{"rules: the pack inside the program cannot be changed: name a directory with --rules"}
	}
	if _, err := rulesIn(dir); err != nil {
		return nil, err
	}
	h := &ruleHistory{dir: filepath.Join(dir, ".history", filepath.Base(id)), id: id}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case !entry.IsDir() && entry.Name() == id+".yaml":
			h.file = path
		}
		return nil
	})
	if err == nil && h.file == "" {
		err = fmt.Errorf("rules: there is no %s.yaml in %s", id, dir)
	}
	return h, err
}

func (h *ruleHistory) changes() ([]ruleChange, error) {
	text, err := os.ReadFile(filepath.Join(h.dir, "history.ndjson"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("history: %w", err)
	}
	var changes []ruleChange
	decoder := json.NewDecoder(bytes.NewReader(text))
	for decoder.More() {
		var c ruleChange
		if err := decoder.Decode(&c); err != nil {
			return nil, fmt.Errorf("history: %s/history.ndjson, change %d: %w", h.dir, len(changes)+1, err)
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// record keeps a version and notes the change.
func (h *ruleHistory) record(c ruleChange, text []byte) error {
	if err := os.MkdirAll(h.dir, 0o750); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	version := filepath.Join(h.dir, c.Version+".yaml")
	if _, err := os.Stat(version); errors.Is(err, fs.ErrNotExist) {
		if err := replaceFile(version, text); err != nil {
			return err
		}
	}
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(h.dir, "history.ndjson"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	_, err = log.Write(append(line, '\n'))
	if err := errors.Join(err, log.Sync(), log.Close()); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// replaceFile writes a file that is there as a whole or as it was before.
func replaceFile(name string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(name), ".sundew-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(0o640), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// version returns the text of a version that the history has.
func (h *ruleHistory) version(hash string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(h.dir, filepath.Base(hash)+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("rules: there is no version %s of %s: sundew rules history lists them", hash, h.id)
	}
	if rules.Version(text) != hash {
		return nil, fmt.Errorf("rules: version %s of %s was changed on the disk: its content has the hash %s", hash, h.id, rules.Version(text))
	}
	return text, nil
}

// change writes another text of the rule, after noting the one that stands there where nobody has.
func (h *ruleHistory) change(old, text []byte, c ruleChange) error {
	changes, err := h.changes()
	if err != nil {
		return err
	}
	if n := len(changes); n == 0 || changes[n-1].Version != rules.Version(old) {
		found := ruleChange{Time: c.Time, Version: rules.Version(old), By: "unknown", Note: "found in the directory"}
		if found.Body, err = rules.Body(old); err != nil {
			return err
		}
		if found.Status, err = statusIn(h.file, old); err != nil {
			return err
		}
		if err := h.record(found, old); err != nil {
			return err
		}
	}
	if err := h.record(c, text); err != nil {
		return err
	}
	return replaceFile(h.file, text)
}

// statusIn loads a rule for its status.
func statusIn(file string, text []byte) (string, error) {
	id := strings.TrimSuffix(filepath.Base(file), ".yaml")
	set, err := rules.LoadWith(os.DirFS(filepath.Dir(file)), filepath.Dir(file), rules.Proposal{Rule: id, Text: text})
	if err != nil {
		return "", err
	}
	for _, r := range set.Rules() {
		if r.ID == id {
			return r.Status, nil
		}
	}
	return "", fmt.Errorf("rules: %s is no rule", file)
}

// shadowSince says since when a body has run in the shadow or as a canary without a break, the zero time for never.
func shadowSince(changes []ruleChange, body string) time.Time {
	var since time.Time
	for _, c := range changes {
		switch runs := c.Status == rules.StatusShadow || c.Status == rules.StatusCanary; {
		case c.Body != body || !runs:
			since = time.Time{}
		case since.IsZero():
			since = c.Time
		}
	}
	return since
}

func runRulesPromote(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	dir := flags.String("rules", "", "`directory` of the rules")
	status := flags.String("to", "", "new `status`: "+strings.Join(rules.Statuses(), ", "))
	percent := flags.Float64("percent", 0, "share of the entities that a canary acts on, in `percent`")
	by := flags.String("by", "", "who does it")
	backtestFile := flags.String("backtest", "", "report of rules backtest --json from this `file`")
	override := flags.String("override", "", "do it against what speaks against it, for this `reason`, which is recorded")
	words, err := parseFlags(flags, args, 1, 1)
	if err != nil {
		return err
	}
	if *by == "" || *status == "" {
		return usageError{"rules promote: say --to which status and --by whom"}
	}
	h, err := openRuleHistory(*dir, words[0])
	if err != nil {
		return err
	}
	set, err := loadRules(*dir)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(h.file)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	text, err := rules.WithStatus(old, *status, *percent)
	if err != nil {
		return usageError{"rules promote: " + err.Error()}
	}
	change := ruleChange{Time: time.Now().UTC().Truncate(time.Second), Version: rules.Version(text), Status: *status, By: *by, Note: *override}
	if change.Body, err = rules.Body(text); err != nil {
		return err
	}
	if change.Overruled, err = h.obstacles(set, change, *backtestFile); err != nil {
		return err
	}
	if len(change.Overruled) > 0 && *override == "" {
		return fmt.Errorf("rules promote: %s may not become %s yet:\n  %s\n--override REASON does it all the same, and is recorded", h.id, *status, strings.Join(change.Overruled, "\n  "))
	}
	if err := h.change(old, text, change); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s@%s is %s; a running sundew takes it at its next start\n", h.id, change.Version, *status)
	return nil
}

func (h *ruleHistory) obstacles(set *rules.Set, change ruleChange, backtestFile string) ([]string, error) {
	changes, err := h.changes()
	if err != nil {
		return nil, err
	}
	c := rules.Candidate{Rule: h.id, Status: change.Status, Body: change.Body, Shadow: shadowSince(changes, change.Body), Now: change.Time}
	if backtestFile != "" {
		text, err := os.ReadFile(backtestFile)
		if err != nil {
			return nil, fmt.Errorf("backtest: %w", err)
		}
		c.Backtest = &rules.Report{}
		if err := json.Unmarshal(text, c.Backtest); err != nil {
			return nil, fmt.Errorf("backtest: %s: %w: want what sundew rules backtest --json prints", backtestFile, err)
		}
	}
	return set.Obstacles(c), nil
}

func runRulesHistory(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	dir := flags.String("rules", "", "`directory` of the rules")
	asJSON := flags.Bool("json", false, "JSON instead of a table")
	words, err := parseFlags(flags, args, 1, 1)
	if err != nil {
		return err
	}
	h, err := openRuleHistory(*dir, words[0])
	if err != nil {
		return err
	}
	changes, err := h.changes()
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(t.out, changes)
	}
	rows := [][]string{{"time", "version", "status", "by", "note", "overruled"}}
	for _, c := range changes {
		rows = append(rows, []string{c.Time.Format(time.RFC3339), c.Version, c.Status, c.By, c.Note, strings.Join(c.Overruled, "; ")})
	}
	return printTable(t.out, rows, false)
}

func runRulesDiff(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	dir := flags.String("rules", "", "`directory` of the rules")
	words, err := parseFlags(flags, args, 2, 3)
	if err != nil {
		return err
	}
	h, err := openRuleHistory(*dir, words[0])
	if err != nil {
		return err
	}
	before, err := h.version(words[1])
	if err != nil {
		return err
	}
	name, after := h.file, []byte(nil)
	if len(words) == 3 {
		name = words[2]
		after, err = h.version(name)
	} else {
		after, err = os.ReadFile(h.file)
	}
	if err != nil {
		return err
	}
	_, err = t.out.Write(diff.Diff(words[1], before, name, after))
	return err
}

func runRulesRestore(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	dir := flags.String("rules", "", "`directory` of the rules")
	by := flags.String("by", "", "who does it")
	words, err := parseFlags(flags, args, 2, 2)
	if err != nil {
		return err
	}
	if *by == "" {
		return usageError{"rules restore: say --by whom"}
	}
	h, err := openRuleHistory(*dir, words[0])
	if err != nil {
		return err
	}
	kept, err := h.version(words[1])
	if err != nil {
		return err
	}
	old, err := os.ReadFile(h.file)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	text, err := rules.WithStatus(kept, rules.StatusDraft, 0)
	if err != nil {
		return err
	}
	change := ruleChange{
		Time: time.Now().UTC().Truncate(time.Second), Version: rules.Version(text), Status: rules.StatusDraft, By: *by, Note: "restored from " + words[1],
	}
	if change.Body, err = rules.Body(text); err != nil {
		return err
	}
	if err := h.change(old, text, change); err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s@%s is a draft with the text of %s\n", h.id, change.Version, words[1])
	return nil
}
