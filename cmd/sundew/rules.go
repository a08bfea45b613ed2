package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"sundew"
	"sundew/rules"
)

func runRulesLint(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	dirs, err := parseFlags(flags, args, 0, -1)
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		return lint(rules.Lint(rules.Starter(), "pack"), "the pack that comes with the program", t)
	}
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err != nil {
			return fmt.Errorf("rules: %w", err)
		} else if !info.IsDir() {
			return usageError{fmt.Sprintf("rules lint: %s is a file: name the directory it is in", dir)}
		}
		if err := lint(rules.Lint(os.DirFS(dir), dir), dir, t); err != nil {
			return err
		}
	}
	return nil
}

func lint(problems []rules.Problem, where string, t terminal) error {
	for _, p := range problems {
		fmt.Fprintln(t.err, p)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d problems in %s", len(problems), where)
	}
	fmt.Fprintf(t.out, "%s: no problems\n", where)
	return nil
}

func runRulesTest(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	dirs, err := parseFlags(flags, args, 0, -1)
	if err != nil {
		return err
	}
	if len(dirs) == 0 {
		dirs = []string{""}
	}
	passed, failed := 0, 0
	for _, dir := range dirs {
		set, err := loadRules(dir)
		if err != nil {
			return err
		}
		for _, r := range set.Test() {
			if r.Passed {
				passed++
				continue
			}
			failed++
			fmt.Fprintf(t.err, "%s:%d: %s: %s\n", r.Path, r.Line, r.Name, r.Detail)
		}
	}
	fmt.Fprintf(t.out, "%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return fmt.Errorf("%d tests of rules failed", failed)
	}
	return nil
}

func runRulesFeatures(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	word := flags.String("entity", "ip", "`kind` of entity that the rule is about")
	asJSON := flags.Bool("json", false, "JSON instead of a table")
	markdown := flags.Bool("markdown", false, "Markdown instead of a table")
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	kind, err := sundew.ParseKind(*word)
	if err != nil {
		return usageError{"rules features: " + err.Error()}
	}
	features, err := rules.Features(kind)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(t.out, features)
	}
	rows := [][]string{{"name", "type", "window", "unit", "default", "cost", "meaning"}}
	for _, f := range features {
		rows = append(rows, []string{f.Name, f.Type, f.Window, f.Unit, f.Default, fmt.Sprint(f.Cost), f.Help})
	}
	return printTable(t.out, rows, *markdown)
}

func runRulesCoverage(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	asJSON := flags.Bool("json", false, "JSON instead of a table")
	markdown := flags.Bool("markdown", false, "Markdown instead of a table")
	dirs, err := parseFlags(flags, args, 0, 1)
	if err != nil {
		return err
	}
	set, err := loadRules(strings.Join(dirs, ""))
	if err != nil {
		return err
	}
	coverage := set.Coverage()
	if *asJSON {
		return printJSON(t.out, coverage)
	}
	rows := [][]string{{"threat", "title", "visible", "not seen", "rules, with passed and failed tests"}}
	for _, c := range coverage {
		var by []string
		for _, r := range c.Rules {
			by = append(by, fmt.Sprintf("%s (%s, %d/%d)", r.ID, r.Status, r.Passed, r.Failed))
		}
		if len(by) == 0 {
			by = []string{"none"}
		}
		rows = append(rows, []string{c.ID, c.Title, c.Grade, c.Blind, strings.Join(by, ", ")})
	}
	return printTable(t.out, rows, *markdown)
}

func runRulesSchema(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	_, err := t.out.Write(rules.Schema())
	return err
}

func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// printTable writes rows of equal length, the first of them the head, in columns or in Markdown's notation.
func printTable(out io.Writer, rows [][]string, markdown bool) error {
	if markdown {
		head := strings.Repeat("|---", len(rows[0])) + "|"
		var text strings.Builder
		for i, row := range rows {
			fmt.Fprintf(&text, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				text.WriteString(head + "\n")
			}
		}
		_, err := io.WriteString(out, text.String())
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
