package rules

import (
	"net/netip"
	"testing"
	"testing/fstest"
	"time"

	"sundew"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func setOf(t testing.TB, files map[string]string) *Set {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	set, err := Load(fsys, "")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func starter(t testing.TB) *Set {
	t.Helper()
	set, err := Load(Starter(), "pack")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// request is a score of an address that has said nothing else yet.
func request(at time.Duration, path string) sundew.Score {
	event := sundew.NewEvent()
	event.Time = start.Add(at)
	event.Client = netip.MustParseAddr("192.0.2.1")
	event.Method, event.Path, event.Status = "GET", path, 200
	s := sundew.Score{Time: event.Time, Entity: sundew.Entity{Kind: sundew.KindIP, Key: "192.0.2.1"}, Event: &event}
	s.Features[sundew.Requests1h] = 1
	return s
}

// scored is a score that rests on behaviour alone.
func scored(at time.Duration, points float64) sundew.Score {
	s := request(at, "/")
	s.Points, s.Nats = points, points/5
	s.Features[sundew.Requests1h] = 50
	return s
}
