package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// beSundew makes the test binary behave as sundew with its arguments, for tests that kill it.
const beSundew = "SUNDEW_TEST_BE_SUNDEW"

func TestMain(m *testing.M) {
	if os.Getenv(beSundew) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){
		"sundew": func() {
			os.Exit(run(context.Background(), os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr}))
		},
	})
}

// TestScripts plays sessions of the command line: what a person types and what they see.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true})
}
