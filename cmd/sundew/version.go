package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of the sources; the build adds the revision.
const release = "0.1.0"

func runVersion(_ context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	if _, err := parseFlags(flags, args, 0, 0); err != nil {
		return err
	}
	fmt.Fprintln(t.out, "sundew", version(), runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH)
	return nil
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + "+" + s.Value[:12]
		}
	}
	return release
}
