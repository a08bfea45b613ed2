//go:build unix

package edge

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sundew"
)

// TestCustomBouncer runs CrowdSec's own client against the view: what it is told, it hands to a hook.
func TestCustomBouncer(t *testing.T) {
	binary := program(t, "crowdsec-custom-bouncer")
	l := NewLog(DefaultLogConfig(), nil)
	l.MarkReady()
	running, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(running) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	server := newCrowdSecServer(t, l, Key{Name: "a", Hash: hashOf("one")})
	now := time.Now()
	publish(t, l, decision(t, "ip:127.0.9.1", sundew.ActionBlock, "scan", from(now), lasting(time.Hour)))

	told := startBouncer(t, binary, server.URL)
	told("add 127.0.9.1 3600 scan")

	publish(t, l, decision(t, "ip:127.0.9.2", sundew.ActionBlock, "stuffing", from(time.Now()), lasting(3*time.Second)))
	told("add 127.0.9.2 ") // 2 or 3 seconds, by when it polls
	told("del 127.0.9.2 ")

	l.Withdraw(sundew.Entity{Kind: sundew.KindIP, Key: "127.0.9.1"}, "scan")
	told("del 127.0.9.1 ")
}

// program returns the path of a program that the test drives, and skips the test where it is not installed.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SUNDEW_NO_SKIP") != "" {
			t.Fatal(name + " is not installed")
		}
		t.Skip(name + " is not installed")
	}
	return path
}

// startBouncer returns a function that waits for the hook's next call and checks how it begins.
func startBouncer(t *testing.T, binary, url string) (told func(want string)) {
	t.Helper()
	dir := t.TempDir()
	pipe, hook, config := filepath.Join(dir, "calls"), filepath.Join(dir, "hook.sh"), filepath.Join(dir, "custom.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	writeFile(t, hook, fmt.Sprintf("#!/bin/sh\necho \"$1 $2 $3 $4\" > %s\n", pipe), 0o700)
	writeFile(t, config, fmt.Sprintf("{bin_path: %q, feed_via_stdin: false, update_frequency: 1s, cache_retention_duration: 10s, piddir: %q, "+
		"daemonize: false, log_mode: stdout, log_level: info, api_url: %q, api_key: one}\n", hook, dir+"/", url+"/"), 0o600)

	calls, err := os.OpenFile(pipe, os.O_RDWR|syscall.O_NONBLOCK, 0) // for writing too, so that it never ends
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = calls.Close() })
	cmd := exec.CommandContext(t.Context(), binary, "-c", config)
	output := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("the bouncer said:\n%s", output)
		}
	})
	lines := bufio.NewScanner(calls)
	return func(want string) {
		t.Helper()
		if err := calls.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
			t.Fatalf("the hook got %q (%v), want %q", lines.Text(), lines.Err(), want)
		}
	}
}

func writeFile(t testing.TB, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
