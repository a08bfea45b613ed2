package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sundew"
	"sundew/store"
)

const nginxOverSyslog = `
daemon off;
pid %[1]s/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log syslog:server=%[2]s,facility=local7,tag=nginx combined;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    server {
        listen %[3]s;
        location / { return 200 "nginx"; }
    }
}
`

const haproxyOverSyslog = `
global
    log ring@sundew local0
ring sundew
    format rfc5424
    maxlen 8192
    size 1048576
    timeout connect 5s
    timeout server 10s
    server sundew %[2]s log-proto octet-count
defaults
    mode http
    log global
    option httplog
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend test
    bind %[3]s
    http-request return status 200 content-type text/plain string haproxy
`

// TestGatewaysLogBySyslog lets nginx (UDP) and HAProxy (TCP with octet counts) serve requests and log into a sundew that
// runs: every line is stored, once.
func TestGatewaysLogBySyslog(t *testing.T) {
	const requests = 300
	gateways := []struct {
		name, protocol, config string
		args                   func(config string) []string
	}{
		{"nginx", "udp", nginxOverSyslog, func(config string) []string { return []string{"-c", config} }},
		{"haproxy", "tcp", haproxyOverSyslog, func(config string) []string { return []string{"-db", "-f", config} }},
	}
	for _, g := range gateways {
		t.Run(g.name, func(t *testing.T) {
			program, err := exec.LookPath(g.name)
			if err != nil {
				t.Skipf("%s is not installed: apt-get install %[1]s", g.name)
			}
			dir := t.TempDir()
			p := startSundew(t, dir, embedded(dir)+fmt.Sprintf("ingest: {syslog: [{listen: \"%s://127.0.0.1:0\", name: gateway}]}\n", g.protocol))
			var syslog string
			eventually(t, "sundew says where it listens", func() bool {
				found := regexp.MustCompile(`syslog +\w+://(\S+)`).FindStringSubmatch(p.text())
				if found != nil {
					syslog = found[1]
				}
				return found != nil
			})
			address := freeAddress(t)
			config := filepath.Join(dir, g.name+".conf")
			if err := os.WriteFile(config, fmt.Appendf(nil, g.config, dir, syslog, address), 0o600); err != nil {
				t.Fatal(err)
			}
			startGateway(t, program, g.args(config))
			url := "http://" + address + "/" + g.name + "/"
			eventually(t, g.name+" answers", func() bool { _, err := fetch(t, url+"warm-up"); return err == nil })
			for i := range requests {
				if body, err := fetch(t, fmt.Sprint(url, "r", i)); err != nil || body != g.name {
					t.Fatalf("request %d: %q, %v", i, body, err)
				}
			}
			line := []byte(fmt.Sprintf(`sundew_ingest_syslog_lines_total{result="parsed",source="gateway"} %d`, requests+1))
			eventually(t, "all lines are acknowledged", func() bool { return strings.Contains(string(p.get(t, "/metrics")), string(line)) })
			p.end(t, syscall.SIGTERM)

			stored := storedPaths(t, filepath.Join(dir, "data", "store.duckdb"))
			for i := range requests {
				if n := stored[fmt.Sprintf("/%s/r%d", g.name, i)]; n != 1 {
					t.Errorf("request %d is stored %d times", i, n)
				}
			}
		})
	}
}

// freeAddress is a loopback address that nobody listened on a moment ago, for programs that cannot choose one.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startGateway(t *testing.T, program string, args []string) {
	t.Helper()
	var said strings.Builder
	gateway := exec.Command(program, args...) //nolint:noctx // the test itself says when it ends
	gateway.Env = append(os.Environ(), "TZ=UTC")
	gateway.Stdout, gateway.Stderr = &said, &said
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = gateway.Process.Signal(syscall.SIGTERM)
		_ = gateway.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, said.String())
		}
	})
}

func fetch(t *testing.T, url string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// storedPaths counts the requests of this machine by path.
func storedPaths(t *testing.T, path string) map[string]int {
	t.Helper()
	c := store.DefaultDuckDBConfig()
	c.Path = path
	db, err := store.OpenDuckDB(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	timeline, err := db.Timeline(t.Context(), sundew.Entity{Kind: sundew.KindIP, Key: "127.0.0.1"},
		sundew.Range{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]int{}
	for _, e := range timeline.Events {
		paths[e.Path]++
	}
	return paths
}
