package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
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
)

const nginxOverSyslog = `
daemon off;
pid DIR/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log syslog:server=SYSLOG,facility=local7,tag=nginx combined;
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

const haproxyOverSyslog = `
global
    log ring@sundew local0
ring sundew
    format rfc5424
    maxlen 8192
    size 1048576
    timeout connect 5s
    timeout server 10s
    server sundew SYSLOG OPTIONS log-proto octet-count
defaults
    mode http
    log global
    option httplog
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend test
    bind ADDRESS
    http-request return status 200 content-type text/plain string haproxy
`

// TestGatewaysLogBySyslog lets nginx (UDP) and HAProxy (octet counts over TCP, and over TLS with certificates on both sides)
// serve requests and log into a sundew that runs: every line is stored, once.
func TestGatewaysLogBySyslog(t *testing.T) {
	const requests = 300
	tls := t.TempDir()
	writeCertificate(t, tls)
	gateways := []struct {
		name, config   string
		args           []string
		listen, server string // settings of sundew's side and of HAProxy's
	}{
		{"nginx", nginxOverSyslog, []string{"-c"}, `listen: "udp://127.0.0.1:0"`, ""},
		{"haproxy", haproxyOverSyslog, []string{"-db", "-f"}, `listen: "tcp://127.0.0.1:0"`, ""},
		{
			"haproxy", haproxyOverSyslog,
			[]string{"-db", "-f"},
			fmt.Sprintf(`listen: "tls://127.0.0.1:0", cert_file: %[1]s/cert.pem, key_file: %[1]s/both.pem, client_ca_file: %[1]s/cert.pem`, tls),
			fmt.Sprintf("ssl verify required ca-file %[1]s/cert.pem crt %[1]s/both.pem", tls),
		},
	}
	for _, g := range gateways {
		t.Run(g.name+", "+g.listen[9:12], func(t *testing.T) {
			program, err := exec.LookPath(g.name)
			if err != nil {
				t.Skipf("%s is not installed: apt-get install %[1]s", g.name)
			}
			dir := t.TempDir()
			p := startSundew(t, dir, embedded(dir)+"ingest: {syslog: [{name: gateway, "+g.listen+"}]}\n")
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
			if err := os.WriteFile(config, []byte(strings.NewReplacer("DIR", dir, "SYSLOG", syslog, "ADDRESS", address, "OPTIONS", g.server).Replace(g.config)), 0o600); err != nil {
				t.Fatal(err)
			}
			startGateway(t, program, append(g.args, config))
			url := "http://" + address + "/" + g.name + "/"
			eventually(t, g.name+" answers", func() bool { _, err := fetch(t, url+"warm-up"); return err == nil })
			for i := range requests {
				if body, err := fetch(t, fmt.Sprint(url, "r", i)); err != nil || body != g.name {
					t.Fatalf("request %d: %q, %v", i, body, err)
				}
			}
			for what, metric := range map[string]string{
				"all lines are acknowledged": `sundew_ingest_syslog_lines_total{result="parsed",source="gateway"}`,
				"the store has caught up":    `sundew_store_rows_total{table="events"}`,
			} {
				line := fmt.Sprintf("%s %d\n", metric, requests+1)
				eventually(t, what, func() bool { return strings.Contains(string(p.get(t, "/metrics")), line) })
			}
			p.end(t, syscall.SIGTERM)
			expectAgreement(t, dir)

			stored := storedPaths(t, filepath.Join(dir, "data", "store.duckdb"))
			for i := range requests {
				if n := stored[fmt.Sprintf("/%s/r%d", g.name, i)]; n != 1 {
					t.Errorf("request %d is stored %d times", i, n)
				}
			}
		})
	}
}

// writeCertificate writes cert.pem, a certificate for 127.0.0.1 that signs itself, and both.pem, the same with its key.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	both := append(bytes.Clone(cert), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	for name, content := range map[string][]byte{"cert.pem": cert, "both.pem": both} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
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
	db := openStore(t, path)
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
