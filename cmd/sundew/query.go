package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sundew"
	"sundew/store"
)

// question is one that analysts ask. A new one is a line in questions and a function.
type question struct {
	name    string
	args    string // its one argument, "" where it has none
	summary string
	answer  func(ctx context.Context, from reader, a asked) ([]table, error)
}

// reader is what questions are asked of.
type reader interface {
	store.Store
	store.Statistics
}

// questions in the order of the help.
func questions() []question {
	return []question{
		{"overview", "", "requests, errors and decisions over time", answerOverview},
		{"top", "", "the entities that most speaks against, then the busiest", answerTop},
		{"entity", "KIND:KEY", "one entity: its decisions, scores and requests, and whom it was seen with", answerEntity},
		{"decisions", "", "decisions, newest first", answerDecisions},
		{"decision", "ID", "one decision with its evidence and the requests behind it", answerDecision},
		{"rules", "", "what each rule and policy decided", answerRules},
		{"rule-versions", "", "which versions of rules and policies ran, and when; the range is not looked at", answerRuleVersions},
		{"channels", "", "what each channel of evidence spoke of", answerChannels},
		{"coverage", "", "how many requests carry what channels and rules need", answerCoverage},
		{"features", "KIND", "percentiles of what rules count, for one kind of entity", answerFeatures},
		{"labels", "", "what analysts said, newest first", answerLabels},
		{"dead-letters", "", "lines that could not be read", answerDeadLetters},
	}
}

// queryCommands is one command for each question.
func queryCommands() []command {
	var all []command
	for _, q := range questions() {
		all = append(all, command{"query " + q.name, q.args, q.summary, q.run})
	}
	return all
}

// asked is a question's words after they were understood.
type asked struct {
	sundew.Range
	argument string
	kind     sundew.Kind // KindNone for all
	step     time.Duration
	limit    int
}

// values says them again for the process that has the store open.
func (a asked) values() url.Values {
	return url.Values{
		"from": {a.From.Format(time.RFC3339Nano)}, "to": {a.To.Format(time.RFC3339Nano)}, "argument": {a.argument},
		"kind": {a.kind.String()}, "step": {a.step.String()}, "limit": {strconv.Itoa(a.limit)},
	}
}

// askedOf reads values.
func askedOf(v url.Values) (a asked, err error) {
	a.argument = v.Get("argument")
	if a.From, err = time.Parse(time.RFC3339Nano, v.Get("from")); err != nil {
		return a, fmt.Errorf("from: %w", err)
	}
	if a.To, err = time.Parse(time.RFC3339Nano, v.Get("to")); err != nil {
		return a, fmt.Errorf("to: %w", err)
	}
	if a.kind, err = kindNamed(v.Get("kind")); err != nil {
		return a, err
	}
	if a.step, err = time.ParseDuration(v.Get("step")); err != nil {
		return a, fmt.Errorf("step: %w", err)
	}
	a.limit, err = strconv.Atoi(v.Get("limit"))
	return a, err
}

func kindNamed(word string) (sundew.Kind, error) {
	if word == "" {
		return sundew.KindNone, nil
	}
	return sundew.ParseKind(word)
}

// queryFlags are the words of a call.
type queryFlags struct {
	storeFlags
	server          *string
	since, from, to *string
	step            *time.Duration
	kind            *string
	limit           *int
	asJSON, asCSV   *bool
	table           *string
}

func newQueryFlags(flags *flag.FlagSet) *queryFlags {
	return &queryFlags{
		storeFlags: newStoreFlags(flags),
		server:     flags.String("server", "", "`URL` of a sundew run to ask, instead of the configured one"),
		since:      flags.String("since", "", "this `time` or later: RFC 3339, or a duration ago such as 2h; by default 24h"),
		from:       flags.String("from", "", "the same as --since"),
		to:         flags.String("to", "", "before this `time`; by default now"),
		step:       flags.Duration("step", 0, "width of one row of overview; by default a hundredth of the range or less"),
		kind:       flags.String("kind", "", "entities of this `kind` only: ip, prefix, device, account, api_key, fingerprint or asn"),
		limit:      flags.Int("limit", 20, fmt.Sprintf("rows of each table, 1 to %d", store.MaxRows)),
		asJSON:     flags.Bool("json", false, "one JSON object per row"),
		asCSV:      flags.Bool("csv", false, "comma-separated values (RFC 4180)"),
		table:      flags.String("table", "", "only the table of this `name`, where the answer has several"),
	}
}

// asked understands the flags.
func (f *queryFlags) asked(now time.Time) (a asked, err error) {
	if *f.since != "" && *f.from != "" {
		return a, usageError{"--since and --from say the same: give one of them"}
	}
	start := max(*f.since, *f.from)
	if start == "" {
		start = "24h"
	}
	if a.From, err = momentOf("since", start, now); err != nil {
		return a, err
	}
	if a.To, err = momentOf("to", *f.to, now); err != nil {
		return a, err
	}
	if a.To.IsZero() {
		a.To = now
	}
	a.From, a.To = a.From.UTC(), a.To.UTC()
	switch {
	case !a.To.After(a.From):
		return a, usageError{fmt.Sprintf("the range ends at %s, before it starts at %s", a.To.Format(time.RFC3339), a.From.Format(time.RFC3339))}
	case *f.limit < 1 || *f.limit > store.MaxRows:
		return a, usageError{fmt.Sprintf("--limit is %d: want 1 to %d", *f.limit, store.MaxRows)}
	case *f.asJSON && *f.asCSV:
		return a, usageError{"--json and --csv exclude each other"}
	case *f.step < 0:
		return a, usageError{fmt.Sprintf("--step is %s: want a duration such as 5m", *f.step)}
	}
	if a.kind, err = kindNamed(*f.kind); err != nil {
		return a, usageError{"--kind: " + err.Error()}
	}
	a.limit, a.step = *f.limit, *f.step
	if a.step == 0 {
		a.step = roundStep(a.To.Sub(a.From))
	}
	return a, nil
}

// roundStep divides a range into at most some hundred steps of a usual length.
func roundStep(length time.Duration) time.Duration {
	usual := []time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}
	for _, step := range usual {
		if length <= 100*step {
			return step
		}
	}
	return (length / 100).Truncate(24*time.Hour) + 24*time.Hour
}

// run answers the question and prints the answer.
func (q question) run(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	f := newQueryFlags(flags)
	arguments := 0
	if q.args != "" {
		arguments = 1
	}
	words, err := parseFlags(flags, args, arguments, arguments)
	if err != nil {
		return err
	}
	a, err := f.asked(time.Now())
	if err != nil {
		return err
	}
	if arguments == 1 {
		a.argument = words[0]
	}
	tables, err := f.ask(ctx, q, a)
	if err != nil {
		return fmt.Errorf("query %s: %w", q.name, err)
	}
	if tables, err = chooseTable(tables, *f.table, *f.asCSV); err != nil {
		return err
	}
	return printTables(t, tables, *f.asJSON, *f.asCSV)
}

func chooseTable(tables []table, name string, single bool) ([]table, error) {
	names := make([]string, len(tables))
	for i := range tables {
		names[i] = tables[i].Name
	}
	if name == "" {
		if single && len(tables) > 1 {
			return nil, usageError{"--csv prints one table: choose with --table " + strings.Join(names, ", ")}
		}
		return tables, nil
	}
	i := slices.Index(names, name)
	if i < 0 {
		return nil, usageError{fmt.Sprintf("the answer has no table %q: want %s", name, strings.Join(names, ", "))}
	}
	return tables[i : i+1], nil
}

// ask opens the store, or asks the process that has it open.
func (f *queryFlags) ask(ctx context.Context, q question, a asked) ([]table, error) {
	c, err := f.load()
	if err != nil {
		return nil, err
	}
	if *f.server != "" {
		return askServer(ctx, *f.server, q, a)
	}
	if c.Store.ClickHouse.DSN != "" {
		base, err := c.console()
		if err != nil {
			return nil, err
		}
		return askServer(ctx, base, q, a)
	}
	d, err := store.OpenDuckDBReadOnly(ctx, c.Store.DuckDBConfig, quietLog())
	if errors.Is(err, store.ErrInUse) {
		base, unknown := c.console()
		if unknown != nil {
			return nil, fmt.Errorf("%w; %w", err, unknown)
		}
		return askServer(ctx, base, q, a)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }() // it only read
	return q.answer(ctx, d, a)
}
