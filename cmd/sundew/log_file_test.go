package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const nginxToAFile = `
daemon off;
pid DIR/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log DIR/access.log combined;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    server {
        listen ADDRESS;
        location / { return 200 "nginx"; }
    }
}
`

// TestALogFileThatIsRotated lets nginx write to a file that deploy/ship-log.sh carries to a sundew that runs, and rotates it
// twice as logrotate does while requests are served: every line is stored, once.
func TestALogFileThatIsRotated(t *testing.T) {
	for _, program := range []string{"nginx", "bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: apt-get install %[1]s", program)
		}
	}
	dir := t.TempDir()
	p := startSundew(t, dir, embedded(dir))
	address := freeAddress(t)
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(strings.NewReplacer("DIR", dir, "ADDRESS", address).Replace(nginxToAFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	startGateway(t, "nginx", []string{"-c", config})
	url := "http://" + address + "/nginx/"
	eventually(t, "nginx answers", func() bool { _, err := fetch(t, url+"warm-up"); return err == nil })
	log := filepath.Join(dir, "access.log")
	startGateway(t, "bash", []string{"../../deploy/ship-log.sh", p.base + "/ingest/v1/logs", log, filepath.Join(dir, "shipped")})

	served := serveUntil(t, url)
	for n := range 2 {
		before := served.n.Load()
		eventually(t, "lines of this file are stored", func() bool { return storedRows(t, p) > before })
		rotate(t, dir, log, fmt.Sprint(log, ".", 2-n))
		before = served.n.Load()
		eventually(t, "lines of the next file are stored", func() bool { return storedRows(t, p) > before+10 })
	}
	requests := served.stop()
	t.Logf("%d requests, two rotations", requests)
	eventually(t, "the store has caught up", func() bool { return storedRows(t, p) >= requests+1 }) // and the warm-up
	p.end(t, syscall.SIGTERM)
	expectAgreement(t, dir)

	stored := storedPaths(t, filepath.Join(dir, "data", "store.duckdb"))
	for i := range requests {
		if n := stored[fmt.Sprintf("/nginx/r%d", i)]; n != 1 {
			t.Errorf("request %d of %d is stored %d times", i, requests, n)
		}
	}
}

// traffic is requests one after the other, r0, r1 and so on.
type traffic struct {
	n       atomic.Int64 // that were answered
	quit    chan struct{}
	stopped chan struct{}
}

// The pace of traffic, and an end to it: the store's answer below holds a thousand requests.
const (
	trafficPace = 20 * time.Millisecond
	maxTraffic  = 950
)

func serveUntil(t *testing.T, url string) *traffic {
	t.Helper()
	s := &traffic{quit: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(s.stopped)
		pace := time.NewTicker(trafficPace)
		defer pace.Stop()
		for i := range maxTraffic {
			select {
			case <-s.quit:
				return
			case <-pace.C:
			}
			if _, err := fetch(t, fmt.Sprint(url, "r", i)); err != nil {
				t.Errorf("request %d: %v", i, err)
				return
			}
			s.n.Add(1)
		}
		<-s.quit
	}()
	return s
}

// stop returns how many requests there were.
func (s *traffic) stop() int64 {
	close(s.quit)
	<-s.stopped
	return s.n.Load()
}

// rotate renames the log and lets nginx open a new one, as logrotate's usual configuration does.
func rotate(t *testing.T, dir, log, old string) {
	t.Helper()
	if err := os.Rename(log, old); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "nginx.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nginx has a new log", func() bool { _, err := os.Stat(log); return err == nil })
}

var eventRows = regexp.MustCompile(`sundew_store_rows_total\{table="events"\} (\S+)`)

func storedRows(t *testing.T, p *process) int64 {
	t.Helper()
	found := eventRows.FindSubmatch(p.get(t, "/metrics"))
	if found == nil {
		return 0
	}
	rows, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(rows)
}
