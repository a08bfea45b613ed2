package edge

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sundew"
)

// bouncer polls as CrowdSec's clients do.
type bouncer struct {
	t      *testing.T
	server *httptest.Server
	key    string
}

type crowdsecDecision struct {
	ID       *int64  `json:"id"`
	Origin   *string `json:"origin"`
	Scenario *string `json:"scenario"`
	Scope    *string `json:"scope"`
	Type     *string `json:"type"`
	Value    *string `json:"value"`
	Duration *string `json:"duration"`
}

// luaDuration is what nginx's client understands; it takes everything else for "for ever".
var luaDuration = regexp.MustCompile(`^([0-9]+h)?([0-9]+m)?([0-9]+s)$`)

// poll returns the answer as "+scope value type duration" and "-scope value type", checked for what clients die of.
func (b *bouncer) poll(query string) (told []string) {
	b.t.Helper()
	got := ask(b.t, http.MethodGet, b.server.URL+"/v1/decisions/stream?"+query, "X-Api-Key", b.key, "User-Agent", "crowdsec-custom-bouncer/-")
	var body struct {
		New     []crowdsecDecision `json:"new"`
		Deleted []crowdsecDecision `json:"deleted"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != http.StatusOK || body.New == nil || body.Deleted == nil {
		b.t.Fatalf("%d %q: %v", got.status, got.body, err)
	}
	values := make(map[string]bool)
	for _, d := range body.New {
		b.check(d)
		if !luaDuration.MatchString(*d.Duration) {
			b.t.Errorf("nginx would keep %s for ever: duration %s", *d.Value, *d.Duration)
		}
		values[*d.Scope+*d.Value] = true
		told = append(told, fmt.Sprintf("+%s %s %s %s", *d.Scope, *d.Value, *d.Type, *d.Duration))
	}
	for _, d := range body.Deleted {
		b.check(d)
		if values[*d.Scope+*d.Value] {
			b.t.Errorf("%s is in both arrays", *d.Value)
		}
		told = append(told, fmt.Sprintf("-%s %s %s", *d.Scope, *d.Value, *d.Type))
	}
	return told
}

func (b *bouncer) check(d crowdsecDecision) {
	b.t.Helper()
	if d.ID == nil || d.Origin == nil || d.Scenario == nil || d.Scope == nil || d.Type == nil || d.Value == nil || d.Duration == nil {
		b.t.Fatalf("a field without which clients die is missing: %+v", d)
	}
	if *d.ID <= 0 || *d.ID >= 1<<53 {
		b.t.Errorf("id %d does not fit every client", *d.ID)
	}
}

func (b *bouncer) want(query string, want ...string) {
	b.t.Helper()
	if got := b.poll(query); !slices.Equal(got, want) {
		b.t.Errorf("polled %q:\ngot  %q\nwant %q", query, got, want)
	}
}

func newCrowdSecServer(t testing.TB, l *Log, keys ...Key) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(NewCrowdSec(FeedConfig{Keys: keys}, l, nil, quiet()))
	t.Cleanup(server.Close)
	return server
}

func TestCrowdSecStream(t *testing.T) {
	const ip = "ip:192.0.2.1"
	entity := sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"}
	pass := func(l *Log, c *clock, d time.Duration) {
		c.now = c.now.Add(d)
		l.Expire(c.now)
	}
	tests := []struct {
		story  string
		tarpit string
		do     func(t *testing.T, b *bouncer, l *Log, c *clock)
	}{
		{"the first call lists all, the next what changed", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			b.want("startup=true", "+Ip 192.0.2.1 ban 1h0m0s")
			b.want("")
			publish(t, l, decision(t, "prefix:198.51.100.0/24", sundew.ActionChallenge, "scan"))
			b.want("", "+Range 198.51.100.0/24 captcha 1h0m0s")
			b.want("")
			l.Withdraw(entity, "scan")
			b.want("", "-Ip 192.0.2.1 ban")
		}},
		{"startup again is everything again", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			b.want("startup=true", "+Ip 192.0.2.1 ban 1h0m0s")
			b.want("startup=true", "+Ip 192.0.2.1 ban 1h0m0s")
			b.want("")
		}},
		{"a client that is not known gets the whole list, as after our restart", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"), decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan"))
			l.Withdraw(entity, "scan")
			b.want("", "+Ip 192.0.2.2 ban 1h0m0s", "-Ip 192.0.2.1 ban")
		}},
		{"what expires is deleted, and seconds are whole", "", func(t *testing.T, b *bouncer, l *Log, c *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan", lasting(90*time.Second+300*time.Millisecond)))
			b.want("startup=true", "+Ip 192.0.2.1 ban 1m31s")
			pass(l, c, 91*time.Second)
			b.want("", "-Ip 192.0.2.1 ban")
			b.want("")
		}},
		{"an address stays listed while another rule lists it", "", func(t *testing.T, b *bouncer, l *Log, c *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"), decision(t, ip, sundew.ActionBlock, "stuffing", lasting(2*time.Hour)))
			b.want("startup=true", "+Ip 192.0.2.1 ban 2h0m0s")
			pass(l, c, time.Hour)
			b.want("")
			pass(l, c, time.Hour)
			b.want("", "-Ip 192.0.2.1 ban")
		}},
		{"all decisions on demand", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"), decision(t, ip, sundew.ActionBlock, "stuffing", lasting(2*time.Hour)))
			b.want("startup=true&dedup=false", "+Ip 192.0.2.1 ban 1h0m0s", "+Ip 192.0.2.1 ban 2h0m0s")
		}},
		{"an extension within ten seconds is told when the client listens again", "", func(t *testing.T, b *bouncer, l *Log, c *clock) {
			b.want("startup=true")
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			b.want("", "+Ip 192.0.2.1 ban 1h0m0s")
			pass(l, c, 5*time.Second)
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan", version(2), lasting(3*time.Hour)))
			b.want("")
			pass(l, c, 7*time.Second)
			b.want("", "+Ip 192.0.2.1 ban 2h59m48s")
			b.want("")
		}},
		{"an extension right after startup waits as well", "", func(t *testing.T, b *bouncer, l *Log, c *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			b.want("startup=true", "+Ip 192.0.2.1 ban 1h0m0s")
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan", version(2), lasting(3*time.Hour)), decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan"))
			b.want("", "+Ip 192.0.2.2 ban 1h0m0s")
			pass(l, c, announceHold)
			b.want("", "+Ip 192.0.2.1 ban 2h59m49s")
		}},
		{"a changed remedy is deleted first and announced with the next answer", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionChallenge, "scan"))
			b.want("startup=true", "+Ip 192.0.2.1 captcha 1h0m0s")
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan", version(2)))
			b.want("", "-Ip 192.0.2.1 captcha")
			b.want("", "+Ip 192.0.2.1 ban 1h0m0s")
			b.want("")
		}},
		{"a captcha behind a ban is told again after the ban, for clients that keep one entry for an address", "", func(t *testing.T, b *bouncer, l *Log, c *clock) {
			publish(t, l, decision(t, ip, sundew.ActionChallenge, "scan"), decision(t, ip, sundew.ActionBlock, "stuffing"))
			if got := b.poll("startup=true"); len(got) != 2 {
				t.Errorf("got %q, want captcha and ban", got)
			}
			pass(l, c, time.Minute)
			l.Withdraw(entity, "stuffing")
			b.want("", "-Ip 192.0.2.1 ban")
			b.want("", "+Ip 192.0.2.1 captcha 59m0s")
		}},
		{"tarpits are left out", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionTarpit, "scan"))
			b.want("startup=true")
			b.want("")
		}},
		{"tarpits are throttled where the key says so", "throttle", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionTarpit, "scan"))
			b.want("startup=true", "+Ip 192.0.2.1 throttle 1h0m0s")
		}},
		{"a ban that becomes a tarpit ends", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			b.poll("startup=true")
			publish(t, l, decision(t, ip, sundew.ActionTarpit, "scan", version(2)))
			b.want("", "-Ip 192.0.2.1 ban")
		}},
		{"what the protocol cannot say is left out", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan", narrowed("device:d1")),
				decision(t, "prefix:203.0.113.0/24", sundew.ActionBlock, "scan")) // 203.0.113.9 is on the allow-list
			b.want("startup=true")
		}},
		{"devices only for those who ask", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"), decision(t, "device:d1", sundew.ActionBlock, "scan"), decision(t, "asn:64500", sundew.ActionBlock, "scan"))
			b.want("startup=true", "+Ip 192.0.2.1 ban 1h0m0s")
			b.want("startup=true&scopes=ip,device,as", "+Ip 192.0.2.1 ban 1h0m0s", "+device d1 ban 1h0m0s", "+AS 64500 ban 1h0m0s")
		}},
		{"by scenario and origin", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			publish(t, l, decision(t, ip, sundew.ActionBlock, "Login-Stuffing"), decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan"))
			b.want("startup=true&scenarios_containing=x,stuffing", "+Ip 192.0.2.1 ban 1h0m0s")
			b.want("startup=true&scenarios_not_containing=STUFFING", "+Ip 192.0.2.2 ban 1h0m0s")
			b.want("startup=true&origins=cscli,CAPI")
			b.want("startup=true&origins=sundew&community_pull=true&unknown=1?", "+Ip 192.0.2.1 ban 1h0m0s", "+Ip 192.0.2.2 ban 1h0m0s")
		}},
		{"a bare question mark at the end is normal", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			b.want("startup=true")
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			b.want("?", "+Ip 192.0.2.1 ban 1h0m0s")
		}},
		{"HEAD tests the key and moves nothing", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			b.want("startup=true")
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			got := ask(t, http.MethodHead, b.server.URL+"/v1/decisions/stream", "X-Api-Key", b.key)
			if got.status != http.StatusOK || got.body != "" {
				t.Errorf("%d %q", got.status, got.body)
			}
			b.want("", "+Ip 192.0.2.1 ban 1h0m0s")
		}},
		{"a key of one's own is a place of one's own", "", func(t *testing.T, b *bouncer, l *Log, _ *clock) {
			other := &bouncer{t, b.server, "other"}
			b.want("startup=true")
			other.want("startup=true")
			publish(t, l, decision(t, ip, sundew.ActionBlock, "scan"))
			b.want("", "+Ip 192.0.2.1 ban 1h0m0s")
			other.want("", "+Ip 192.0.2.1 ban 1h0m0s")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			l, c := newTestLog(func(c *LogConfig) { c.Allow = []sundew.Entity{{Kind: sundew.KindIP, Key: "203.0.113.9"}} })
			server := newCrowdSecServer(t, l, Key{Name: "a", Hash: hashOf("one"), Tarpit: tt.tarpit}, Key{Name: "b", Hash: hashOf("other")})
			tt.do(t, &bouncer{t, server, "one"}, l, c)
		})
	}
}

// brokenWriter is a connection that breaks within the body.
type brokenWriter struct{ httptest.ResponseRecorder }

func (*brokenWriter) Write([]byte) (int, error) { return 0, http.ErrAbortHandler }

func TestCrowdSecTellsAgainWhatWasNotDelivered(t *testing.T) {
	l, _ := newTestLog()
	handler := NewCrowdSec(FeedConfig{}, l, nil, quiet())
	poll := func(w http.ResponseWriter, query string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/decisions/stream?"+query, http.NoBody)
		r.RemoteAddr = "127.0.0.1:40000"
		handler.ServeHTTP(w, r)
	}
	poll(httptest.NewRecorder(), "startup=true")
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"))
	poll(&brokenWriter{*httptest.NewRecorder()}, "")
	again := httptest.NewRecorder()
	poll(again, "")
	if !strings.Contains(again.Body.String(), "192.0.2.1") {
		t.Errorf("the client never hears of it: %s", again.Body)
	}
}

func TestCrowdSecAnswers(t *testing.T) {
	l, _ := newTestLog()
	server := newCrowdSecServer(t, l, Key{Name: "a", Hash: hashOf("one")})
	good := []string{"X-Api-Key", "one"}
	tests := []struct {
		story, method, path string
		headers             []string
		body                string
		status              int
		want                string
	}{
		{"health needs no key", http.MethodGet, "/health", nil, "", http.StatusOK, `{"status":"up"}`},
		{"no key is 403, not 401", http.MethodGet, "/v1/decisions/stream", nil, "", http.StatusForbidden, `{"message":"access forbidden"}`},
		{"a wrong key", http.MethodGet, "/v1/decisions", []string{"X-Api-Key", "two"}, "", http.StatusForbidden, `{"message":"access forbidden"}`},
		{"a wrong key with HEAD", http.MethodHead, "/v1/decisions/stream", []string{"X-Api-Key", "two"}, "", http.StatusForbidden, ""},
		{"unknown paths are empty", http.MethodGet, "/v1/alerts", good, "", http.StatusNotFound, ""},
		{"other methods too", http.MethodDelete, "/v1/decisions", good, "", http.StatusMethodNotAllowed, ""},
		{"nothing is null", http.MethodGet, "/v1/decisions?ip=192.0.2.1", good, "", http.StatusOK, "null"},
		{"a malformed address", http.MethodGet, "/v1/decisions?ip=192.0.2", good, "", http.StatusBadRequest, `{"message":"ip \"192.0.2\": want an address"}`},
		{"usage metrics", http.MethodPost, "/v1/usage-metrics", good, `{"remediation_components":[{"type":"x"}]}`, http.StatusCreated, ""},
		{"no usage metrics", http.MethodPost, "/v1/usage-metrics", good, `{}`, http.StatusBadRequest, ""},
		{"broken usage metrics", http.MethodPost, "/v1/usage-metrics", good, `{`, http.StatusBadRequest, ""},
		{"usage metrics of another schema", http.MethodPost, "/v1/usage-metrics", good, `{"remediation_components":7}`, http.StatusUnprocessableEntity, ""},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			got := askBody(t, tt.method, server.URL+tt.path, strings.NewReader(tt.body), tt.headers...)
			if got.status != tt.status || (tt.want != "" && got.body != tt.want) {
				t.Errorf("%d %q, want %d %q", got.status, got.body, tt.status, tt.want)
			}
			if tt.status == http.StatusMethodNotAllowed && got.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow %q", got.header.Get("Allow"))
			}
		})
	}

	t.Run("usage metrics in gzip", func(t *testing.T) {
		var body bytes.Buffer
		w := gzip.NewWriter(&body)
		_, _ = w.Write([]byte(`{"log_processors":[]}`))
		_ = w.Close()
		if got := askBody(t, http.MethodPost, server.URL+"/v1/usage-metrics", &body, "X-Api-Key", "one", "Content-Encoding", "gzip"); got.status != http.StatusCreated {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("a gzip bomb is refused", func(t *testing.T) {
		var body bytes.Buffer
		w := gzip.NewWriter(&body)
		_, _ = w.Write([]byte(`{"log_processors":[]` + strings.Repeat(" ", 2*maxUsageMetrics) + `}`))
		_ = w.Close()
		if got := askBody(t, http.MethodPost, server.URL+"/v1/usage-metrics", &body, "X-Api-Key", "one", "Content-Encoding", "gzip"); got.status != http.StatusBadRequest || !strings.Contains(got.body, "more than") {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("while the list is loaded", func(t *testing.T) {
		loading := newCrowdSecServer(t, NewLog(LogConfig{}, nil))
		if got := ask(t, http.MethodGet, loading.URL+"/v1/decisions/stream?startup=true"); got.status != http.StatusServiceUnavailable {
			t.Errorf("%d", got.status)
		}
	})
	t.Run("large answers are gzip for those who take it", func(t *testing.T) {
		for i := range 50 {
			publish(t, l, decision(t, fmt.Sprintf("ip:198.51.100.%d", i), sundew.ActionBlock, "scan"))
		}
		got := ask(t, http.MethodGet, server.URL+"/v1/decisions/stream?startup=true", "X-Api-Key", "one", "Accept-Encoding", "gzip")
		if got.header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(got.body, "\x1f\x8b") {
			t.Errorf("headers %v", got.header)
		}
	})
}

func TestCrowdSecLive(t *testing.T) {
	l, _ := newTestLog()
	server := newCrowdSecServer(t, l)
	publish(t, l,
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"),
		decision(t, "prefix:192.0.2.0/24", sundew.ActionChallenge, "scan"),
		decision(t, "prefix:2001:db8::/48", sundew.ActionBlock, "scan"),
		decision(t, "device:d1", sundew.ActionBlock, "scan"),
	)
	tests := []struct {
		query string
		want  []string // values
	}{
		{"ip=192.0.2.1", []string{"192.0.2.0/24", "192.0.2.1"}},
		{"ip=::ffff:192.0.2.1", []string{"192.0.2.0/24", "192.0.2.1"}},
		{"ip=192.0.2.7", []string{"192.0.2.0/24"}},
		{"ip=2001:db8::7", []string{"2001:db8::/48"}},
		{"ip=203.0.113.1", nil},
		{"ip=192.0.2.1&type=ban", []string{"192.0.2.1"}},
		{"range=192.0.2.0/25", []string{"192.0.2.0/24"}},
		{"range=192.0.0.0/16&contains=false", []string{"192.0.2.0/24", "192.0.2.1"}},
		{"scope=device&value=d1", []string{"d1"}},
		{"value=d1", []string{"d1"}},
		{"scopes=device,range", []string{"192.0.2.0/24", "2001:db8::/48", "d1"}},
		{"", []string{"192.0.2.0/24", "192.0.2.1", "2001:db8::/48"}},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			got := ask(t, http.MethodGet, server.URL+"/v1/decisions?"+tt.query)
			var decisions []crowdsecDecision
			if err := json.Unmarshal([]byte(got.body), &decisions); err != nil {
				t.Fatal(err, got.body)
			}
			var values []string
			for _, d := range decisions {
				values = append(values, *d.Value)
			}
			slices.Sort(values)
			if !slices.Equal(values, tt.want) || (tt.want == nil && got.body != "null") {
				t.Errorf("got %q, want %q", values, tt.want)
			}
		})
	}
}

func TestCrowdSecNoticesTwoClientsWithOneKey(t *testing.T) {
	tests := []struct {
		story string
		polls [][2]string // connection and user agent
		want  bool
	}{
		{"one connection", [][2]string{{"1", "a"}, {"1", "a"}, {"1", "a"}}, false},
		{"a new connection for each poll, as nginx does", [][2]string{{"1", "a"}, {"2", "a"}, {"3", "a"}}, false},
		{"two connections taking turns", [][2]string{{"1", "a"}, {"2", "a"}, {"1", "a"}}, true},
		{"another user agent", [][2]string{{"1", "a"}, {"1", "b"}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			p := newPollers()
			noticed := false
			for _, poll := range tt.polls {
				_, _, shared := p.arrive(pollerID{"key", "192.0.2.1"}, poll[1], poll[0])
				noticed = noticed || shared
			}
			if noticed != tt.want {
				t.Errorf("noticed %v, want %v", noticed, tt.want)
			}
		})
	}
}

func TestOfTwoAnswersAtOnceTheFirstCounts(t *testing.T) {
	p := newPollers()
	id := pollerID{"key", "192.0.2.1"}
	_, first, _ := p.arrive(id, "", "1")
	_, second, _ := p.arrive(id, "", "1")
	p.leave(id, poller{placed: true, seq: 5}, first)
	p.leave(id, poller{placed: true, seq: 9}, second)
	if state, _, _ := p.arrive(id, "", "1"); state.seq != 5 {
		t.Errorf("the client's place is %d, want 5: what came after it may not have been read", state.seq)
	}
}

func TestPollersAreBounded(t *testing.T) {
	p := newPollers()
	for i := range maxPollers + 10 {
		id := pollerID{"key", fmt.Sprint(i)}
		_, generation, _ := p.arrive(id, "", "")
		p.leave(id, poller{placed: true}, generation)
	}
	if len(p.all) != maxPollers || p.order.Len() != maxPollers {
		t.Errorf("%d clients remembered, want %d", len(p.all), maxPollers)
	}
	if state, _, _ := p.arrive(pollerID{"key", fmt.Sprint(maxPollers + 9)}, "", ""); !state.placed {
		t.Error("the last client was forgotten instead of the first")
	}
}

func BenchmarkCrowdSecStartup(b *testing.B) {
	l, _ := newTestLog()
	for i := range 100_000 {
		publish(b, l, decision(b, fmt.Sprintf("ip:10.%d.%d.%d", i>>16, i>>8&255, i&255), sundew.ActionBlock, "scan"))
	}
	handler := NewCrowdSec(FeedConfig{}, l, nil, quiet())
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/decisions/stream?startup=true", http.NoBody)
		r.RemoteAddr = "127.0.0.1:40000"
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		b.ReportMetric(float64(w.Body.Len())/100_000, "bytes/entry")
	}
}
