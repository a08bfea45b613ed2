// Package clickhousetest runs the engine of ClickHouse for tests, as a process of its own that a test may kill.
package clickhousetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Server is the program of deploy/dev/clickhouse at work. It ends with the process that started it.
type Server struct {
	URL string // http://host:port

	command *exec.Cmd
	stdin   io.Closer // its end is the server's
}

// Start serves a directory, "" for a temporary one, on an address; port 0 means any. A test without the library of the
// engine is skipped, or fails where SUNDEW_NO_SKIP is set.
func Start(t testing.TB, dir, listen string) *Server {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	library := library(t, root)
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(context.Background(), program, "--library", library, "--dir", dir, "--listen", listen, "--until-eof")
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server of ClickHouse did not start: %v", err)
	}
	return &Server{strings.TrimSpace(url), command, stdin}
}

// Kill ends the server as a loss of power does for what was not handed to the operating system.
func (s *Server) Kill() {
	_ = s.command.Process.Kill()
	_ = s.command.Wait() // it was killed
}

func cache(root string) string { return filepath.Join(root, "deploy", "dev", ".cache", "clickhouse") }

func library(t testing.TB, root string) string {
	t.Helper()
	if path := os.Getenv("LIBCHDB"); path != "" {
		return path
	}
	found, err := filepath.Glob(filepath.Join(cache(root), "libchdb-*.so"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		const missing = "libchdb, the engine of ClickHouse, is missing: deploy/dev/clickhouse.sh fetch"
		if os.Getenv("SUNDEW_NO_SKIP") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return found[len(found)-1]
}

// moduleRoot is the folder of go.mod.
var moduleRoot = sync.OnceValues(func() (string, error) {
	out, err := exec.CommandContext(context.Background(), "go", "env", "GOMOD").Output()
	return filepath.Dir(strings.TrimSpace(string(out))), err
})

// build makes the program once per process. Tests of other packages may run the one before.
var build = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache(root), "server")
	fresh := fmt.Sprint(program, ".", os.Getpid())
	command := exec.CommandContext(context.Background(), "go", "build", "-o", fresh, "./deploy/dev/clickhouse")
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build deploy/dev/clickhouse: %w\n%s", err, out)
	}
	return program, os.Rename(fresh, program)
})
