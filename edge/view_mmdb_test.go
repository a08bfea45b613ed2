package edge

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"testing"

	"github.com/oschwald/maxminddb-golang/v2"

	"sundew"
)

type mmdbAnswer struct {
	Action  string `maxminddb:"action"`
	DelayMS uint32 `maxminddb:"delay_ms"`
	Expires uint64 `maxminddb:"expires"`
	Rule    string `maxminddb:"rule"`
}

// TestMMDB looks addresses up with a reader of the format by others, and compares with a search through all decisions.
func TestMMDB(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	var ds []sundew.Decision
	for _, d := range someDecisions(t, rand.New(rand.NewPCG(7, 8)), 1500) {
		if network, ok := networkOf(d.Entity); ok && network.Bits() > 0 {
			ds = append(ds, d)
		}
	}
	publish(t, l, ds...)
	got := ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.mmdb")
	db, err := maxminddb.OpenBytes([]byte(got.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Verify(); err != nil {
		t.Fatal(err)
	}
	if again := ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.mmdb"); again.body != got.body {
		t.Error("the same list is another file")
	}
	rng := rand.New(rand.NewPCG(8, 9))
	hits, inForce := 0, l.Blocklist().Decisions
	for range 3000 {
		network, _ := networkOf(ds[rng.IntN(len(ds))].Entity)
		addr := network.Addr()
		if rng.IntN(2) == 0 {
			addr = addr.Next() // of the same network, or a neighbour
		}
		if !addr.IsValid() {
			continue
		}
		var want *sundew.Decision
		for i := range inForce {
			d := &inForce[i]
			if n, ok := networkOf(d.Entity); ok && n.Contains(addr) && (want == nil || harder(d, want)) {
				want = d
			}
		}
		var answer mmdbAnswer
		found := db.Lookup(addr)
		if err := found.Decode(&answer); err != nil {
			t.Fatal(err)
		}
		if found.Found() != (want != nil) {
			t.Fatalf("%s: found %v, want %v", addr, found.Found(), want)
		}
		if want == nil {
			continue
		}
		hits++
		if answer.Action != want.Action.String() || int64(answer.DelayMS) != want.Delay.Milliseconds() || int64(answer.Expires) != want.Expires.Unix() {
			t.Errorf("%s: %+v, want %s %s until %s", addr, answer, want.Action, want.Delay, want.Expires)
		}
	}
	if hits < 1000 {
		t.Errorf("only %d addresses were listed: this shows little", hits)
	}
	if found := db.Lookup(netip.MustParseAddr("203.0.113.77")); found.Found() {
		t.Error("who is not listed is found")
	}
}
