package edge

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sundew"
)

func newGate(t testing.TB, change func(*GateConfig), ds ...sundew.Decision) *Gate {
	t.Helper()
	table := NewTable()
	table.Replace(sundew.Blocklist{Decisions: ds}, nil)
	c := DefaultGateConfig()
	c.TrustedProxies = []string{"127.0.0.0/8"}
	if change != nil {
		change(&c)
	}
	g, err := NewGate(c, table, nil, func(sundew.Event) { t.Error("an event is shipped of a request whose end is not known") })
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestForwardAuth(t *testing.T) {
	g := newGate(t, nil,
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "secret-rule", now0),
		decision(t, "ip:192.0.2.2", sundew.ActionChallenge, "secret-rule", now0),
		decision(t, "ip:192.0.2.3", sundew.ActionTarpit, "secret-rule", now0, delayed(30*time.Millisecond)),
		decision(t, "device:d1", sundew.ActionBlock, "secret-rule", now0),
	)
	server := httptest.NewServer(g.ForwardAuth(quiet()))
	defer server.Close()
	for _, tt := range []struct {
		story   string
		path    string
		headers []string
		status  int
		want    map[string]string
		body    string // part of it
	}{
		{"Caddy asks about anybody", "/auth", []string{"X-Forwarded-For", "192.0.2.9", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a"}, 200, map[string]string{headerAction: ""}, ""},
		{"Traefik asks about a blocked address", "/auth", []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Uri", "/a"}, 403, map[string]string{headerAction: "block", headerDelay: "0"}, "urn:sundew:blocked"},
		{"a challenge", "/auth", []string{"X-Forwarded-For", "192.0.2.2"}, 403, map[string]string{headerAction: "challenge"}, "urn:sundew:challenge"},
		{"a tarpit passes after its delay", "/auth", []string{"X-Forwarded-For", "192.0.2.3"}, 200, map[string]string{headerAction: "tarpit"}, ""},
		{"nginx names the client in another header", "/auth?form=nginx", []string{"X-Real-IP", "192.0.2.1", "X-Original-URI", "/a"}, 403, map[string]string{headerStatus: "403"}, ""},
		{"a device", "/auth", []string{"X-Forwarded-For", "192.0.2.9", "X-Device-Guid", "d1"}, 403, nil, ""},
		{"health checks pass", "/auth", []string{"X-Forwarded-For", "192.0.2.1", "X-Original-URI", "/healthz"}, 200, nil, ""},
		{"Envoy sends the request itself", "/auth/healthz", []string{"X-Forwarded-For", "192.0.2.1"}, 200, nil, ""},
		{"what is no target is a path", "/auth", []string{"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Uri", "%zz"}, 403, nil, ""},
	} {
		t.Run(tt.story, func(t *testing.T) {
			got := ask(t, http.MethodGet, server.URL+tt.path, tt.headers...)
			if got.status != tt.status || !strings.Contains(got.body, tt.body) || strings.Contains(got.body, "secret-rule") {
				t.Errorf("%d %s, want %d", got.status, got.body, tt.status)
			}
			for name, want := range tt.want {
				if got.header.Get(name) != want {
					t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
				}
			}
		})
	}
	if got := ask(t, http.MethodGet, server.URL+"/auth", "X-Forwarded-For", "192.0.2.3").header.Get(headerDelay); got < "26" || got > "34" {
		t.Errorf("a delay of %s ms is named, want 27 to 33", got)
	}
}

func TestForwardAuthWhenFull(t *testing.T) {
	g := newGate(t, func(c *GateConfig) { c.Caps = Caps{Held: 1, PerKey: 0, PerPrefix: 1} }, decision(t, "ip:192.0.2.3", sundew.ActionTarpit, "scan", now0))
	server := httptest.NewServer(g.ForwardAuth(quiet()))
	defer server.Close()
	plain := ask(t, http.MethodGet, server.URL+"/auth", "X-Forwarded-For", "192.0.2.3")
	if plain.status != http.StatusTooManyRequests || plain.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", plain.status, plain.header)
	}
	nginx := ask(t, http.MethodGet, server.URL+"/auth?form=nginx", "X-Forwarded-For", "192.0.2.3")
	if nginx.status != http.StatusForbidden || nginx.header.Get(headerStatus) != "429" || nginx.header.Get("Retry-After") == "" {
		t.Errorf("for nginx: %d %v", nginx.status, nginx.header)
	}
}

// TestForwardAuthOfStrangers does not believe what just anybody says of a client, and says so once.
func TestForwardAuthOfStrangers(t *testing.T) {
	var said strings.Builder
	g := newGate(t, func(c *GateConfig) { c.TrustedProxies = nil }, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", now0))
	server := httptest.NewServer(g.ForwardAuth(slog.New(slog.NewTextHandler(&said, nil))))
	defer server.Close()
	for range 3 {
		if got := ask(t, http.MethodGet, server.URL+"/auth", "X-Forwarded-For", "192.0.2.1"); got.status != http.StatusOK {
			t.Errorf("%d", got.status)
		}
	}
	if n := strings.Count(said.String(), "edge.proxy.trusted_proxies"); n != 1 {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
}

// TestHeldStreamsOfAConnection lets no more streams of one HTTP/2 connection wait than allowed: somebody else's are among
// them where a load balancer shares its connections.
func TestHeldStreamsOfAConnection(t *testing.T) {
	table := NewTable()
	table.Replace(sundew.Blocklist{Decisions: []sundew.Decision{decision(t, "prefix:127.0.0.0/8", sundew.ActionTarpit, "scan", now0, delayed(time.Minute))}}, nil)
	c := DefaultGateConfig()
	c.Caps = Caps{Held: 100, PerKey: 100, PerPrefix: 100, PerConnection: 3}
	c.MaxDelay = time.Minute
	g, err := NewGate(c, table, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(g.Middleware(hello))
	server.Config.ConnContext = ConnContext
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	if got, err := server.Client().Get(server.URL + "/healthz"); err != nil || got.ProtoMajor != 2 || got.Body.Close() != nil { //nolint:noctx // opens the connection that the others share
		t.Fatal(got, err)
	}
	statuses := make(chan int, 4)
	for range 4 {
		go func() {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
			got, err := server.Client().Do(r)
			if err != nil {
				return // held until the test ends
			}
			_ = got.Body.Close()
			if got.ProtoMajor == 2 {
				statuses <- got.StatusCode
			}
		}()
	}
	if got := <-statuses; got != http.StatusTooManyRequests {
		t.Errorf("the fourth stream is answered %d", got)
	}
	select {
	case got := <-statuses:
		t.Errorf("another is answered %d: three may wait", got)
	default:
	}
	server.CloseClientConnections()
}
