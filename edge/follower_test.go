package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sundew"
)

// A switchboard serves whatever handler is plugged in, and notes what was asked for.
type switchboard struct {
	handler http.Handler
	asked   []string
}

func (s *switchboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, r.URL.Path)
	s.handler.ServeHTTP(w, r)
}

// RoundTrip answers without a network, so that time can be false (testing/synctest).
func (s *switchboard) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.handler == nil {
		return nil, errors.New("connection refused")
	}
	r.RemoteAddr = "127.0.0.1:40000"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

func newTestFollower(t testing.TB, url string, change ...func(*FollowerConfig)) *Follower {
	t.Helper()
	c := DefaultFollowerConfig()
	c.URL, c.Wait = url, time.Millisecond
	for _, f := range change {
		f(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return NewFollower(c, NewTable(), nil, quiet())
}

func acts(table *Table, client string) sundew.Action {
	d, _ := table.Lookup(netip.MustParseAddr(client), "", "", "", monday)
	return d.Action
}

func TestFollower(t *testing.T) {
	l, _ := newTestLog(func(c *LogConfig) { c.Allow = []sundew.Entity{{Kind: sundew.KindIP, Key: "198.51.100.9"}} })
	board := &switchboard{handler: NewFeed(FeedConfig{Keys: []Key{{Name: "a", Hash: hashOf("one")}}}, l, nil, quiet())}
	server := httptest.NewServer(board)
	t.Cleanup(server.Close)
	f := newTestFollower(t, server.URL+"/", func(c *FollowerConfig) {
		c.Key = "one"
		c.Allow = []sundew.Entity{{Kind: sundew.KindIP, Key: "198.51.100.8"}}
	})
	step := func(story string, wantAsked ...string) {
		t.Helper()
		board.asked = nil
		if _, err := f.step(t.Context()); err != nil {
			t.Fatalf("%s: %v", story, err)
		}
		if !slices.Equal(board.asked, wantAsked) {
			t.Errorf("%s: asked for %q, want %q", story, board.asked, wantAsked)
		}
		if got, want := f.table.Cursor(), l.Cursor(); got != want {
			t.Errorf("%s: at %s, want %s", story, got, want)
		}
		if got, want := f.table.current.Load().sum(), l.list().sum(); got != want {
			t.Errorf("%s: the copy differs", story)
		}
	}
	const snapshot, changes = "/feed/v1/snapshot.ndjson", "/feed/v1/changes"

	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"), decision(t, "prefix:198.51.100.0/24", sundew.ActionBlock, "scan"))
	step("a snapshot first", snapshot)
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionTarpit, "scan", version(2)), decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan"))
	l.Withdraw(sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.2"}, "scan")
	step("then changes", changes)
	for client, want := range map[string]sundew.Action{
		"192.0.2.1": sundew.ActionTarpit, "192.0.2.2": sundew.ActionNone, "198.51.100.1": sundew.ActionBlock,
		"198.51.100.9": sundew.ActionNone, // allowed by the control plane
		"198.51.100.8": sundew.ActionNone, // allowed here
	} {
		if got := acts(f.table, client); got != want {
			t.Errorf("%s: %q, want %q", client, got, want)
		}
	}
	step("nothing new", changes)

	l, _ = newTestLog(func(c *LogConfig) { c.Epoch = "f" })
	publish(t, l, decision(t, "ip:192.0.2.3", sundew.ActionBlock, "scan"))
	board.handler = NewFeed(FeedConfig{Keys: []Key{{Name: "a", Hash: hashOf("one")}}}, l, nil, quiet())
	step("after the log was rebuilt, a snapshot", changes, snapshot)

	f.table.Apply([]sundew.Change{{Op: sundew.OpAdd, Decision: decision(t, "ip:192.0.2.4", sundew.ActionBlock, "scan")}}, l.Cursor())
	step("a copy that has one too many is noticed and replaced", changes, snapshot)
	f.table.Apply([]sundew.Change{{Op: sundew.OpAdd, Decision: decision(t, "ip:192.0.2.3", sundew.ActionBlock, "scan", lasting(time.Minute))}}, l.Cursor())
	step("so is one that has another expiry", changes, snapshot)
}

// TestFollowerKeepsItsListWhenTheAnswerIsBad spoils answers in the ways that a fault on the way or a wrong control plane
// does.
func TestFollowerKeepsItsListWhenTheAnswerIsBad(t *testing.T) {
	l, _ := newTestLog()
	for i := range 40 {
		publish(t, l, decision(t, fmt.Sprintf("ip:192.0.2.%d", i), sundew.ActionBlock, "scan"))
	}
	good := ask(t, http.MethodGet, newFeedServer(t, FeedConfig{}, l).URL+"/feed/v1/snapshot.ndjson").body
	lines := strings.SplitAfter(good, "\n")
	tests := []struct {
		story  string
		status int
		body   string
		reason string
	}{
		{"a decision was made softer", http.StatusOK, strings.Replace(good, `"version":1`, `"version":9`, 1), reasonMismatch},
		{"a decision is missing", http.StatusOK, strings.Join(lines[:len(lines)-2], ""), reasonMismatch},
		{"one too many", http.StatusOK, good + lines[1], reasonMismatch},
		{"cut off within a line", http.StatusOK, good[:len(good)-10], "unreachable"},
		{"nothing", http.StatusOK, "", "unreachable"},
		{"a page of somebody else's", http.StatusOK, "<html>\nlog in first\n</html>\n", "malformed"},
		{"a decision that never expires", http.StatusOK, strings.Replace(good, `"expires":"2026-03-02T10`, `"expires":"2026-03-02T08`, 1), "malformed"},
		{"a line without end", http.StatusOK, strings.Repeat("x", maxLineOfFeed+1), "unreachable"},
		{"larger than may be", http.StatusOK, strings.Repeat(good, 100), "too_large"},
		{"too many decisions", http.StatusOK, strings.Replace(good, `"count":40`, `"count":4000000`, 1), "too_long"},
		{"twice as many at once", http.StatusOK, strings.Replace(good, `"count":40`, `"count":81`, 1), "doubled"},
		{"an unknown key", http.StatusUnauthorized, "", "denied"},
		{"a fault", http.StatusInternalServerError, "", "status"},
		{"a redirection to nowhere", http.StatusFound, "", "status"},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			board := &switchboard{handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, good) })}
			server := httptest.NewServer(board)
			defer server.Close()
			f := newTestFollower(t, server.URL, func(c *FollowerConfig) {
				c.MaxBytes, c.MaxEntries, c.FreeGrowth = int64(2*len(good)), 1000, 50
				if tt.reason == "unreachable" {
					c.MaxBytes = 1 << 30
				}
			})
			if err := f.takeSnapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
			board.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			err := f.takeSnapshot(t.Context())
			if err == nil {
				t.Fatal("believed")
			}
			f.refuse(t.Context(), err, 0)
			if got := testutil.ToFloat64(f.metrics.refused.WithLabelValues(tt.reason)); got != 1 {
				t.Errorf("%v is not counted as %s", err, tt.reason)
			}
			if f.table.Len() != 40 || f.table.Cursor() != l.Cursor() || acts(f.table, "192.0.2.7") != sundew.ActionBlock {
				t.Error("the good list is gone")
			}
		})
	}
}

func TestFollowerOutlivesItsControlPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "list.ndjson")
		l := NewLog(LogConfig{Epoch: "e"}, nil)
		l.MarkReady()
		board := &switchboard{handler: NewFeed(FeedConfig{}, l, nil, quiet())}
		live := func(c *FollowerConfig) {
			c.ListFile, c.Wait, c.MaxStale, c.Client = file, 30*time.Second, 10*time.Minute, &http.Client{Transport: board}
		}
		start := time.Now()
		publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", from(start)))

		f := newTestFollower(t, "http://control.example", live)
		stop := runFollower(t, f)
		synctest.Wait()
		publish(t, l, decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan", from(start)))
		synctest.Wait()
		look := func(table *Table, client string) sundew.Action {
			d, _ := table.Lookup(netip.MustParseAddr(client), "", "", "", time.Now())
			return d.Action
		}
		if got := look(f.table, "192.0.2.2"); got != sundew.ActionBlock {
			t.Errorf("a change takes effect at once: got %q", got)
		}
		if list, _, _, err := loadList(file, 10); err != nil || len(list.Decisions) == 0 {
			t.Errorf("the list is on disk before the edge stops: %v", err)
		}
		stop()

		board.handler = nil // the control plane is gone for good, and the edge restarts
		f = newTestFollower(t, "http://control.example", live)
		defer runFollower(t, f)()
		for _, tt := range []struct {
			after time.Duration
			want  sundew.Action
		}{
			{0, sundew.ActionBlock},
			{9 * time.Minute, sundew.ActionBlock},
			{11 * time.Minute, sundew.ActionTarpit},
			{61 * time.Minute, sundew.ActionNone},
		} {
			time.Sleep(time.Until(start.Add(tt.after))) // false time: this is the story's, not a wait for somebody
			synctest.Wait()
			if got := look(f.table, "192.0.2.1"); got != tt.want {
				t.Errorf("after %s: %q, want %q", tt.after, got, tt.want)
			}
		}
		if attempts := testutil.ToFloat64(f.metrics.refused.WithLabelValues("unreachable")); attempts < 50 || attempts > 150 {
			t.Errorf("%v attempts in an hour, want one every half to whole minute", attempts)
		}
	})
}

// runFollower starts f and returns what stops it.
func runFollower(t *testing.T, f *Follower) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestListFile(t *testing.T) {
	l, _ := newTestLog()
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", narrowed("device:d1")), decision(t, "device:d\t\"1", sundew.ActionTarpit, "scan"))
	server := newFeedServer(t, FeedConfig{}, l)
	file := filepath.Join(t.TempDir(), "list.ndjson")
	named := func(c *FollowerConfig) { c.ListFile = file }
	f := newTestFollower(t, server.URL, named)
	if f.restore(t.Context()) {
		t.Error("restored a file that is not there")
	}
	if _, err := f.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.save(t.Context(), 0)

	again := newTestFollower(t, server.URL, named)
	if !again.restore(t.Context()) || again.table.Cursor() != l.Cursor() || again.table.current.Load().sum() != l.list().sum() {
		t.Errorf("restored %d decisions at %s", again.table.Len(), again.table.Cursor())
	}
	left, err := filepath.Glob(file + ".*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, string(text[:len(text)/2]), 0o600)
	damaged := newTestFollower(t, server.URL, named)
	if damaged.restore(t.Context()) || damaged.table.Len() != 0 {
		t.Error("half a list is in force")
	}
	if got := testutil.ToFloat64(damaged.metrics.refused.WithLabelValues("list_file")); got != 1 {
		t.Errorf("counted %v times", got)
	}
}

func TestBackoffDoublesUpToItsBound(t *testing.T) {
	f := newTestFollower(t, "http://control.example")
	for failures, most := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute} {
		for range 100 {
			if got := f.backoff(failures); got < most/2 || got > most {
				t.Fatalf("after %d failures: %s, want %s to %s", failures, got, most/2, most)
			}
		}
	}
	if got := f.backoff(1_000_000); got > time.Minute {
		t.Errorf("after a million failures: %s", got)
	}
}

func TestFollowerConfigNamesTheMistake(t *testing.T) {
	for want, spoil := range map[string]func(*FollowerConfig){
		"url":         func(c *FollowerConfig) { c.URL = "control:8080" },
		"max_backoff": func(c *FollowerConfig) { c.MaxBackoff = time.Millisecond },
		"max_entries": func(c *FollowerConfig) { c.MaxEntries = 0 },
		"allow":       func(c *FollowerConfig) { c.Allow = []sundew.Entity{{Kind: sundew.KindIP, Key: "here"}} },
		"kinds":       func(c *FollowerConfig) { c.Kinds = []string{"person"} },
	} {
		c := DefaultFollowerConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func FuzzFeedLine(f *testing.F) {
	l, _ := newTestLog()
	publish(f, l, decision(f, "ip:192.0.2.1", sundew.ActionTarpit, "scan", narrowed("device:d1")), decision(f, "prefix:2001:db8::/48", sundew.ActionBlock, "scan"))
	raw, _, _, _ := l.delta(sundew.Cursor{Epoch: "e"})
	for _, c := range raw {
		f.Add(appendChange(nil, sundew.Cursor{Epoch: "e", Seq: c.seq}, c.op, c.item.line))
	}
	f.Add([]byte(`{"cursor":"e.7","min_wait_ms":500,"count":123,"list_sha256":"00"}`))
	f.Add([]byte(`{"cursor":"e.7","op":"delete","decision":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		line, err := parseFeedLine(data)
		if err != nil || line.trailer != nil {
			return
		}
		// What is believed can be put on a list, sent on, and read as the same.
		d := line.change.Decision
		table := NewTable()
		table.Apply([]sundew.Change{line.change}, line.cursor)
		again, _ := newTestLog(func(c *LogConfig) { c.Now = func() time.Time { return d.Time } })
		publish(t, again, d)
		for _, it := range again.list().items {
			back, err := parseFeedLine(appendChange(nil, line.cursor, sundew.OpAdd, it.line))
			if err != nil {
				t.Fatalf("sent on, it reads as: %v", err)
			}
			if got, want := sumOfDecisions([]sundew.Decision{back.change.Decision}), again.list().sum(); got != want {
				t.Fatalf("sent on, it is another decision:\n%+v\n%+v", d, back.change.Decision)
			}
		}
	})
}
