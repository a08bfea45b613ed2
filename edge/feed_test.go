package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sundew"
)

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// An answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request to a server; headers come as name, value, name, value.
func ask(t testing.TB, method, url string, headers ...string) answer {
	t.Helper()
	return askBody(t, method, url, nil, headers...)
}

func askBody(t testing.TB, method, url string, body io.Reader, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, got.Header, string(text)}
}

func newFeedServer(t testing.TB, c FeedConfig, l *Log) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(NewFeed(c, l, nil, quiet()))
	t.Cleanup(server.Close)
	return server
}

func TestFeedTellsChangesAndProvesThem(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"), decision(t, "device:d1", sundew.ActionTarpit, "scan"))
	l.Withdraw(sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"}, "scan")

	got := ask(t, http.MethodGet, server.URL+"/feed/v1/changes?cursor=e.0")
	lines := strings.Split(strings.TrimSpace(got.body), "\n")
	if got.status != http.StatusOK || len(lines) != 3 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	var first struct {
		Cursor   string          `json:"cursor"`
		Op       string          `json:"op"`
		Decision sundew.Decision `json:"decision"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	if first.Cursor != "e.2" || first.Op != "add" || first.Decision.Entity.Key != "d1" || len(first.Decision.Evidence) != 1 {
		t.Errorf("first line %s", lines[0])
	}
	if !strings.HasPrefix(lines[1], `{"cursor":"e.3","op":"delete","decision":{"id":`) {
		t.Errorf("second line %s", lines[1])
	}
	// The canonical line of the one decision left, written by hand from the documentation of sumOf.
	sum := sha256.Sum256(fmt.Appendf(nil, "device:%q\t%q\t1\ttarpit\t2000\t%d\t\n", "d1", "scan@3", monday.Add(time.Hour).UnixMicro()))
	want := fmt.Sprintf(`{"cursor":"e.3","min_wait_ms":500,"count":1,"list_sha256":"%x"}`, sum)
	if lines[2] != want {
		t.Errorf("trailer %s\nwant    %s", lines[2], want)
	}
}

func TestFeedProvesALargeListNowAndThen(t *testing.T) {
	l, c := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	for i := range sumFiltered + 1 {
		publish(t, l, decision(t, fmt.Sprintf("ip:10.0.%d.%d", i/256, i%256), sundew.ActionBlock, "scan"))
	}
	trailer := func(query string) string {
		t.Helper()
		_, line, _ := strings.Cut(ask(t, http.MethodGet, server.URL+"/feed/v1/changes?cursor="+l.Cursor().String()+query).body, `"min_wait_ms":500`)
		return line
	}
	if got := trailer(""); !strings.Contains(got, `"count":10001,"list_sha256"`) {
		t.Errorf("the first has a proof: %s", got)
	}
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"))
	if got := trailer(""); got != `,"count":10002}`+"\n" {
		t.Errorf("right after it there is a count: %s", got)
	}
	if got := trailer("&kinds=ip"); got != "}\n" {
		t.Errorf("and for a filter nothing: %s", got)
	}
	c.now = c.now.Add(2 * time.Second)
	if got := trailer(""); !strings.Contains(got, `"count":10002,"list_sha256"`) {
		t.Errorf("later there is a proof again: %s", got)
	}
}

func TestFeedResets(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	for _, cursor := range []string{"", "f.0", "e.1", "nonsense", "e.-1"} {
		got := ask(t, http.MethodGet, server.URL+"/feed/v1/changes?cursor="+cursor)
		if got.status != http.StatusGone || !strings.HasPrefix(got.body, `{"reset":true,"cursor":"e.0"`) {
			t.Errorf("cursor %q: %d %s", cursor, got.status, got.body)
		}
	}
}

func TestFeedHoldsARequestUntilTheListChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog(LogConfig{Epoch: "e"}, nil)
		l.MarkReady()
		handler := NewFeed(FeedConfig{}, l, nil, quiet())
		answers := make(chan string, 1)
		request := func(query string) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/feed/v1/changes?"+query, http.NoBody)
			r.RemoteAddr = "127.0.0.1:40000"
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			answers <- w.Body.String()
		}
		go request("cursor=e.0&wait=30s&kinds=ip")
		publish(t, l, decision(t, "device:d1", sundew.ActionBlock, "scan", from(time.Now()))) // not what the client waits for
		synctest.Wait()
		select {
		case got := <-answers:
			t.Fatalf("answered %s before there was something", got)
		default:
		}
		publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", from(time.Now())))
		if got := <-answers; !strings.Contains(got, `"key":"192.0.2.1"`) || strings.Contains(got, `"key":"d1"`) {
			t.Errorf("got %s", got)
		}

		for asked, held := range map[string]time.Duration{"10s": 10 * time.Second, "24h": 30 * time.Second, "0s": 0} {
			start := time.Now()
			request("cursor=e.2&wait=" + asked)
			if got := <-answers; !strings.HasPrefix(got, `{"cursor":"e.2","min_wait_ms"`) {
				t.Errorf("an empty answer is a trailer; got %s", got)
			}
			if got := time.Since(start); got != held {
				t.Errorf("asked for %s: held for %s, want %s", asked, got, held)
			}
		}
	})
}

func TestFeedFilterDeletesWhatLeavesIt(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"))
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionTarpit, "scan", version(2)))
	got := ask(t, http.MethodGet, server.URL+"/feed/v1/changes?cursor=e.1&actions=block")
	if !strings.Contains(got.body, `"op":"delete"`) || strings.Contains(got.body, `"op":"add"`) || !strings.Contains(got.body, `"count":0`) {
		t.Errorf("a client that asked for blocks must hear that the block is one no longer; got %s", got.body)
	}
	for _, query := range []string{"kinds=person", "actions=shout", "wait=soon", "wait=-1s"} {
		if got := ask(t, http.MethodGet, server.URL+"/feed/v1/changes?cursor=e.1&"+query); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", query, got.status)
		}
	}
}

func TestFeedKeys(t *testing.T) {
	l, _ := newTestLog()
	keyed := newFeedServer(t, FeedConfig{Keys: []Key{{Name: "a", Hash: hashOf("one")}, {Name: "b", Hash: strings.ToUpper(hashOf("two"))}}}, l)
	open := newFeedServer(t, FeedConfig{}, l)
	notReady := NewLog(LogConfig{}, nil)
	tests := []struct {
		story   string
		server  *httptest.Server
		headers []string
		want    int
	}{
		{"no key", keyed, nil, http.StatusUnauthorized},
		{"a wrong key", keyed, []string{"Authorization", "Bearer three"}, http.StatusUnauthorized},
		{"the hash is not the key", keyed, []string{"Authorization", "Bearer " + hashOf("one")}, http.StatusUnauthorized},
		{"a bearer", keyed, []string{"Authorization", "Bearer one"}, http.StatusOK},
		{"any case of scheme and hash", keyed, []string{"Authorization", "bearer two"}, http.StatusOK},
		{"an API key", keyed, []string{"X-Api-Key", "one"}, http.StatusOK},
		{"without keys, from this machine", open, nil, http.StatusOK},
		{"without keys, through a proxy on this machine", open, []string{"X-Forwarded-For", "203.0.113.9"}, http.StatusUnauthorized},
		{"while the list is loaded", newFeedServer(t, FeedConfig{}, notReady), nil, http.StatusServiceUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			for _, path := range []string{"/feed/v1/changes?cursor=e.0", "/feed/v1/snapshot.ndjson"} {
				if got := ask(t, http.MethodGet, tt.server.URL+path, tt.headers...); got.status != tt.want {
					t.Errorf("%s: %d %s, want %d", path, got.status, got.body, tt.want)
				}
			}
		})
	}
}

func TestSnapshots(t *testing.T) {
	l, _ := newTestLog(func(c *LogConfig) {
		c.Allow = []sundew.Entity{{Kind: sundew.KindIP, Key: "203.0.113.9"}}
	})
	server := newFeedServer(t, FeedConfig{}, l)
	publish(t, l,
		decision(t, "ip:192.0.2.1", sundew.ActionTarpit, "scan"),
		decision(t, "ip:192.0.2.1", sundew.ActionTarpit, "stuffing", delayed(3*time.Second)),
		decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan"),
		decision(t, "prefix:198.51.100.0/24", sundew.ActionTarpit, "scan"),
		decision(t, "ip:2001:db8::1", sundew.ActionTarpit, "scan"),
		decision(t, "ip:192.0.2.4", sundew.ActionTarpit, "scan", narrowed("device:d1")),
		decision(t, "prefix:203.0.113.0/24", sundew.ActionTarpit, "scan"),
		decision(t, "device:d1", sundew.ActionTarpit, "scan"),
		decision(t, "device:x 9;\nallow", sundew.ActionTarpit, "scan"),
		decision(t, "device:include", sundew.ActionTarpit, "scan"),
		decision(t, "device:~.*", sundew.ActionTarpit, "scan"),
	)
	tests := []struct{ story, path, want string }{
		{"haproxy: addresses and delays", "haproxy", "192.0.2.1 3000\n2001:db8::1 2000\n198.51.100.0/24 2000\n"},
		{"haproxy: blocks are a file of their own", "haproxy?actions=block", "192.0.2.2 block\n"},
		{"haproxy: devices", "haproxy?kinds=device", "d1 2000\ninclude 2000\n"},
		{"nginx: addresses and delays", "nginx", "192.0.2.1 3000;\n2001:db8::1 2000;\n198.51.100.0/24 2000;\n"},
		{"nginx: no client chooses a directive", "nginx?kinds=device", "d1 2000;\n"},
		{"varnish: an ACL for each action", "varnish", "acl sundew_tarpit {\n\t\"192.0.2.1\"/32;\n\t\"2001:db8::1\"/128;\n\t\"198.51.100.0\"/24;\n}\nacl sundew_challenge {\n}\nacl sundew_block {\n\t\"192.0.2.2\"/32;\n}\n"},
		{"ipset: blocks with what is left of them", "ipset", "create sundew4 hash:net family inet maxelem 65536 timeout 0\ncreate sundew6 hash:net family inet6 maxelem 65536 timeout 0\nadd sundew4 192.0.2.2 timeout 3600\n"},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			if got := ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot."+tt.path); got.body != tt.want {
				t.Errorf("got\n%swant\n%s", got.body, tt.want)
			}
		})
	}

	t.Run("ndjson: what a follower reads is what is in force", func(t *testing.T) {
		got := ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.ndjson")
		list, _, allow, err := readSnapshot(strings.NewReader(got.body), asItIs, func(int) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		want := l.Blocklist()
		if list.Cursor != want.Cursor || len(list.Decisions) != len(want.Decisions) || !slices.Equal(allow, l.allow.entities) {
			t.Errorf("got %d decisions at %s, allowed %v", len(list.Decisions), list.Cursor, allow)
		}
		if sumOfDecisions(want.Decisions) != sumOfDecisions(list.Decisions) {
			t.Error("the two differ")
		}
	})
	t.Run("the tag says whether there is something new", func(t *testing.T) {
		url := server.URL + "/feed/v1/snapshot.ndjson"
		got := ask(t, http.MethodHead, url)
		tag := got.header.Get("ETag")
		if want := l.Cursor().String(); got.header.Get("Sundew-Cursor") != want || tag != `"`+want+`"` || got.body != "" {
			t.Errorf("headers %v", got.header)
		}
		if got := ask(t, http.MethodGet, url, "If-None-Match", `"old", W/`+tag); got.status != http.StatusNotModified || got.body != "" {
			t.Errorf("%d %s", got.status, got.body)
		}
		l.Withdraw(sundew.Entity{Kind: sundew.KindDevice, Key: "d1"}, "scan")
		if got := ask(t, http.MethodGet, url, "If-None-Match", tag); got.status != http.StatusOK {
			t.Errorf("%d after a change", got.status)
		}
	})
	t.Run("gzip on demand", func(t *testing.T) {
		url := server.URL + "/feed/v1/snapshot.haproxy"
		for accept, want := range map[string]string{"gzip": "gzip", "br, gzip;q=0.5": "gzip", "gzip;q=0": "", "identity": "", "gzip; q=0.0": ""} {
			got := ask(t, http.MethodGet, url, "Accept-Encoding", accept)
			if got.header.Get("Content-Encoding") != want || (want == "gzip") != strings.HasPrefix(got.body, "\x1f\x8b") {
				t.Errorf("Accept-Encoding %q: %v", accept, got.header)
			}
		}
	})
	if got := ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.xml"); got.status != http.StatusNotFound {
		t.Errorf("an unknown format: %d", got.status)
	}
}

func TestStreamContinuesFromTheLastEvent(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"))
	events := func(ctx context.Context, last string) (*bufio.Scanner, io.Closer) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/feed/v1/stream", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Last-Event-ID", last)
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(got.Body)
		lines.Split(func(data []byte, _ bool) (int, []byte, error) {
			if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
				return i + 2, data[:i], nil
			}
			return 0, nil, nil
		})
		return lines, got.Body
	}
	lines, body := events(t.Context(), "e.0")
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "event: change\nid: e.1\ndata: {\"cursor\":\"e.1\",\"op\":\"add\"") {
		t.Fatalf("first event %q, %v", lines.Text(), lines.Err())
	}
	publish(t, l, decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan"))
	if !lines.Scan() || !strings.Contains(lines.Text(), "192.0.2.2") {
		t.Fatalf("second event %q", lines.Text())
	}
	_ = body.Close()

	lines, body = events(t.Context(), "e.1")
	if !lines.Scan() || !strings.Contains(lines.Text(), "id: e.2") {
		t.Fatalf("after the first event comes the second, got %q", lines.Text())
	}
	_ = body.Close()
}

func TestFeedConfigNamesTheMistake(t *testing.T) {
	tests := []struct {
		story  string
		config FeedConfig
		want   string
	}{
		{"as it comes", DefaultFeedConfig(), ""},
		{"a good key", FeedConfig{Keys: []Key{{Name: "a", Hash: hashOf("x"), Tarpit: "throttle"}}}, ""},
		{"the secret instead of its hash", FeedConfig{Keys: []Key{{Name: "a", Hash: "secret"}}}, "64 hexadecimal digits"},
		{"two keys of one name", FeedConfig{Keys: []Key{{Name: "a", Hash: hashOf("x")}, {Name: "a", Hash: hashOf("y")}}}, "keys[1]"},
		{"an unknown remedy", FeedConfig{Keys: []Key{{Name: "a", Hash: hashOf("x"), Tarpit: "slow"}}}, `"slow"`},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			err := tt.config.Validate()
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	l, _ := newTestLog()
	for i := range 100_000 {
		publish(b, l, decision(b, fmt.Sprintf("ip:10.%d.%d.%d", i>>16, i>>8&255, i&255), sundew.ActionBlock, "scan"))
	}
	handler := NewFeed(FeedConfig{}, l, nil, quiet())
	for b.Loop() {
		l.last = nil // as if every request came after a change
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/feed/v1/snapshot.ndjson", http.NoBody)
		r.RemoteAddr = "127.0.0.1:40000"
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		b.ReportMetric(float64(w.Body.Len())/100_000, "bytes/entry")
	}
}
