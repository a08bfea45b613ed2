package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shortPack is the rules that come with the program, with decisions about addresses that last two seconds.
func shortPack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := filepath.Glob("../../rules/pack/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "ip-default.yaml" {
			text = []byte(shortPolicy)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const shortPolicy = `apiVersion: sundew/v1
kind: Policy
id: ip-default
title: Addresses
owner: sundew
description: Slows an address for two seconds.
entity: ip
combine: noisy_or
ladder:
  - { at: 50, do: tarpit, delay: { min: 500ms, per_point: 1ms, max: 600ms }, ttl: 2s }
min_evidence: { events: 3 }
`

// TestDrill runs the drill against a sundew and an edge over real sockets.
func TestDrill(t *testing.T) {
	dir := t.TempDir()
	p := startSundew(t, dir, embedded(dir)+fmt.Sprintf("rules: {dir: %s}\n", shortPack(t)))
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }))
	defer api.Close()
	var keys struct {
		PublicKeys []string `json:"public_keys"`
	}
	if err := json.Unmarshal(p.get(t, "/feed/v1/keys"), &keys); err != nil || len(keys.PublicKeys) != 1 {
		t.Fatalf("the feed has the keys %q, %v", keys.PublicKeys, err)
	}
	front := startEdge(t, "--upstream", api.URL, "--feed", p.base, "--trusted-proxies", "127.0.0.0/8", "--public-keys", keys.PublicKeys[0])

	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"drill", "--server", p.base, "--edge", front, "--json", "--release", "1m"}, terminal{nil, &out, &said}); code != exitDone {
		t.Fatalf("exit code %d: %s%s", code, out.String(), said.String())
	}
	var report drillReport
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	var hops []string
	at := 0.
	for _, h := range report.Hops {
		hops = append(hops, h.Hop)
		if h.Seconds < 0 || h.Hop != "acknowledged" && h.Seconds < at {
			t.Errorf("%s after %.3f s, the one before after %.3f s", h.Hop, h.Seconds, at)
		}
		at = h.Seconds
	}
	if want := []string{"served", "acknowledged", "listed", "enforced", "spared", "released"}; !report.Passed || !slices.Equal(hops, want) {
		t.Errorf("passed %v, hops %q, want %q", report.Passed, hops, want)
	}
	t.Log(out.String())

	// An edge that does not believe who the client is lets the offender through.
	deaf := startEdge(t, "--upstream", api.URL, "--feed", p.base)
	out.Reset()
	if code := run(t.Context(), []string{"drill", "--server", p.base, "--edge", deaf, "--timeout", "3s", "--release", "0"}, terminal{nil, &out, &said}); code != exitFailed || !strings.Contains(said.String(), "edge.proxy.trusted_proxies") {
		t.Errorf("exit code %d: %s%s", code, out.String(), said.String())
	}
	if !strings.Contains(out.String(), "listed") || strings.Contains(out.String(), "enforced") {
		t.Errorf("the table has the hops that were reached, and no others:\n%s", out.String())
	}
}

func TestDrillSaysWhatDoesNotAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	var said bytes.Buffer
	if code := run(ctx, []string{"drill", "--server", closed.URL, "--timeout", "500ms"}, terminal{nil, io.Discard, &said}); code != exitFailed || !strings.Contains(said.String(), "--key-file") {
		t.Errorf("exit code %d: %s", code, said.String())
	}
}

// startEdge runs an edge before an API and returns its URL.
func startEdge(t *testing.T, args ...string) string {
	t.Helper()
	address := freeAddress(t)
	runEdgeOn(t, address, "", append([]string{"--listen", address}, args...)...)
	return "http://" + address + "/"
}

// runEdgeOn runs sundew edge until the test ends or stop is called, and returns when the address answers.
func runEdgeOn(t *testing.T, address, configuration string, args ...string) (stop func()) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "edge.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "data_dir: %s\n%s", t.TempDir(), configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var said bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"edge", "--config", config}, args...), terminal{nil, io.Discard, &said})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-done; code != exitDone || t.Failed() {
			t.Logf("edge ended with %d: %s", code, said.String())
		}
	})
	t.Cleanup(stop)
	eventually(t, "the edge answers", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		return err == nil && conn.Close() == nil
	})
	return stop
}
