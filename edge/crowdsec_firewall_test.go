//go:build linux

package edge

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sundew"
)

// insideNamespace is set for the copy of the test that runs in a network namespace of its own.
const insideNamespace = "SUNDEW_TEST_NAMESPACE"

// TestFirewallBouncer runs CrowdSec's firewall bouncer in its ipset mode against the view, in a network namespace: who is
// blocked gets no connection, and gets one again when the decision has ended or was withdrawn.
func TestFirewallBouncer(t *testing.T) {
	if os.Getenv(insideNamespace) == "" {
		for _, name := range []string{"crowdsec-firewall-bouncer", "ipset", "iptables", "ip", "unshare"} {
			program(t, name)
		}
		inner := exec.CommandContext(t.Context(), "unshare", "--net", "--map-root-user", "sh", "-ec",
			`ip link set lo up
ipset create crowdsec-blacklists hash:net timeout 300
ipset create crowdsec6-blacklists hash:net family inet6 timeout 300
iptables -A INPUT -m set --match-set crowdsec-blacklists src -j DROP
exec "$0" -test.run '^TestFirewallBouncer$' -test.v -test.count=1`, os.Args[0])
		inner.Env = append(os.Environ(), insideNamespace+"=1")
		out, err := inner.CombinedOutput()
		t.Logf("%s", out)
		if err != nil || !strings.Contains(string(out), "--- PASS: TestFirewallBouncer") {
			t.Errorf("in the namespace: %v", err)
		}
		return
	}
	l := NewLog(DefaultLogConfig(), nil)
	l.MarkReady()
	running, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(running) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	api := httptest.NewServer(hello)
	defer api.Close()
	publish(t, l,
		decision(t, "ip:127.0.9.1", sundew.ActionBlock, "scan", from(time.Now()), lasting(time.Hour)),
		decision(t, "prefix:127.0.10.0/24", sundew.ActionBlock, "scan", from(time.Now()), lasting(time.Hour)),
	)
	startFirewallBouncer(t, newCrowdSecServer(t, l, Key{Name: "a", Hash: hashOf("one")}).URL)

	connects := func(client string) bool {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}
		conn, err := dialer.DialContext(ctx, "tcp", api.Listener.Addr().String())
		return err == nil && conn.Close() == nil
	}
	becomes := func(story, client string, want bool) {
		t.Helper()
		began := time.Now()
		for connects(client) != want {
			if time.Since(began) > 30*time.Second {
				t.Fatalf("%s: not within 30 s", story)
			}
		}
		t.Logf("%s: after %d ms", story, time.Since(began).Milliseconds())
	}
	becomes("who is blocked gets no connection", "127.0.9.1", false)
	becomes("nobody of a blocked network does", "127.0.10.7", false)
	if !connects("127.0.9.2") {
		t.Error("who is not on the list gets no connection")
	}
	publish(t, l, decision(t, "ip:127.0.9.3", sundew.ActionBlock, "stuffing", from(time.Now()), lasting(4*time.Second)))
	becomes("a block is added", "127.0.9.3", false)
	becomes("and ends by itself", "127.0.9.3", true)
	l.Withdraw(sundew.Entity{Kind: sundew.KindIP, Key: "127.0.9.1"}, "scan")
	becomes("a block that is withdrawn ends", "127.0.9.1", true)
	if connects("127.0.10.7") {
		t.Error("the network is not blocked any more")
	}
}

func startFirewallBouncer(t *testing.T, url string) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "firewall.yaml")
	writeFile(t, config, fmt.Sprintf(`{mode: ipset, pid_dir: %s/, update_frequency: 1s, daemonize: false, log_mode: stdout, log_level: info,
 api_url: "%s/", api_key: one, disable_ipv6: false, deny_action: DROP, supported_decisions_types: [ban],
 blacklists_ipv4: crowdsec-blacklists, blacklists_ipv6: crowdsec6-blacklists, ipset_type: nethash}
`, dir, url), 0o600)
	var said strings.Builder
	bouncer := exec.Command("crowdsec-firewall-bouncer", "-c", config) //nolint:noctx // ended below
	bouncer.Stdout, bouncer.Stderr = &said, &said
	if err := bouncer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bouncer.Process.Kill()
		_ = bouncer.Wait()
		if t.Failed() {
			t.Logf("the bouncer said:\n%s", said.String())
		}
	})
}
