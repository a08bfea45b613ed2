package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sundew"
	"sundew/ingest"
	"sundew/store"
)

// scriptStore is the command "store FILE LINES DECISIONS" of test scripts: it makes a store of canonical JSON lines, with
// an evaluation and a score for the address of each, and of decision records.
func scriptStore(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("want: store FILE LINES DECISIONS")
	}
	ctx := context.Background()
	d, err := store.OpenDuckDB(ctx, store.DuckDBConfig{Path: ts.MkAbs(args[0])}, quietLog())
	ts.Check(err)
	decoder, err := ingest.NewDecoder("json")
	ts.Check(err)
	var b sundew.Batch
	for line := range bytes.Lines([]byte(ts.ReadFile(args[1]))) {
		e := sundew.NewEvent()
		ts.Check(decoder.Decode(bytes.TrimSpace(line), &e))
		e.Offset = b.Position.Next
		b.Position.Next++
		b.Events = append(b.Events, e)
	}
	b.Labels = []sundew.Label{{Time: b.Events[0].Time, Entity: b.Events[0].AppendEntities(nil)[0], Verdict: sundew.VerdictAbuse, By: "jane"}}
	var scores []sundew.Score
	for i := range b.Events {
		e := &b.Events[i]
		s := sundew.Score{Time: e.Time, Entity: e.AppendEntities(nil)[0], Points: 50, Event: e}
		s.Features[sundew.Requests1m] = float64(i + 1)
		s.Evidence = []sundew.Evidence{{Channel: "outcome", Nats: 3, Sentence: "5 of 6 failed, 1 expected"}}
		scores = append(scores, s)
	}
	var decisions []sundew.Decision
	for line := range bytes.Lines([]byte(ts.ReadFile(args[2]))) {
		var made sundew.Decision
		ts.Check(json.Unmarshal(line, &made))
		decisions = append(decisions, made)
	}
	ts.Check(d.Record(ctx, b, scores, decisions))
	ts.Check(d.RecordEvaluations(ctx, store.EvaluationSampling{Rate: 1}.Sample(scores, nil)))
	ts.Check(d.RecordDeadLetters(ctx, []sundew.DeadLetter{{Time: b.Events[0].Time, Source: "shop", Reason: "timestamp missing", Line: "\x1b]0;x\a"}}))
	ts.Check(d.Close())
}

// queried runs sundew query and returns what it prints.
func queried(t *testing.T, code int, args ...string) (out, problems string) {
	t.Helper()
	var stdout, stderr strings.Builder
	if got := run(t.Context(), append([]string{"query"}, args...), terminal{strings.NewReader(""), &stdout, &stderr}); got != code {
		t.Fatalf("query %s: exit code %d, want %d: %s", strings.Join(args, " "), got, code, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// TestQueryAsksTheProcess asks while sundew run has the store open.
func TestQueryAsksTheProcess(t *testing.T) {
	dir := t.TempDir()
	p := startSundew(t, dir, embedded(dir))
	const client = "198.51.100.7"
	if ok, answer := p.post(t.Context(), bruteForce(40, client)); !ok {
		t.Fatalf("the listener says %s", answer)
	}
	config := "--config=" + filepath.Join(dir, "sundew.yaml")
	if _, problems := queried(t, exitFailed, "top", config); !strings.Contains(problems, "open already") || !strings.Contains(problems, "--server") {
		t.Errorf("without its address: %s", problems)
	}
	eventually(t, "the attacker is on top, by a decision", func() bool {
		out, _ := queried(t, exitDone, "top", config, "--server", p.base, "--kind=ip", "--json")
		return strings.Contains(out, `"entity":"ip:`+client+`"`) && !strings.Contains(out, `"decisions":0`)
	})
	eventually(t, "evaluations are sampled", func() bool {
		out, _ := queried(t, exitDone, "features", config, "--server", p.base, "--json", "ip")
		return strings.Contains(out, `"feature":"ip.auth_failures_10m"`)
	})
	if out, _ := queried(t, exitDone, "rule-versions", config, "--server", p.base, "--limit=1000", "--csv"); strings.Count(out, ",active,") < 3 {
		t.Errorf("the rules that run: %s", out)
	}
	if _, problems := queried(t, exitUsage, "entity", config, "--server", p.base, "nobody"); !strings.Contains(problems, "kind:key") {
		t.Errorf("a wrong entity, asked of the process: %s", problems)
	}
	if _, problems := queried(t, exitFailed, "decision", config, "--server", p.base, "none"); !strings.Contains(problems, "no decision") {
		t.Errorf("a decision that is not there: %s", problems)
	}
	erased := personDone(t, "erase", config, p.base)
	if !strings.Contains(erased, `"requests":40`) {
		t.Errorf("erased: %s", erased)
	}
	if left := personDone(t, "export", config, p.base); strings.Contains(left, `"kind":"request"`) {
		t.Errorf("what is left of who was erased: %s", left)
	}
	if _, problems := queried(t, exitFailed, "top", config, "--server", "http://127.0.0.1:1"); !strings.Contains(problems, "127.0.0.1:1") {
		t.Errorf("a server that is away: %s", problems)
	}
}

// personDone erases or exports the attacker of TestQueryAsksTheProcess through the process.
func personDone(t *testing.T, action, config, base string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	args := []string{"store", action, config, "--server", base, "--by", "jane", "ip:198.51.100.7"}
	if code := run(t.Context(), args, terminal{strings.NewReader(""), &stdout, &stderr}); code != exitDone {
		t.Fatalf("store %s: exit code %d: %s", action, code, stderr.String())
	}
	return stdout.String()
}

// TestOtherSitesMayNotErase sends what a page of another site could make a browser send.
func TestOtherSitesMayNotErase(t *testing.T) {
	d, err := store.OpenDuckDB(t.Context(), store.DuckDBConfig{}, quietLog())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	mux := http.NewServeMux()
	mux.Handle("POST "+personPath+"{action}", servePerson(d))
	tests := []struct {
		name, path, body, site string
		status                 int
	}{
		{"from a command line", "erase", `{"entity":"ip:192.0.2.1","by":"jane"}`, "", http.StatusOK},
		{"from another site", "erase", `{"entity":"ip:192.0.2.1","by":"jane"}`, "cross-site", http.StatusForbidden},
		{"no JSON", "erase", `entity=ip`, "", http.StatusBadRequest},
		{"no entity", "export", `{"entity":"192.0.2.1","by":"jane"}`, "", http.StatusBadRequest},
		{"no action", "forget", `{"entity":"ip:192.0.2.1","by":"jane"}`, "", http.StatusNotFound},
		{"too long", "erase", `{"entity":"` + strings.Repeat("a", 1<<13) + `"}`, "", http.StatusBadRequest},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, personPath+test.path, strings.NewReader(test.body))
			if test.site != "" {
				r.Header.Set("Sec-Fetch-Site", test.site)
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code != test.status {
				t.Errorf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
		})
	}
}

func TestConsoleAddress(t *testing.T) {
	tests := []struct{ listen, want string }{
		{"127.0.0.1:8080", "http://127.0.0.1:8080"},
		{":8080", "http://127.0.0.1:8080"},
		{"0.0.0.0:80", "http://127.0.0.1:80"},
		{"[::]:80", "http://127.0.0.1:80"},
		{"[2001:db8::1]:80", "http://[2001:db8::1]:80"},
		{"sundew.example:80", "http://sundew.example:80"},
		{"127.0.0.1:0", ""},
	}
	for _, test := range tests {
		c := Config{Listen: test.listen}
		got, err := c.console()
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v; want %q", test.listen, got, err, test.want)
		}
	}
}

func TestTerminalTextIsSpelledOut(t *testing.T) {
	tests := []struct{ text, want string }{
		{"plain é 👻", "plain é 👻"},
		{"\x1b[2J\a\r\n\t\x7f", `\x1b[2J\x07\x0d\x0a\x09\x7f`},
		{"\u009b31m\u202e\u2028\ufeff", `\u009b31m\u202e\u2028\ufeff`},
		{"\U000e0041", `\udb40\udc41`},
		{strings.Repeat("a", 100), strings.Repeat("a", widest) + "…"},
	}
	for _, test := range tests {
		if got := fit(test.text); got != test.want {
			t.Errorf("%q: got %s, want %s", test.text, got, test.want)
		}
		cell, err := json.Marshal(test.text)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal([]byte(spellJSON(cell)), &back); err != nil || back != test.text {
			t.Errorf("%q as JSON comes back as %q, %v", test.text, back, err)
		}
		if strings.ContainsAny(spellJSON(cell), "\u009b\u202e\u2028\x7f\x1b") {
			t.Errorf("%q as JSON has what a terminal obeys: %s", test.text, spellJSON(cell))
		}
	}
}
