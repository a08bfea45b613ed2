package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sundew"
	"sundew/store"
)

const testPseudonyms = "2026-01-01 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

// TestPseudonymsFromLogToEdge posts an attack into a sundew that hides who its clients are: the store and the console know
// a pseudonym, edges get the address.
func TestPseudonymsFromLogToEdge(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte(testPseudonyms), 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := sundew.ParsePseudonyms(testPseudonyms)
	if err != nil {
		t.Fatal(err)
	}
	const client = "198.51.100.77"
	hidden := names.Address(netip.MustParseAddr(client), time.Now()).String()
	p := startSundew(t, dir, embedded(dir)+"ingest: {privacy: {key_file: "+keys+"}}\n")
	attack := strings.ReplaceAll(bruteForce(40, client), `"url.path"`, `"url.query":"token=hunter2","user.id":"alice","url.path"`)
	if ok, answer := p.post(t.Context(), attack); !ok {
		t.Fatalf("the listener says %s", answer)
	}
	eventually(t, "the edges' list has the address", func() bool {
		return bytes.Contains(p.get(t, "/feed/v1/snapshot.ndjson"), []byte(`"key":"`+client+`"`))
	})
	eventually(t, "the console's list has the pseudonym", func() bool {
		return bytes.Contains(p.get(t, "/api/v1/blocklist"), []byte(`"`+hidden+`"`))
	})
	for _, path := range []string{"/api/v1/blocklist", "/api/v1/decisions", "/api/v1/overview", "/api/v1/entities/ip/" + hidden} {
		if page := p.get(t, path); bytes.Contains(page, []byte(client)) || bytes.Contains(page, []byte("alice")) || bytes.Contains(page, []byte("hunter2")) {
			t.Errorf("%s tells who the client is: %s", path, page)
		}
	}
	p.end(t, syscall.SIGTERM)

	c := store.DefaultDuckDBConfig()
	c.Path = filepath.Join(dir, "data", "store.duckdb")
	db, err := store.OpenDuckDB(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	timeline, err := db.Timeline(t.Context(), sundew.Entity{Kind: sundew.KindIP, Key: hidden},
		sundew.Range{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(timeline.Events) != 40 {
		t.Fatalf("%d requests of the pseudonym are stored, want 40", len(timeline.Events))
	}
	for _, e := range timeline.Events {
		if e.Query != "token=" || e.Account != names.Name("alice", e.Time) || !strings.HasPrefix(e.Path, "/v1/login") {
			t.Fatalf("stored as %s", e.AppendJSON(nil))
		}
	}
}

// TestRevealedDecisions leaves out what cannot be revealed: an edge must not get a pseudonym.
func TestRevealedDecisions(t *testing.T) {
	names, err := sundew.ParsePseudonyms(testPseudonyms)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	plain := sundew.AppendNetworks(nil, netip.MustParseAddr("192.0.2.7"))
	hidden := sundew.AppendNetworks(nil, names.Address(netip.MustParseAddr("192.0.2.7"), now))
	device := sundew.Entity{Kind: sundew.KindDevice, Key: "d"}
	ds := []sundew.Decision{
		{ID: "ip", Time: now, Entity: hidden[0], Pseudonyms: true},
		{ID: "prefix", Time: now, Entity: hidden[1], Pseudonyms: true},
		{ID: "device", Time: now, Entity: device, And: []sundew.Entity{hidden[0]}, Pseudonyms: true},
		{ID: "of a key that is gone", Time: now.AddDate(-1, 0, 0), Entity: hidden[0], Pseudonyms: true},
		{ID: "narrowed by one", Time: now.AddDate(-1, 0, 0), Entity: device, And: []sundew.Entity{hidden[0]}, Pseudonyms: true},
		{ID: "from before the pseudonyms", Time: now, Entity: plain[0]},
	}
	got := reveal(names, ds)
	want := []sundew.Decision{
		{ID: "ip", Time: now, Entity: plain[0]},
		{ID: "prefix", Time: now, Entity: plain[1]},
		{ID: "device", Time: now, Entity: device, And: []sundew.Entity{plain[0]}},
		{ID: "from before the pseudonyms", Time: now, Entity: plain[0]},
	}
	if a, b := asJSON(t, got), asJSON(t, want); a != b {
		t.Errorf("got %s, want %s", a, b)
	}
	if ds[2].And[0] != hidden[0] {
		t.Error("the decisions of the topic were changed")
	}
	if got := reveal(nil, ds); len(got) != 1 || got[0].ID != "from before the pseudonyms" {
		t.Errorf("without the keys edges would get %s", asJSON(t, got))
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
