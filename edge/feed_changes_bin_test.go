package edge

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"slices"
	"testing"
	"time"

	"sundew"
)

// TestBinaryChangesKeepATableEqual carries changes over for a while and compares with a table made of whole lists.
func TestBinaryChangesKeepATableEqual(t *testing.T) {
	l, c := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	rng := rand.New(rand.NewPCG(21, 22))
	table, cursor := NewTable(), l.Cursor()
	var known []sundew.Decision
	for round := range 30 {
		for i, d := range someDecisions(t, rng, 40) {
			d.Time, d.Version = c.now, int64(round*100+i)
			d.Expires = c.now.Add(time.Duration(1+rng.IntN(3000)) * time.Second)
			d.ID = sundew.DecisionID(d.Rule, d.Entity, d.Version)
			publish(t, l, d)
			known = append(known, d)
		}
		for range 10 {
			gone := known[rng.IntN(len(known))]
			l.Withdraw(gone.Entity, gone.Rule)
		}
		c.now = c.now.Add(time.Duration(rng.IntN(600)) * time.Second)
		l.Expire(c.now)

		got := ask(t, http.MethodGet, server.URL+"/feed/v1/changes.bin?cursor="+cursor.String())
		changes, err := ParseBinaryChanges([]byte(got.body))
		if err != nil {
			t.Fatal(err)
		}
		table.ApplyStates(changes.Changes, changes.Allow, changes.Cursor)
		cursor = changes.Cursor

		whole, err := ParseBinary([]byte(ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.bin").body))
		if err != nil {
			t.Fatal(err)
		}
		if cursor != whole.Cursor || cursor != l.Cursor() {
			t.Fatalf("changes lead to %s, the list stands at %s", cursor, whole.Cursor)
		}
		want := NewTable()
		want.Replace(whole.Blocklist, whole.Allow)
		if got, want := statesOf(table, c.now), statesOf(want, c.now); !slices.Equal(got, want) {
			t.Fatalf("round %d: the table has\n%q\nwant\n%q", round, got, want)
		}
	}
	if table.Len() < 100 {
		t.Errorf("%d decisions at the end: this shows little", table.Len())
	}
}

// statesOf is what a table says of each entity now.
func statesOf(t *Table, now time.Time) (states []string) {
	for d := range t.current.Load().all() {
		if now.Before(d.Expires) {
			states = append(states, fmt.Sprint(d.Entity, d.Action, d.Delay, d.Rule))
		}
	}
	slices.Sort(states)
	return states
}

// TestBinaryChangesAreSmall counts the bytes that an edge receives.
func TestBinaryChangesAreSmall(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	rng := rand.New(rand.NewPCG(23, 24))
	start := l.Cursor()
	var ds []sundew.Decision
	const n = 10_000
	for range n {
		ds = append(ds, decision(t, fmt.Sprintf("ip:%d.%d.%d.%d", 1+rng.IntN(223), rng.IntN(256), rng.IntN(256), rng.IntN(256)), sundew.ActionTarpit, "scan"))
	}
	publish(t, l, ds...)
	body := ask(t, http.MethodGet, server.URL+"/feed/v1/changes.bin?cursor="+start.String()).body
	if each := float64(len(body)) / n; each > 8 {
		t.Errorf("a change of an address takes %.1f bytes, at most 8 are wanted", each)
	} else {
		t.Logf("a change of an address takes %.2f bytes", each)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/feed/v1/changes.bin?cursor="+l.Cursor().String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	idle, err := httputil.DumpResponse(answer, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(idle) > 300 {
		t.Errorf("an answer that says nothing takes %d bytes, at most 300 are wanted:\n%q", len(idle), idle)
	}
	t.Logf("an answer that says nothing takes %d bytes with its headers", len(idle))
}

func TestBinaryChangesResetAndRefuse(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	publish(t, l, decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"))
	for path, want := range map[string]int{
		"?cursor=f.0":             http.StatusGone,
		"?cursor=e.9":             http.StatusGone,
		"?cursor=e.0&wait=never":  http.StatusBadRequest,
		"?cursor=e.0&kinds=ghost": http.StatusBadRequest,
		"?cursor=e.0&kinds=ip":    http.StatusOK,
	} {
		if got := ask(t, http.MethodGet, server.URL+"/feed/v1/changes.bin"+path); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
	whole := ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.bin").body
	if _, err := ParseBinaryChanges([]byte(whole)); err == nil {
		t.Error("a list is taken for changes")
	}
	changes := ask(t, http.MethodGet, server.URL+"/feed/v1/changes.bin?cursor=e.0").body
	if _, err := ParseBinary([]byte(changes)); err == nil {
		t.Error("changes are taken for a list")
	}
}
