package main

import (
	"context"
	"flag"
	"fmt"
	"os"

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
