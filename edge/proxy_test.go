package edge

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

// now0 is how long decisions run from the real present, for tests over real sockets.
func now0(d *sundew.Decision) { d.Time, d.Expires = time.Now(), time.Now().Add(time.Hour) }

// A gateway is a proxy on a socket, what it stands in front of, and what it has shipped.
type gateway struct {
	*httptest.Server
	shipped chan sundew.Event
}

func newGateway(t testing.TB, upstream http.Handler, change func(*ProxyConfig), ds ...sundew.Decision) *gateway {
	t.Helper()
	api := httptest.NewServer(upstream)
	t.Cleanup(api.Close)
	g := &gateway{shipped: make(chan sundew.Event, 100)}
	table := NewTable()
	table.Replace(sundew.Blocklist{Decisions: ds}, nil)
	c := DefaultProxyConfig()
	c.Upstream = api.URL
	c.TrustedProxies = []string{"127.0.0.0/8"}
	c.AccountHeader, c.APIKeyHeader = "X-Account", "X-Key-Id"
	if change != nil {
		change(&c)
	}
	gate, err := NewGate(c.GateConfig, table, nil, func(e sundew.Event) { g.shipped <- e })
	if err != nil {
		t.Fatal(err)
	}
	handler, err := NewProxy(c.Upstream, gate, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	g.Server = httptest.NewServer(handler)
	t.Cleanup(g.Close)
	return g
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func TestProxy(t *testing.T) {
	slow := delayed(20 * time.Millisecond)
	decisions := []sundew.Decision{
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "secret-rule", now0),
		decision(t, "ip:192.0.2.2", sundew.ActionChallenge, "secret-rule", now0),
		decision(t, "ip:192.0.2.3", sundew.ActionTarpit, "secret-rule", now0, slow),
		decision(t, "device:d1", sundew.ActionBlock, "secret-rule", now0),
		decision(t, "account:a1", sundew.ActionBlock, "secret-rule", now0),
		decision(t, "api_key:k1", sundew.ActionBlock, "secret-rule", now0),
	}
	dry := func(c *ProxyConfig) { c.DryRun = true }
	keys := filepath.Join(t.TempDir(), "keys")
	secret := "2026-01-01 " + strings.Repeat("5f", 32)
	if err := os.WriteFile(keys, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := sundew.ParsePseudonyms(secret)
	if err != nil {
		t.Fatal(err)
	}
	decisions = append(decisions, decision(t, "account:"+names.Name("a2", time.Now()), sundew.ActionBlock, "secret-rule", now0))
	hidden := func(c *ProxyConfig) { c.PseudonymKeyFile = keys }
	tests := []struct {
		story   string
		change  func(*ProxyConfig)
		headers []string
		path    string
		status  int
		body    string // part of it
		action  sundew.Action
	}{
		{"anybody else is served", nil, []string{"X-Forwarded-For", "192.0.2.9"}, "/", http.StatusOK, "hello", sundew.ActionNone},
		{"a block", nil, []string{"X-Forwarded-For", "192.0.2.1"}, "/", http.StatusForbidden, "urn:sundew:blocked", sundew.ActionBlock},
		{"a challenge", nil, []string{"X-Forwarded-For", "192.0.2.2"}, "/", http.StatusForbidden, "urn:sundew:challenge", sundew.ActionChallenge},
		{"a tarpit serves", nil, []string{"X-Forwarded-For", "192.0.2.3"}, "/", http.StatusOK, "hello", sundew.ActionTarpit},
		{"a device", nil, []string{"X-Device-Guid", "d1"}, "/", http.StatusForbidden, "", sundew.ActionBlock},
		{"a device with control characters around it", nil, []string{"X-Device-Guid", "\t d1\u0085 "}, "/", http.StatusForbidden, "", sundew.ActionBlock},
		{"an account", nil, []string{"X-Account", "a1"}, "/", http.StatusForbidden, "", sundew.ActionBlock},
		{"an account whose pseudonym is listed", hidden, []string{"X-Account", "a2"}, "/", http.StatusForbidden, "", sundew.ActionBlock},
		{"the same without the key", nil, []string{"X-Account", "a2"}, "/", http.StatusOK, "hello", sundew.ActionNone},
		{"an API key", nil, []string{"X-Key-Id", "k1"}, "/", http.StatusForbidden, "", sundew.ActionBlock},
		{"a client cannot hide behind a written address", nil, []string{"X-Forwarded-For", "203.0.113.1, 192.0.2.1"}, "/", http.StatusForbidden, "", sundew.ActionBlock},
		{"a written address is not believed from just anybody", func(c *ProxyConfig) { c.TrustedProxies = nil }, []string{"X-Forwarded-For", "192.0.2.1"}, "/", http.StatusOK, "hello", sundew.ActionNone},
		{"health checks are served whoever asks", nil, []string{"X-Forwarded-For", "192.0.2.1"}, "/healthz", http.StatusOK, "hello", sundew.ActionNone},
		{"what only looks like the health check is not", nil, []string{"X-Forwarded-For", "192.0.2.1"}, "/healthz/..%2forders", http.StatusForbidden, "", sundew.ActionBlock},
		{"a dry run touches nothing", dry, []string{"X-Forwarded-For", "192.0.2.1"}, "/", http.StatusOK, "hello", sundew.ActionNone},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			g := newGateway(t, hello, tt.change, decisions...)
			got := ask(t, http.MethodGet, g.URL+tt.path, tt.headers...)
			if got.status != tt.status || !strings.Contains(got.body, tt.body) {
				t.Errorf("%d %q, want %d with %q", got.status, got.body, tt.status, tt.body)
			}
			if strings.Contains(fmt.Sprint(got.header, got.body), "secret-rule") {
				t.Errorf("the client is told the rule: %v %s", got.header, got.body)
			}
			if tt.status == http.StatusForbidden && !json.Valid([]byte(got.body)) {
				t.Errorf("not a problem document: %s", got.body)
			}
			e := <-g.shipped
			if e.EdgeAction != tt.action || e.Status != tt.status || (tt.action != sundew.ActionNone) != (e.DecisionID != "") {
				t.Errorf("shipped action %q, status %d, decision %q", e.EdgeAction, e.Status, e.DecisionID)
			}
			if tarpit := tt.action == sundew.ActionTarpit; tarpit != (e.EdgeDelay >= 18*time.Millisecond) || e.Duration < e.EdgeDelay {
				t.Errorf("shipped a delay of %s within %s", e.EdgeDelay, e.Duration)
			}
		})
	}
}

func TestProxyShipsWhatWasAsked(t *testing.T) {
	g := newGateway(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	}), nil)
	askBody(t, http.MethodPost, g.URL+"/orders/a%2Fb?q=1", strings.NewReader("12345"),
		"X-Forwarded-For", "192.0.2.9", "User-Agent", "app/1 \xff", "Referer", "https://example.org/", "X-Device-Guid", strings.Repeat("é", 200),
		"X-Account", "a1", "X-Key-Id", "k1", "X-Request-Id", "r1")
	got := <-g.shipped
	want := sundew.NewEvent()
	want.Time, want.Client, want.Forwarded = got.Time, got.Client, "192.0.2.9"
	want.Method, want.Host, want.Path, want.Query = http.MethodPost, "127.0.0.1", "/orders/a%2Fb", "q=1"
	want.Status, want.RequestBytes, want.ResponseBytes, want.Duration = http.StatusTeapot, 5, 15, got.Duration
	want.UserAgent, want.Referer = "app/1 \ufffd", "https://example.org/"
	want.Device, want.Account, want.APIKey, want.RequestID = strings.Repeat("é", sundew.MaxID/2), "a1", "k1", "r1"
	if got, want := string(got.AppendJSON(nil)), string(want.AppendJSON(nil)); got != want {
		t.Errorf("shipped\n%s\nwant\n%s", got, want)
	}
	if got.Client.String() != "192.0.2.9" || got.Duration <= 0 {
		t.Errorf("client %s, duration %s", got.Client, got.Duration)
	}
}

func TestProxyHandsOn(t *testing.T) {
	seen := make(chan *http.Request, 1)
	g := newGateway(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r }), nil)
	ask(t, http.MethodGet, g.URL+"/x?a=1;b", "X-Forwarded-For", "192.0.2.9", "Connection", "X-Account", "X-Account", "a1")
	r := <-seen
	if got := r.Header.Get("X-Forwarded-For"); got != "192.0.2.9, 127.0.0.1" {
		t.Errorf("X-Forwarded-For %q", got)
	}
	if r.Host != strings.TrimPrefix(g.URL, "http://") || r.URL.RawQuery != "a=1;b" {
		t.Errorf("host %q, query %q", r.Host, r.URL.RawQuery)
	}
	stranger := newGateway(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r }), func(c *ProxyConfig) { c.TrustedProxies = nil })
	ask(t, http.MethodGet, stranger.URL, "X-Forwarded-For", "192.0.2.9")
	if got := (<-seen).Header.Get("X-Forwarded-For"); got != "127.0.0.1" {
		t.Errorf("a stranger's X-Forwarded-For is handed on: %q", got)
	}
}

func TestProxyWithoutUpstream(t *testing.T) {
	g := newGateway(t, hello, func(c *ProxyConfig) { c.Upstream = "http://127.0.0.1:1" })
	if got := ask(t, http.MethodGet, g.URL); got.status != http.StatusBadGateway || !strings.Contains(got.body, "did not answer") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if e := <-g.shipped; e.Status != http.StatusBadGateway {
		t.Errorf("shipped status %d", e.Status)
	}
}

func TestProxyPassesStreams(t *testing.T) {
	next := make(chan struct{})
	g := newGateway(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 2 {
			_, _ = io.WriteString(w, "tick\n")
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}), nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	for lines := bufio.NewScanner(got.Body); lines.Scan(); {
		next <- struct{}{} // the upstream goes on only after its line has arrived
	}
	if e := <-g.shipped; e.ResponseBytes != 10 {
		t.Errorf("shipped %d bytes", e.ResponseBytes)
	}
}

func TestProxyPassesUpgradedConnections(t *testing.T) {
	g := newGateway(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(connection, "echo "+line)
	}), nil)
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	answer := bufio.NewReader(connection)
	for line := ""; line != "\r\n"; {
		if line, err = answer.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.WriteString(connection, "hello\n")
	if line, err := answer.ReadString('\n'); err != nil || line != "echo hello\n" {
		t.Errorf("%q, %v", line, err)
	}
	_ = connection.Close()
	if e := <-g.shipped; e.Status != http.StatusSwitchingProtocols || e.ResponseBytes != -1 {
		t.Errorf("shipped status %d, %d bytes", e.Status, e.ResponseBytes)
	}
}

// A bench is a gate without sockets, for false time: what is behind it answers at once.
type bench struct {
	*Gate
	clients sync.WaitGroup
	events  chan sundew.Event
	called  atomic.Bool
}

func newBench(t *testing.T, caps Caps, ds ...sundew.Decision) *bench {
	t.Helper()
	b := &bench{events: make(chan sundew.Event, 10_000)}
	table := NewTable()
	table.Replace(sundew.Blocklist{Decisions: ds}, nil)
	c := DefaultGateConfig()
	c.Caps = caps
	var err error
	if b.Gate, err = NewGate(c, table, nil, func(e sundew.Event) { b.events <- e }); err != nil {
		t.Fatal(err)
	}
	return b
}

// ServeHTTP lets through what the gate lets through.
func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.called.Store(true) })).ServeHTTP(w, r)
}

// ask answers a request of a client in the background.
func (b *bench) ask(ctx context.Context, client string, body io.Reader) {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", body)
	r.RemoteAddr = client + ":40000"
	b.clients.Go(func() { b.ServeHTTP(httptest.NewRecorder(), r) })
}

// TestTarpitCaps fills every bound with held clients and looks whether others are still served.
func TestTarpitCaps(t *testing.T) {
	tests := []struct {
		story   string
		caps    Caps
		clients []string // held
		full    string   // the one that is one too many
		free    string   // one that there is room for
	}{
		{"for one entity", Caps{Held: 100, PerKey: 3, PerPrefix: 100}, []string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}, "192.0.2.1", "192.0.2.2"},
		{"for one network", Caps{Held: 100, PerKey: 100, PerPrefix: 2}, []string{"192.0.2.1", "192.0.2.2"}, "192.0.2.3", "198.51.100.1"},
		{"in all", Caps{Held: 2, PerKey: 100, PerPrefix: 100}, []string{"192.0.2.1", "198.51.100.1"}, "203.0.113.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ds []sundew.Decision
				for _, client := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1", "203.0.113.1"} {
					ds = append(ds, decision(t, "ip:"+client, sundew.ActionTarpit, "scan", from(time.Now())))
				}
				b := newBench(t, tt.caps, ds...)
				ctx, leave := context.WithCancel(t.Context())
				held := len(tt.clients)
				for _, client := range tt.clients {
					b.ask(ctx, client, http.NoBody)
				}
				if tt.free != "" {
					b.ask(ctx, tt.free, http.NoBody)
					held++
				}
				synctest.Wait()
				b.ask(ctx, tt.full, http.NoBody)
				b.ask(ctx, "192.0.2.77", http.NoBody)
				synctest.Wait()
				full, innocent := <-b.events, <-b.events
				if full.Client.String() != tt.full {
					full, innocent = innocent, full
				}
				if full.Status != http.StatusTooManyRequests || full.EdgeAction != sundew.ActionTarpit || full.EdgeDelay != 0 || full.Duration != 0 {
					t.Errorf("one too many: status %d, %q, held for %s", full.Status, full.EdgeAction, full.EdgeDelay)
				}
				if innocent.Status != http.StatusOK || innocent.Duration != 0 {
					t.Errorf("an innocent client: status %d after %s", innocent.Status, innocent.Duration)
				}
				if b.slots.held != held || testutil.ToFloat64(b.metrics.held) != float64(held) || len(b.events) != 0 {
					t.Errorf("%d held, want %d", b.slots.held, held)
				}

				leave()
				b.clients.Wait()
				if b.slots.held != 0 || len(b.slots.byKey)+len(b.slots.byPrefix) > 0 {
					t.Error("the slots remember who left")
				}
			})
		})
	}
}

// TestCrowdOfListedClients is 2000 listed clients at once against the bounds as they come.
func TestCrowdOfListedClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := DefaultProxyConfig().Caps
		b := newBench(t, caps, decision(t, "prefix:10.0.0.0/8", sundew.ActionTarpit, "scan", from(time.Now())),
			decision(t, "prefix:172.16.0.0/12", sundew.ActionTarpit, "scan", from(time.Now())))
		for i := range 2000 {
			b.ask(t.Context(), fmt.Sprintf("%s.%d.%d", []string{"10.0", "172.16"}[i%2], i/256, i%256), http.NoBody)
		}
		b.clients.Wait()
		statuses := make(map[int]int)
		for range 2000 {
			statuses[(<-b.events).Status]++
		}
		if want := 2 * caps.PerKey; statuses[http.StatusOK] != want || statuses[http.StatusTooManyRequests] != 2000-want {
			t.Errorf("statuses %v, want %d served late and the others refused", statuses, want)
		}
	})
}

// TestClientLeavesTarpit closes a connection whose request is held.
func TestClientLeavesTarpit(t *testing.T) {
	g := newGateway(t, hello, nil, decision(t, "ip:127.0.0.1", sundew.ActionTarpit, "scan", now0, delayed(9*time.Second)))
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(connection, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = connection.Close()
	if e := <-g.shipped; e.Status != statusClientLeft || e.EdgeDelay > 5*time.Second {
		t.Errorf("status %d after %s, want %d at once", e.Status, e.EdgeDelay, statusClientLeft)
	}
}

func TestTarpitComesBeforeBodyAndUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, DefaultProxyConfig().Caps,
			decision(t, "ip:192.0.2.1", sundew.ActionTarpit, "scan", from(time.Now())),
			decision(t, "ip:192.0.2.2", sundew.ActionTarpit, "scan", from(time.Now()), delayed(time.Hour)))
		request := func(ctx context.Context, client string) sundew.Event {
			var read atomic.Bool
			b.called.Store(false)
			b.ask(ctx, client, readNotice{&read})
			synctest.Wait()
			if read.Load() || b.called.Load() {
				t.Error("the body was read or the upstream called before the delay was over")
			}
			return <-b.events
		}
		if got := request(t.Context(), "192.0.2.1"); got.Duration < 1800*time.Millisecond || got.Duration > 2200*time.Millisecond || !b.called.Load() {
			t.Errorf("held for %s, want 2s and a tenth either way", got.Duration)
		}
		impatient, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if got := request(impatient, "192.0.2.1"); got.EdgeDelay != 300*time.Millisecond || got.Status != statusClientLeft || b.called.Load() {
			t.Errorf("a client that leaves is forgotten when it does; held for %s, status %d", got.EdgeDelay, got.Status)
		}
		if got := request(t.Context(), "192.0.2.2"); got.EdgeDelay != 10*time.Second {
			t.Errorf("held for %s, want no more than 10s", got.EdgeDelay)
		}
		if got := testutil.ToFloat64(b.metrics.delay); got < 12 || got > 12.6 {
			t.Errorf("counted %v seconds of delay", got)
		}
	})
}

// readNotice is a body that tells when it is read.
type readNotice struct{ read *atomic.Bool }

func (n readNotice) Read([]byte) (int, error) {
	n.read.Store(true)
	return 0, io.EOF
}

func TestKillFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "off")
		k := &killSwitch{file: file}
		if k.off(time.Now()) {
			t.Error("off without a file")
		}
		writeFile(t, file, "", 0o600)
		time.Sleep(killCheck) // false time
		if !k.off(time.Now()) {
			t.Error("on in spite of the file")
		}
	})
	g := newGateway(t, hello, func(c *ProxyConfig) {
		c.KillFile = filepath.Join(t.TempDir(), "off")
		writeFile(t, c.KillFile, "", 0o600)
	}, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", now0))
	if got := ask(t, http.MethodGet, g.URL, "X-Forwarded-For", "192.0.2.1"); got.status != http.StatusOK {
		t.Errorf("%d in spite of the kill file", got.status)
	}
}

func TestProxyConfigNamesTheMistake(t *testing.T) {
	for want, spoil := range map[string]func(*ProxyConfig){
		"upstream":           func(c *ProxyConfig) { c.Upstream = "127.0.0.1:9000" },
		"trusted_proxies[1]": func(c *ProxyConfig) { c.TrustedProxies = []string{"10.0.0.0/8", "proxy"} },
		"caps":               func(c *ProxyConfig) { c.Caps.PerKey = -1 },
		"max_delay":          func(c *ProxyConfig) { c.MaxDelay = time.Hour },
	} {
		c := DefaultProxyConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

// BenchmarkProxy compares with the reverse proxy of the standard library, which copies nothing into a log.
func BenchmarkProxy(b *testing.B) {
	api := httptest.NewServer(hello)
	defer api.Close()
	upstream, err := url.Parse(api.URL)
	if err != nil {
		b.Fatal(err)
	}
	bare := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.SetXForwarded()
		},
		Transport: newTransport(), BufferPool: new(bufferPool),
	}
	table, _ := bigTable(b, 100_000)
	c := DefaultProxyConfig()
	c.Upstream = api.URL
	gate, err := NewGate(c.GateConfig, table, nil, NewShipper(DefaultShipperConfig(), nil, quiet()).Ship)
	if err != nil {
		b.Fatal(err)
	}
	guarded, err := NewProxy(c.Upstream, gate, nil, quiet())
	if err != nil {
		b.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		handler http.Handler
	}{{"bare", bare}, {"sundew", guarded}} {
		b.Run(tt.name, func(b *testing.B) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			client := &http.Client{Transport: newTransport()}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/orders/1", http.NoBody)
					if err != nil {
						b.Error(err)
						return
					}
					r.Header.Set("X-Device-Guid", "5f1d7a54-0d0e-4d9a-8f10-3a9d3f6a2b11")
					got, err := client.Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, got.Body)
					_ = got.Body.Close()
				}
			})
		})
	}
}
