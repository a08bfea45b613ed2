package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sundew/rules"
)

// beSundew makes the test binary behave as sundew with its arguments, for tests that kill it.
const beSundew = "SUNDEW_TEST_BE_SUNDEW"

func TestMain(m *testing.M) {
	if os.Getenv(beSundew) != "" {
		main()
	}
	if dir := os.Getenv(beBroker); dir != "" {
		serveBroker(dir, os.Args[1])
	}
	testscript.Main(m, map[string]func(){
		"sundew": func() {
			os.Exit(run(context.Background(), os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr}))
		},
	})
}

// TestScripts plays sessions of the command line: what a person types and what they see.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, Deadline: time.Now().Add(3 * time.Minute),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"broker": scriptBroker, "store": scriptStore, "ingested": scriptIngested},
	})
}

// TestReadmeShowsARuleThatWorks lints and tests the example that newcomers copy.
func TestReadmeShowsARuleThatWorks(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(readme), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	_, name, _ := strings.Cut(example, "\nid: ")
	name, _, _ = strings.Cut(name, "\n")
	files := fstest.MapFS{name + ".yaml": {Data: []byte(example)}}
	set, err := rules.Load(files, "README.md")
	if err != nil {
		t.Fatal(err)
	}
	results := set.Test()
	if len(results) == 0 {
		t.Error("the example has no tests")
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: %s", r.Name, r.Detail)
		}
	}
}
