package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sundew"
	"sundew/store"
)

// process is a sundew that runs beside the test.
type process struct {
	*exec.Cmd
	base string // URL of its listener
	mu   sync.Mutex
	said strings.Builder
}

// startSundew runs `sundew run` on dir and waits until it has greeted.
func startSundew(t *testing.T, dir, configuration string) *process {
	t.Helper()
	config := filepath.Join(dir, "sundew.yaml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(self, "run", "--config", config)} //nolint:noctx // the test itself says when it ends
	p.Env = append(os.Environ(), beSundew+"=1")
	out, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
		if t.Failed() {
			t.Logf("sundew said:\n%s", p.text())
		}
	})
	up := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.said.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			if _, url, found := strings.Cut(lines.Text(), "console   "); found {
				up <- strings.TrimSuffix(strings.TrimSpace(url), "/")
			}
		}
		close(up)
	}()
	select {
	case base, ok := <-up:
		if !ok {
			t.Fatalf("sundew ended at its start:\n%s", p.text())
		}
		p.base = base
	case <-time.After(60 * time.Second):
		t.Fatalf("sundew is not up after a minute:\n%s", p.text())
	}
	return p
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func (p *process) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	err := p.Wait()
	if signal == syscall.SIGTERM && err != nil {
		t.Fatalf("a clean stop ended with %v:\n%s", err, p.text())
	}
}

// post sends lines and says whether they were acknowledged.
func (p *process) post(ctx context.Context, body string) (bool, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/ingest/v1/logs", strings.NewReader(body))
	if err != nil {
		return false, err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err.Error()
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return err == nil && response.StatusCode == http.StatusAccepted, string(answer)
}

func (p *process) get(t *testing.T, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v: %s", path, response.Status, err, body)
	}
	return body
}

// eventually polls until ok or a minute has passed.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// embedded is a configuration with a broker of its own.
func embedded(dir string) string {
	return fmt.Sprintf("data_dir: %s\nlisten: 127.0.0.1:0\nbroker: {port: 0}\n", filepath.Join(dir, "data"))
}

// configFor uses the broker that KAFKA_BROKERS names, or an embedded one.
func configFor(dir string) string {
	text := embedded(dir)
	if brokers := os.Getenv("KAFKA_BROKERS"); brokers != "" {
		text += fmt.Sprintf("kafka: {brokers: [%s]}\n", brokers)
	}
	return text
}

// bruteForce is n failing logins from one address, a second apart, ending now.
func bruteForce(n int, client string) string {
	var body bytes.Buffer
	for i := range n {
		at := time.Now().Add(time.Duration(i-n) * time.Second).UTC().Format(time.RFC3339Nano)
		fmt.Fprintf(&body, `{"timestamp":%q,"client.address":%q,"http.request.method":"POST","url.path":"/v1/login","http.response.status_code":401,"auth.outcome":"failure","auth.username":"u%d"}`+"\n", at, client, i)
	}
	return body.String()
}

// TestALogLinesWholeWay posts an attack and finds it in the feed, in CrowdSec's view, on the console, in the metrics and
// in the store; then it stops and starts again, and the list is still there.
func TestALogLinesWholeWay(t *testing.T) {
	dir := t.TempDir()
	p := startSundew(t, dir, configFor(dir))
	client := fmt.Sprintf("198.51.100.%d", 1+time.Now().UnixNano()%250) // a broker that is not ours may remember others

	if ok, answer := p.post(t.Context(), bruteForce(40, client)+"this is no log line\n"); !ok || !strings.Contains(answer, `"accepted":40`) || !strings.Contains(answer, `"rejected":1`) {
		t.Fatalf("the listener says %s", answer)
	}
	listed := func(p *process) func() bool {
		return func() bool { return bytes.Contains(p.get(t, "/feed/v1/snapshot.ndjson"), []byte(`"key":"`+client+`"`)) }
	}
	eventually(t, "the attacker is in the feed", listed(p))
	eventually(t, "CrowdSec's view has the attacker", func() bool {
		return bytes.Contains(p.get(t, "/v1/decisions?ip="+client), []byte(client))
	})
	var decision sundew.Decision
	eventually(t, "the console knows the decision and its requests", func() bool {
		var page struct{ Decisions []sundew.Decision }
		if err := json.Unmarshal(p.get(t, "/api/v1/decisions"), &page); err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Decisions {
			if d.Entity.Key == client && d.Action.Enforces() {
				decision = d
				return bytes.Contains(p.get(t, "/api/v1/decisions/"+d.ID), []byte("/v1/login"))
			}
		}
		return false
	})
	if len(decision.Evidence) == 0 || decision.Sentence == "" {
		t.Errorf("the decision does not say why: %+v", decision)
	}
	if metrics := p.get(t, "/metrics"); !bytes.Contains(metrics, []byte("sundew_decisions_total{")) {
		t.Error("/metrics does not count decisions")
	}
	eventually(t, "the unreadable line is a dead letter", func() bool {
		return bytes.Contains(p.get(t, "/api/v1/deadletters"), []byte("this is no log line"))
	})
	p.get(t, "/readyz")
	p.end(t, syscall.SIGTERM)

	again := startSundew(t, dir, configFor(dir))
	if !listed(again)() {
		t.Error("after a restart the first answer of the feed is without the attacker")
	}
	again.end(t, syscall.SIGTERM)
}

// openStore opens the store that a process has left.
func openStore(t *testing.T, path string) *store.DuckDB {
	t.Helper()
	c := store.DefaultDuckDBConfig()
	c.Path = path
	db, err := store.OpenDuckDB(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestStartUpErrorsNameTheRemedy(t *testing.T) {
	taken, err := listenOn(t.Context(), "listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()[strings.LastIndexByte(taken.Addr().String(), ':')+1:]
	tests := []struct{ name, configuration, want string }{
		{"port in use", "listen: 127.0.0.1:" + port, "is in use"},
		{"broker port in use", "listen: 127.0.0.1:0\nbroker: {port: " + port + "}", "set kafka.brokers"},
		{"broker that is not there", "listen: 127.0.0.1:0\nkafka: {brokers: [127.0.0.1:1]}", "127.0.0.1:1"},
		{"rules that are not there", "listen: 127.0.0.1:0\nrules: {dir: nowhere}", "nowhere"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			config := filepath.Join(dir, "c.yaml")
			if err := os.WriteFile(config, []byte("data_dir: "+dir+"/data\n"+test.configuration), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			code := run(ctx, []string{"run", "--config", config}, terminal{strings.NewReader(""), &out, &out})
			if code != exitFailed || !strings.Contains(out.String(), test.want) {
				t.Errorf("exit %d, said %q; want exit 1 and %q", code, out.String(), test.want)
			}
		})
	}
}
