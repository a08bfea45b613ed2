// Command sundew finds the abusers of an API by how they behave, slows them down, and tells the edges.
//
// One binary holds every role; `sundew help` lists them. This package is the only place that joins the rooms: it reads
// flags, files and the environment, and hands each room what it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// Exit codes of the contract.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// terminal is where a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// command is one word after sundew.
type command struct {
	name    string
	args    string // what follows the flags, for the help
	summary string
	run     func(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error
}

// commands in the order of the help: from the whole to its parts.
func commands() []command {
	return slices.Concat([]command{
		{"run", "", "everything in one process: broker, store, scoring, rules, feed and console", runRun},
		{"record", "", "copy the log to a ClickHouse, in a process of its own", runRecord},
		{"replay", "FILE...", "score log files offline and write the decisions", runReplay},
		{"parse", "FILE...", "print each log line as a canonical JSON event", runParse},
		{"dead-letters list", "", "show the lines that could not be read, and why", runDeadLettersList},
		{"dead-letters replay", "", "read them again after a fix; what can be read goes into the log", runDeadLettersReplay},
	}, queryCommands(), []command{
		{"verify", "", "compare the log with the store: nothing lost, nothing counted twice", runVerify},
		{"store check", "", "schema, rows, gaps and audit of the store", runStoreCheck},
		{"store migrate", "", "bring the schema of the store up to date", runStoreMigrate},
		{"store retention", "", "remove now what is older than the configured retention", runStoreRetention},
		{"store erase", "KIND:KEY", "remove what is stored of one person or client", runStoreErase},
		{"store export", "KIND:KEY", "print what is stored of one person or client, as JSON lines", runStoreExport},
		{"store audit", "", "print who erased and exported", runStoreAudit},
		{"edge", "", "enforce beside the API: a reverse proxy that follows the feed", runEdge},
		{"decide", "ACTION ENTITY", "decide about somebody by hand: tarpit, challenge, block or release", runDecide},
		{"drill", "", "drive a made-up offender through ingest, scoring, feed and edge, and time each hop", runDrill},
		{"simulate", "", "write labelled traffic with attacks whose truth is known", runSimulate},
		{"bench quality", "", "measure detection and false positives on simulated traffic", runBenchQuality},
		{"rules lint", "DIR...", "check rule files", runRulesLint},
		{"rules test", "DIR...", "run the tests inside rule files", runRulesTest},
		{"rules backtest", "RULE FILE...", "replay logs and say what a rule would have done, and to whom", runRulesBacktest},
		{"rules promote", "RULE", "change the status of a rule, if nothing speaks against it", runRulesPromote},
		{"rules history", "RULE", "list the versions of a rule: who, when, why", runRulesHistory},
		{"rules diff", "RULE VERSION [VERSION]", "compare versions of a rule, or one with the file as it is", runRulesDiff},
		{"rules restore", "RULE VERSION", "make a draft of an earlier version", runRulesRestore},
		{"rules features", "", "list what conditions may ask for: type, window, unit, default, cost", runRulesFeatures},
		{"rules coverage", "[DIR]", "list which OWASP threats the rules are about", runRulesCoverage},
		{"rules schema", "", "print the JSON Schema of rule files, for editors", runRulesSchema},
		{"config", "", "print the configuration in force", runConfig},
		{"version", "", "print the version", runVersion},
	})
}

// run finds the command and returns its exit code. Errors go to t.err in one piece.
func run(ctx context.Context, args []string, t terminal) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		return help(t, args)
	}
	c, rest, err := find(args)
	if err == nil {
		err = c.start(ctx, rest, t)
	}
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(t.err, "sundew: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(t.err, "sundew: %v\n", err)
		return exitFailed
	}
}

func (c command) start(ctx context.Context, args []string, t terminal) error {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(t.err)
	flags.Usage = func() {
		fmt.Fprintf(t.err, "sundew %s: %s\n\nUsage: sundew %s [flags] %s\n", c.name, c.summary, c.name, c.args)
		flags.PrintDefaults()
	}
	return c.run(ctx, flags, args, t)
}

// find takes the one or two words of a command off the front of args.
func find(args []string) (c command, rest []string, err error) {
	for _, c := range commands() {
		switch {
		case c.name == args[0]:
			return c, args[1:], nil
		case len(args) > 1 && c.name == args[0]+" "+args[1]:
			return c, args[2:], nil
		}
	}
	if words := secondWords(args[0]); words != "" {
		return c, nil, usageError{fmt.Sprintf("%s: want %s, see sundew help", args[0], words)}
	}
	return c, nil, usageError{fmt.Sprintf("unknown command %q: sundew help lists them", args[0])}
}

// secondWords lists those that may follow the first of a command: "lint, test or backtest".
func secondWords(first string) string {
	var words []string
	for _, c := range commands() {
		if second, found := strings.CutPrefix(c.name, first+" "); found {
			words = append(words, second)
		}
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func help(t terminal, args []string) int {
	if len(args) > 1 {
		if c, _, err := find(args[1:]); err == nil {
			_ = c.start(context.Background(), []string{"-h"}, t)
			return exitDone
		}
	}
	fmt.Fprint(t.out, `sundew finds the abusers of an API by how they behave, slows them down before it shuts them
out, and leaves everyone else alone.

Usage: sundew COMMAND [flags] [arguments]

`)
	for _, c := range commands() {
		fmt.Fprintf(t.out, "  %-19s %s\n", c.name, c.summary)
	}
	fmt.Fprint(t.out, `
Start with:   sundew run --demo            then open http://127.0.0.1:8080/
Your own log: sundew replay --decisions out.ndjson access.log
More:         sundew help COMMAND
`)
	if len(args) == 0 {
		return exitUsage
	}
	return exitDone
}

// usageError is a mistake in the words of a call; it ends with exit code 2.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// parseFlags reads flags and says how many arguments may follow; most < 0 means any number.
func parseFlags(flags *flag.FlagSet, args []string, least, most int) ([]string, error) {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{err.Error()}
	}
	switch n := flags.NArg(); {
	case n < least:
		return nil, usageError{fmt.Sprintf("%s: an argument is missing, see sundew help %[1]s", flags.Name())}
	case most >= 0 && n > most:
		return nil, usageError{fmt.Sprintf("%s: unexpected argument %q, see sundew help %[1]s", flags.Name(), flags.Arg(most))}
	}
	return flags.Args(), nil
}
