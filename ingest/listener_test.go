package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sundew"
)

// listening starts a listener in front of a broker with the topics of the contract, one partition each.
func listening(t *testing.T, change func(c *ListenerConfig)) (url string, kafka KafkaConfig, broker *kfake.Cluster) {
	t.Helper()
	kafka, broker = embedded(t)
	if err := EnsureTopics(t.Context(), kafka, 1); err != nil {
		t.Fatal(err)
	}
	c := DefaultListenerConfig()
	change(&c)
	handler, err := NewListener(c, running(t, kafka, ProducerOptions{}), prometheus.NewRegistry(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/ingest/v1/logs", kafka, broker
}

// send posts a body and returns the status, the answer and its headers.
func send(t *testing.T, url string, body []byte, headers map[string]string) (int, map[string]any, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(within10s(t), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var doc map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&doc); err != nil {
		t.Fatalf("status %d without JSON: %v", answer.StatusCode, err)
	}
	return answer.StatusCode, doc, answer.Header
}

func TestPostedLinesAreInTheLogWhenTheAnswerComes(t *testing.T) {
	url, kafka, _ := listening(t, func(*ListenerConfig) {})
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	stamped := event(func(e *sundew.Event) { e.Gateway, e.GatewayEpoch, e.GatewaySequence = "own", 1, 99 })
	body := jsonLine + "\n\n" + "{}\n" + string(stamped.AppendJSON(nil)) + "\n" + jsonLine
	epoch := 7
	encodings := map[string][]byte{"": []byte(body), "identity": []byte(body), "gzip": gzipped(t, body), "zstd": z.EncodeAll([]byte(body), nil)}
	for encoding, content := range encodings {
		headers := map[string]string{
			"Content-Encoding": encoding, "Sundew-Gateway": "gw-1", "Sundew-Epoch": strconv.Itoa(epoch), "Sundew-Sequence": "40",
		}
		epoch++
		status, answer, _ := send(t, url, content, headers)
		want := map[string]any{"accepted": 3.0, "rejected": 1.0, "reasons": map[string]any{"timestamp missing": 1.0}}
		if status != http.StatusAccepted || !reflect.DeepEqual(answer, want) {
			t.Fatalf("%q: %d %v, want 202 %v", encoding, status, answer, want)
		}
	}
	if status, answer, _ := send(t, url+"?format=nginx", []byte(nginxLine+"\r\n"), nil); status != http.StatusAccepted || answer["accepted"] != 1.0 {
		t.Fatalf("nginx: %d %v", status, answer)
	}

	ctx := within10s(t)
	events, _ := take(ctx, t, open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{Format: "json"}), 2*len(encodings)+2) // the line with a stamp of its own counts once
	var got []string
	for _, e := range events[:3] {
		got = append(got, fmt.Sprintf("%s %d %d", e.Gateway, e.GatewayEpoch, e.GatewaySequence))
	}
	if want := []string{"gw-1 7 40", "own 1 99", "gw-1 7 44"}; !reflect.DeepEqual(got, want) {
		t.Errorf("stamps %q, want %q", got, want)
	}
	places := map[letterPlace]bool{} // the store keeps one letter of each
	err = FollowDeadLetters(ctx, kafka, quiet(), nil, func(_ context.Context, _ sundew.Position, letters []sundew.DeadLetter) error {
		for _, l := range letters {
			if l.Source != "http:local" || l.Format != "canonical-json" || l.Line != "{}" || time.Since(l.Time) > time.Minute {
				t.Errorf("dead letter %+v", l)
			}
			places[placeOf(&l)] = true
		}
		if len(places) == len(encodings) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("%d dead letters at places of their own, want %d: %v", len(places), len(encodings), err)
	}
}

// TestABatchThatIsSentAgainCountsOnce sends stamped lines twice, as a gateway does that got no answer, and begins to read
// at every offset.
func TestABatchThatIsSentAgainCountsOnce(t *testing.T) {
	url, kafka, _ := listening(t, func(*ListenerConfig) {})
	stamps := map[string]string{"Sundew-Gateway": "gw-1", "Sundew-Epoch": "7", "Sundew-Sequence": "40"}
	body := []byte(strings.Repeat(jsonLine+"\n", 3) + "{}\n")
	for _, headers := range []map[string]string{stamps, nil, stamps, nil} {
		if status, answer, _ := send(t, url, body, headers); status != http.StatusAccepted || answer["accepted"] != 3.0 {
			t.Fatalf("%d %v", status, answer)
		}
	}
	want := []int64{0, 1, 2, 3, 4, 5, 9, 10, 11}
	for from := range int64(12) {
		left := slices.DeleteFunc(slices.Clone(want), func(offset int64) bool { return offset < from })
		events, _ := take(within10s(t), t, open(t, kafka, TopicRequests, 0, from, TopicOptions{}), len(left))
		var got []int64
		for _, e := range events {
			got = append(got, e.Offset)
		}
		if !slices.Equal(got, left) {
			t.Errorf("from %d: offsets %v, want %v", from, got, left)
		}
	}
	if dead := deadNow(t, kafka, DeadLetterFilter{}); len(dead) != 3 {
		t.Errorf("dead letters %+v, want one of the batch that was sent twice and one of each other", dead)
	}
}

func TestClientsBehindTrustedProxies(t *testing.T) {
	url, kafka, _ := listening(t, func(c *ListenerConfig) { c.TrustedProxies = []string{"cloudflare", "203.0.113.0/24"} })
	lines := []struct{ peer, forwarded, want string }{
		{"104.16.0.9", "192.0.2.7", "192.0.2.7"},
		{"203.0.113.5", "192.0.2.1, 192.0.2.7, 104.16.0.9", "192.0.2.7"},
		{"198.51.100.4", "192.0.2.7", "198.51.100.4"},
		{"104.16.0.9", "192.0.2.7, unknown", "104.16.0.9"},
		{"10.0.0.1", "192.0.2.7", "10.0.0.1"},
	}
	var body strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&body, `%s - - [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-" X-Forwarded-For="%s"`+"\n", l.peer, l.forwarded)
	}
	if status, answer, _ := send(t, url, []byte(body.String()), nil); status != http.StatusAccepted || answer["accepted"] != float64(len(lines)) {
		t.Fatalf("%d %v", status, answer)
	}
	events, _ := take(within10s(t), t, open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{Format: "json"}), len(lines))
	for i, l := range lines {
		if got := events[i].Client.String(); got != l.want {
			t.Errorf("%s, forwarded for %s: client %s, want %s", l.peer, l.forwarded, got, l.want)
		}
	}
	c := DefaultListenerConfig()
	c.TrustedProxies = []string{"akamai"}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), `ingest.trusted_proxies[0]: "akamai" is neither`) {
		t.Errorf("got %v", err)
	}
}

func TestTokens(t *testing.T) {
	token := strings.Repeat("a1", 16)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(strings.Repeat("b2", 16)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(token))
	url, _, _ := listening(t, func(c *ListenerConfig) {
		c.Tokens = []Token{{Name: "any", Hash: hex.EncodeToString(sum[:])}, {Name: "bound", TokenFile: file, Gateway: "gw-2"}}
	})
	foreign := event(func(e *sundew.Event) { e.Gateway = "gw-3" })
	tests := []struct {
		name, authorization, gateway, body string
		status, rejected                   int
	}{
		{"hash", "Bearer " + token, "x", jsonLine, 202, 0},
		{"file", "bearer " + strings.Repeat("b2", 16), "", jsonLine, 202, 0},
		{"line of another gateway", "Bearer " + strings.Repeat("b2", 16), "", string(foreign.AppendJSON(nil)), 202, 1},
		{"header of another gateway", "Bearer " + strings.Repeat("b2", 16), "gw-3", jsonLine, 403, 0},
		{"none", "", "", jsonLine, 401, 0},
		{"wrong", "Bearer " + strings.Repeat("c3", 16), "", jsonLine, 401, 0},
		{"the hash itself", "Bearer " + hex.EncodeToString(sum[:]), "", jsonLine, 401, 0},
		{"basic", "Basic " + token, "", jsonLine, 401, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer, headers := send(t, url, []byte(tt.body), map[string]string{"Authorization": tt.authorization, "Sundew-Gateway": tt.gateway})
			if status != tt.status {
				t.Fatalf("status %d %v, want %d", status, answer, tt.status)
			}
			if rejected, _ := answer["rejected"].(float64); int(rejected) != tt.rejected {
				t.Errorf("answer %v, want %d rejected", answer, tt.rejected)
			}
			if status == 401 && headers.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
		})
	}
}

func TestWhatTheListenerRefuses(t *testing.T) {
	url, kafka, _ := listening(t, func(c *ListenerConfig) { c.MaxBody, c.MaxDecoded = 100_000, 5_000_000 })
	tests := []struct {
		name    string
		query   string
		body    []byte
		headers map[string]string
		status  int
		says    string
	}{
		{"unknown format", "?format=ngnix", []byte(jsonLine), nil, 400, `did you mean \"nginx\"`},
		{"unknown format in a header", "", []byte(jsonLine), map[string]string{"Sundew-Format": "cobol"}, 400, "unknown log format"},
		{"unknown encoding", "", []byte(jsonLine), map[string]string{"Content-Encoding": "br"}, 415, "want gzip, zstd or identity"},
		{"not gzip", "", []byte(jsonLine), map[string]string{"Content-Encoding": "gzip"}, 400, "cannot be read"},
		{"truncated gzip", "", gzipped(t, jsonLine)[:30], map[string]string{"Content-Encoding": "gzip"}, 400, "cannot be read"},
		{"large body", "", make([]byte, 100_001), nil, 413, "larger than 100000 bytes"},
		{"bomb by ratio", "", gzipped(t, strings.Repeat(" ", 4_000_000)), map[string]string{"Content-Encoding": "gzip"}, 413, "when decompressed"},
		{"sequence is a word", "", []byte(jsonLine), map[string]string{"Sundew-Sequence": "one"}, 400, "not a whole number"},
		{"through a proxy", "", []byte(jsonLine), map[string]string{"X-Forwarded-For": "192.0.2.1"}, 403, "configure ingest.tokens"},
		{"from a web page", "", []byte(jsonLine), map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, "web pages"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer, _ := send(t, url+tt.query, tt.body, tt.headers)
			text, _ := json.Marshal(answer["error"])
			if status != tt.status || !strings.Contains(string(text), tt.says) {
				t.Errorf("%d %s, want %d with %s", status, text, tt.status, tt.says)
			}
		})
	}
	s := open(t, kafka, TopicRequests, 0, 0, TopicOptions{})
	if lag, err := s.Lag(within10s(t)); err != nil || lag != 0 {
		t.Errorf("%d records of refused bodies are in the log, %v", lag, err)
	}
}

func TestOnlyThisMachineAndOnlyPost(t *testing.T) {
	kafka, _ := embedded(t)
	p, err := NewProducer(kafka, ProducerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := NewListener(DefaultListenerConfig(), p, nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, peer string
		status       int
	}{{"GET", "127.0.0.1:1", 405}, {"POST", "192.0.2.1:1", 403}, {"POST", "[::ffff:192.0.2.1]:1", 403}, {"POST", "@", 403}} {
		request := httptest.NewRequestWithContext(t.Context(), tt.method, "/ingest/v1/logs", strings.NewReader(jsonLine))
		request.RemoteAddr = tt.peer
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != tt.status {
			t.Errorf("%s from %s: %d %s, want %d", tt.method, tt.peer, answer.Code, answer.Body, tt.status)
		}
	}
}

func TestWithoutABrokerNothingIsAcknowledged(t *testing.T) {
	url, _, broker := listening(t, func(c *ListenerConfig) { c.AckTimeout = 300 * time.Millisecond })
	broker.Close()
	status, answer, headers := send(t, url, []byte(jsonLine), nil)
	if status != http.StatusServiceUnavailable || headers.Get("Retry-After") == "" || !strings.Contains(answer["error"].(string), "send the whole body again") {
		t.Errorf("%d %v, Retry-After %q", status, answer, headers.Get("Retry-After"))
	}
}

func TestTooManyPostsAtOnce(t *testing.T) {
	url, _, broker := listening(t, func(c *ListenerConfig) { c.MaxInFlight = 1 })
	arrived, held := make(chan struct{}, 10), make(chan struct{})
	broker.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		arrived <- struct{}{}
		broker.SleepControl(func() { <-held })
		return nil, nil, false
	})
	first := make(chan int, 1)
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(jsonLine))
		if err != nil {
			first <- 0
			return
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			first <- 0
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		first <- answer.StatusCode
	}()
	<-arrived
	if status, answer, headers := send(t, url, []byte(jsonLine), nil); status != 503 || headers.Get("Retry-After") != "1" {
		t.Errorf("%d %v", status, answer)
	}
	close(held)
	if status := <-first; status != 202 {
		t.Errorf("the first post: %d", status)
	}
}

func TestListenerMetricsHaveFewLabels(t *testing.T) {
	kafka, _ := embedded(t)
	if err := EnsureTopics(t.Context(), kafka, 1); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	handler, err := NewListener(DefaultListenerConfig(), running(t, kafka, ProducerOptions{Registerer: reg}), reg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	body := jsonLine + "\nx1\nx2\n"
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	request.RemoteAddr = "127.0.0.1:9"
	handler.ServeHTTP(httptest.NewRecorder(), request)
	want := `
# HELP sundew_ingest_http_lines_total Lines of acknowledged posts, by result: parsed, skipped, rejected.
# TYPE sundew_ingest_http_lines_total counter
sundew_ingest_http_lines_total{result="parsed"} 1
sundew_ingest_http_lines_total{result="rejected"} 2
sundew_ingest_http_lines_total{result="skipped"} 0
# HELP sundew_ingest_http_rejected_total Lines of acknowledged posts that could not be read, by reason.
# TYPE sundew_ingest_http_rejected_total counter
sundew_ingest_http_rejected_total{reason="format not recognised"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "sundew_ingest_http_lines_total", "sundew_ingest_http_rejected_total"); err != nil {
		t.Error(err)
	}
}

func TestListenerConfigIsChecked(t *testing.T) {
	hash := strings.Repeat("0f", sha256.Size)
	tests := []struct {
		name   string
		change func(c *ListenerConfig)
		want   string
	}{
		{"default", func(*ListenerConfig) {}, ""},
		{"format", func(c *ListenerConfig) { c.Format = "x" }, "ingest.format: unknown log format"},
		{"no time", func(c *ListenerConfig) { c.AckTimeout = 0 }, "must be above 0"},
		{"token without name", func(c *ListenerConfig) { c.Tokens = []Token{{Hash: hash}} }, "ingest.tokens[0]: name"},
		{"two of a name", func(c *ListenerConfig) { c.Tokens = []Token{{Name: "a", Hash: hash}, {Name: "a", Hash: hash}} }, "is taken"},
		{"hash and file", func(c *ListenerConfig) { c.Tokens = []Token{{Name: "a", Hash: hash, TokenFile: "f"}} }, "either hash or token_file"},
		{"the token for its hash", func(c *ListenerConfig) { c.Tokens = []Token{{Name: "a", Hash: "secret"}} }, "not a SHA-256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultListenerConfig()
			tt.change(&c)
			err := c.Validate()
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	short := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(short, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadTokens([]Token{{Name: "a", TokenFile: short}}); err == nil || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("a short token: %v", err)
	}
}
