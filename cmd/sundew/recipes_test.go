//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sundew"
	"sundew/edge"
)

// recipe is a gateway's configuration in deploy that asks sundew about each request.
type recipe struct {
	program string
	file    string // in deploy
	// prepare gets the file's text and a directory, writes what the program needs, and returns its arguments.
	prepare func(t *testing.T, text, dir string) []string
	edge    string // the flag of sundew edge that it asks at
	asks    string // the address in the file that it asks at
	config  string // of sundew edge
}

// TestGatewaysThatAsk runs the recipes with the real programs: who is listed waits or is refused, nobody else does, a
// change of the list holds without a reload, and everybody is served when sundew is gone.
func TestGatewaysThatAsk(t *testing.T) {
	for _, r := range []recipe{
		{program: "nginx", file: "nginx/auth-request.conf", prepare: prepareNginx, edge: "--auth-listen", asks: "127.0.0.1:8090"},
		{program: "caddy", file: "caddy/Caddyfile", prepare: func(t *testing.T, text, dir string) []string {
			t.Helper()
			return []string{"run", "--adapter", "caddyfile", "--config", written(t, dir, "Caddyfile", text)}
		}, edge: "--auth-listen", asks: "127.0.0.1:8090"},
		{program: "envoy", file: "envoy/envoy.yaml", prepare: func(t *testing.T, text, dir string) []string {
			t.Helper()
			return []string{"-c", written(t, dir, "envoy.yaml", text), "--log-level", "warn", "--base-id", fmt.Sprint(os.Getpid()), "--concurrency", "1"}
		}, edge: "--ext-authz-listen", asks: "port_value: 8091", config: "edge: {ext_authz: {fault_delay: true}}\n"},
	} {
		t.Run(r.program, func(t *testing.T) { r.try(t) })
	}
}

func (r recipe) try(t *testing.T) {
	program := gatewayNamed(t, r.program)
	text, err := os.ReadFile(filepath.Join("../../deploy", r.file))
	if err != nil {
		t.Fatal(err)
	}
	changes, feed := listOf(t, map[string]sundew.Action{"127.0.9.1": sundew.ActionTarpit, "127.0.9.4": sundew.ActionBlock})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer api.Close()
	asked, front := freeAddress(t), freeAddress(t)
	stop := runEdgeOn(t, asked, r.config, r.edge, asked, "--feed", feed, "--trusted-proxies", "127.0.0.1/32")

	config := strings.NewReplacer(
		r.asks, strings.Replace(r.asks, portOf(r.asks), portOf(asked), 1),
		"127.0.0.1:9080", api.Listener.Addr().String(), "port_value: 9080", "port_value: "+portOf(api.Listener.Addr().String()),
		"listen 8000", "listen "+front, "http://:8000", "http://"+front, "port_value: 8000", "port_value: "+portOf(front),
	).Replace(string(text))
	dir := t.TempDir()
	t.Setenv("HOME", dir) // Caddy writes there
	startGateway(t, program, r.prepare(t, config, dir))

	visit := func(client string) (int, time.Duration) { return visitFrom(t, client, "http://"+front+"/orders?id=7") }
	eventually(t, r.program+" answers, and follows the list", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", front)
		if err != nil {
			return false
		}
		_ = conn.Close()
		status, _ := visit("127.0.9.4")
		return status == http.StatusForbidden
	})
	const delay = 600 * time.Millisecond
	for _, tt := range []struct {
		story, client string
		status        int
		waits         bool
	}{
		{"nobody else waits", "127.0.9.2", http.StatusOK, false},
		{"who is tarpitted waits", "127.0.9.1", http.StatusOK, true},
		{"who is blocked is refused", "127.0.9.4", http.StatusForbidden, false},
	} {
		status, took := visit(tt.client)
		t.Logf("%s: %s: %d after %d ms", r.program, tt.story, status, took.Milliseconds())
		if status != tt.status || (took > delay*8/10) != tt.waits {
			t.Errorf("%s: %d after %s", tt.story, status, took)
		}
	}
	changes.Withdraw(sundew.Entity{Kind: sundew.KindIP, Key: "127.0.9.4"}, "test")
	eventually(t, "who left the list is served, without a reload", func() bool {
		status, _ := visit("127.0.9.4")
		return status == http.StatusOK
	})
	stop()
	if status, took := visit("127.0.9.1"); status != http.StatusOK || took > delay*8/10 {
		t.Errorf("without sundew: %d after %s, want to be served at once", status, took)
	}
}

// listOf serves a list of decisions on addresses, and returns it and its URL.
func listOf(t *testing.T, actions map[string]sundew.Action) (*edge.Log, string) {
	t.Helper()
	changes := edge.NewLog(edge.DefaultLogConfig(), nil)
	changes.MarkReady()
	now := time.Now()
	for address, action := range actions {
		d := sundew.Decision{
			Time: now, Entity: sundew.Entity{Kind: sundew.KindIP, Key: netip.MustParseAddr(address).String()}, Action: action,
			Rule: "test@1", Expires: now.Add(time.Hour), Version: 1,
		}
		if action == sundew.ActionTarpit {
			d.Delay = 600 * time.Millisecond
		}
		d.ID = sundew.DecisionID(d.Rule, d.Entity, d.Version)
		if err := changes.Publish(t.Context(), []sundew.Decision{d}); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(edge.NewFeed(edge.DefaultFeedConfig(), changes, nil, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	return changes, server.URL
}

// gatewayNamed returns the path of a program, and skips the test where it is not installed.
func gatewayNamed(t *testing.T, name string) string {
	t.Helper()
	fetched, _ := filepath.Glob("../../deploy/dev/.cache/" + name + "/" + name + "-*")
	for _, place := range append([]string{name, "/usr/sbin/" + name}, fetched...) {
		if path, err := exec.LookPath(place); err == nil {
			return path
		}
	}
	if os.Getenv("SUNDEW_NO_SKIP") != "" {
		t.Fatal(name + " is not installed")
	}
	t.Skip(name + " is not installed")
	return ""
}

// prepareNginx wraps a file of conf.d as Debian does.
func prepareNginx(t *testing.T, text, dir string) []string {
	t.Helper()
	written(t, dir, "site.conf", text)
	who := "user root root;\n"
	if os.Geteuid() != 0 {
		who = ""
	}
	written(t, dir, "nginx.conf", "daemon off;\n"+who+`pid nginx.pid;
error_log stderr;
events { worker_connections 256; }
http { access_log off; client_body_temp_path body; proxy_temp_path proxy; include site.conf; }
`)
	return []string{"-p", dir, "-c", "nginx.conf"}
}

func written(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// visitFrom asks from an address of this machine, over a connection of its own. Without an answer the status is 0.
func visitFrom(t *testing.T, client, url string) (status int, took time.Duration) {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0, time.Since(began)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode, time.Since(began)
}

func portOf(text string) string { return strings.TrimSpace(text[strings.LastIndexByte(text, ':')+1:]) }
