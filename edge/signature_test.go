package edge

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

func newSigner(t testing.TB, files ...string) *Signer {
	t.Helper()
	if len(files) == 0 {
		files = []string{filepath.Join(t.TempDir(), "feed.pem")}
	}
	s, err := LoadSigner(files...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoadSigner(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keys", "feed.pem")
	first := newSigner(t, file)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file has mode %v, %v", info.Mode(), err)
	}
	if again := newSigner(t, file); again.PublicKeys()[0] != first.PublicKeys()[0] {
		t.Error("the next start has another key")
	}
	text, err := first.PublicKeys()[0].MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var read PublicKey
	if err := read.UnmarshalText(text); err != nil || read != first.PublicKeys()[0] {
		t.Errorf("%s is read as %s, %v", text, read, err)
	}
	if err := read.UnmarshalText([]byte("AAAA")); err == nil || !strings.Contains(err.Error(), "/feed/v1/keys") {
		t.Errorf("a short key: %v", err)
	}

	other := func(name string, mode os.FileMode, text []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string][]string{
		"chmod 600":             {other("open.pem", 0o644, good)},
		"no PEM":                {other("junk.pem", 0o600, []byte("junk"))},
		"want Ed25519":          {other("rsa.pem", 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))},
		"0 signing keys":        {},
		"3 signing keys":        {file, file, file},
		"is a directory":        {dir},
		"feed.pem: not a direc": {filepath.Join(file, "feed.pem")},
	} {
		if _, err := LoadSigner(files...); err == nil || (!strings.Contains(err.Error(), want) && want != "is a directory") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// meddler stands between a feed and an edge and changes what passes.
type meddler struct {
	feed   string
	change func(path string, body []byte) []byte
}

func (m *meddler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, m.feed+r.URL.RequestURI(), http.NoBody)
	if err != nil {
		panic(err)
	}
	answer, err := http.DefaultClient.Do(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if m.change != nil && answer.StatusCode == http.StatusOK {
		body = m.change(r.URL.Path, body)
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body)
}

// signedFeed is a log with one block behind a meddler, and a follower that has taken its list.
func signedFeed(t *testing.T, signer *Signer, keys ...PublicKey) (*Log, *clock, *meddler, *Follower) {
	t.Helper()
	l, c := newTestLog(func(c *LogConfig) { c.Allow = []sundew.Entity{{Kind: sundew.KindIP, Key: "203.0.113.9"}} })
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"))
	m := &meddler{feed: newFeedServer(t, FeedConfig{Signer: signer}, l).URL}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	config := DefaultFollowerConfig()
	config.URL, config.Wait, config.PublicKeys = server.URL, 0, keys
	f := NewFollower(config, NewTable(), nil, quiet())
	f.Wait = 0
	return l, c, m, f
}

// TestFollowerOfASignedFeed follows a list and its changes, through a change of keys.
func TestFollowerOfASignedFeed(t *testing.T) {
	dir := t.TempDir()
	old, next := filepath.Join(dir, "old.pem"), filepath.Join(dir, "next.pem")
	both := newSigner(t, old, next)
	stranger := newSigner(t)
	for story, tt := range map[string]struct {
		signer *Signer
		keys   []PublicKey
	}{
		"one key":                         {newSigner(t, old), both.PublicKeys()[:1]},
		"an edge that knows the old one":  {both, both.PublicKeys()[:1]},
		"an edge that knows the new one":  {both, both.PublicKeys()[1:]},
		"an edge that knows others, too":  {newSigner(t, next), append(stranger.PublicKeys(), both.PublicKeys()...)},
		"an edge that asks for nothing":   {both, nil},
		"nobody signs and nobody asks it": {nil, nil},
	} {
		t.Run(story, func(t *testing.T) {
			l, _, _, f := signedFeed(t, tt.signer, tt.keys...)
			for range 2 {
				if _, err := f.step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, l, decision(t, "device:d1", sundew.ActionBlock, "scan"))
			if _, err := f.step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if f.table.Len() != 2 || f.table.Cursor() != l.Cursor() || len(f.allow) != 1 {
				t.Errorf("%d decisions at %s, allowed %v", f.table.Len(), f.table.Cursor(), f.allow)
			}
		})
	}
}

// TestFollowerRefusesForgeries lets a meddler change what a signed feed says. The list that was believed stays.
func TestFollowerRefusesForgeries(t *testing.T) {
	signer, stranger := newSigner(t), newSigner(t)
	replace := func(old, with string) func(string, []byte) []byte {
		return func(_ string, body []byte) []byte { return bytes.Replace(body, []byte(old), []byte(with), 1) }
	}
	unsigned := func(_ string, body []byte) []byte {
		at := bytes.Index(body, []byte(signaturesMember))
		end := at + bytes.IndexByte(body[at:], '\n')
		return append(append(bytes.Clone(body[:at]), '}'), body[end:]...)
	}
	var kept []byte // an answer that is sent again
	for _, tt := range []struct {
		story  string
		first  bool // it happens to the first list; else to the changes after it
		change func(path string, body []byte) []byte
		reason string
	}{
		{"an unsigned list", true, unsigned, reasonUnsigned},
		{"unsigned changes", false, unsigned, reasonUnsigned},
		{"a count that was changed", true, replace(`"count":2`, `"count":1`), reasonForged},
		{"an allow-list that was cut", true, replace(`"allow":["ip:203.0.113.9"],`, ``), reasonForged},
		{"a decision of the list that was changed", true, replace(`"key":"192.0.2.1"`, `"key":"192.0.2.7"`), reasonMismatch},
		{"a change that was changed", false, replace(`"key":"d1"`, `"key":"d2"`), reasonForged},
		{"a change that was left out", false, func(_ string, body []byte) []byte {
			return body[bytes.IndexByte(body, '\n')+1:]
		}, reasonForged},
		{"a list's signature on changes", false, replace(`"from":`, `"fram":`), reasonForged},
		{"signatures that are none", true, replace(`"ed25519":"`, `"ed25519":"!`), reasonForged},
		{"the name of a key that nobody has", true, replace(`"key":"`+signer.PublicKeys()[0].ID(), `"key":"`+stranger.PublicKeys()[0].ID()), reasonUnknownKey},
		{"an answer that was given before", false, func(path string, body []byte) []byte {
			if strings.HasSuffix(path, "changes") {
				if kept == nil {
					kept = body
				}
				return kept
			}
			return body
		}, reasonReplayed},
	} {
		t.Run(tt.story, func(t *testing.T) {
			kept = nil
			l, _, m, f := signedFeed(t, signer, signer.PublicKeys()...)
			if !tt.first {
				if _, err := f.step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			m.change = tt.change
			if tt.reason == reasonReplayed {
				if _, err := f.step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, l, decision(t, "device:d1", sundew.ActionBlock, "scan"))
			before := f.table.Len()
			_, err := f.step(t.Context())
			if err == nil {
				t.Fatal("it is believed")
			}
			f.refuse(t.Context(), err, 0)
			if got := testutil.ToFloat64(f.metrics.refused.WithLabelValues(tt.reason)); got != 1 {
				t.Errorf("%v is not counted as %s", err, tt.reason)
			}
			if f.table.Len() != before {
				t.Errorf("%d decisions, there were %d", f.table.Len(), before)
			}
			m.change = nil
			if _, err := f.step(t.Context()); err != nil || f.table.Len() != 2 {
				t.Errorf("when nobody meddles: %v, %d decisions", err, f.table.Len())
			}
		})
	}
}

func TestFollowerDoesNotGoBack(t *testing.T) {
	signer := newSigner(t)
	l, c, m, f := signedFeed(t, signer, signer.PublicKeys()...)
	var old []byte
	m.change = func(_ string, body []byte) []byte {
		old = body
		return body
	}
	if _, err := f.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.change = nil
	c.now = c.now.Add(10 * time.Minute)
	publish(t, l, decision(t, "device:d1", sundew.ActionBlock, "scan", lasting(2*time.Hour)))
	if _, err := f.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.change = func(string, []byte) []byte { return old }
	err := f.takeSnapshot(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ours of") {
		t.Errorf("an older list of the same log: %v", err)
	}
	// As after a restart of the edge, whose list file says when the last answer came.
	issued := f.issued
	f = NewFollower(f.FollowerConfig, NewTable(), nil, quiet())
	f.issued = issued
	if err := f.takeSnapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "old one") {
		t.Errorf("an older list after a restart: %v", err)
	}
}

func TestFeedShowsItsKeys(t *testing.T) {
	l, _ := newTestLog()
	signer := newSigner(t)
	got := ask(t, http.MethodGet, newFeedServer(t, FeedConfig{Signer: signer}, l).URL+"/feed/v1/keys")
	if want := `{"public_keys":["` + signer.PublicKeys()[0].String() + `"]}` + "\n"; got.body != want {
		t.Errorf("got %swant %s", got.body, want)
	}
	if got := ask(t, http.MethodGet, newFeedServer(t, FeedConfig{}, l).URL+"/feed/v1/keys"); got.body != "{\"public_keys\":[]}\n" {
		t.Errorf("got %s", got.body)
	}
}

// FuzzSignedPart has nothing believed that was not signed as it stands.
func FuzzSignedPart(f *testing.F) {
	signer := newSigner(f)
	line := signer.sign(purposeChanges, []byte(`{"cursor":"e.1","min_wait_ms":500}`))
	f.Add(line)
	f.Add([]byte(`{"a":1,"signatures":[]}`))
	f.Add([]byte(`{"a":1,"signatures":[{"key":"","ed25519":""}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		part, err := signedPart(signer.PublicKeys(), purposeChanges, text)
		if err == nil && !bytes.Equal(part, []byte(`{"cursor":"e.1","min_wait_ms":500}`)) {
			t.Errorf("%q is believed", part)
		}
	})
}
