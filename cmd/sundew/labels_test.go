package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReplayLearnsFromLabels replays three days of an address that guesses passwords, with and without the word of an
// analyst on the first.
func TestReplayLearnsFromLabels(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	start := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	for day := range 3 {
		for i := range 200 {
			at := start.AddDate(0, 0, day).Add(time.Duration(i) * time.Minute)
			client, status := "198.51.100.9", 200
			if i%8 == 0 {
				client, status = "192.0.2.7", 401
			}
			fmt.Fprintf(&log, `{"time":%q,"client.address":%q,"http.request.method":"POST","url.path":"/login","http.response.status_code":%d}`+"\n",
				at.Format(time.RFC3339), client, status)
		}
	}
	label := `{"time":"2026-01-05T20:00:00Z","entity":{"kind":"ip","key":"192.0.2.7"},"verdict":"abuse","by":"jane"}` + "\n"
	for name, text := range map[string]string{"log": log.String(), "labels": label} {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replay := func(args ...string) (first, later string) {
		var out, progress strings.Builder
		args = append([]string{"replay", "--scores", file("scores")}, args...)
		if code := run(context.Background(), append(args, file("log")), terminal{strings.NewReader(""), &out, &progress}); code != 0 {
			t.Fatalf("exit %d: %s", code, progress.String())
		}
		scores, err := os.ReadFile(file("scores"))
		if err != nil {
			t.Fatal(err)
		}
		before, after, found := strings.Cut(string(scores), `"2026-01-06T`)
		if !found {
			t.Fatalf("no scores of the second day: %s", scores)
		}
		return before, after
	}
	first, later := replay()
	labelledFirst, labelledLater := replay("--labels", file("labels"))
	if labelledFirst != first {
		t.Error("the label changed scores from before it")
	}
	if labelledLater == later {
		t.Error("the label changed nothing")
	}
}
