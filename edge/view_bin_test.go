package edge

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sundew"
)

// someDecisions are n decisions of all kinds with a few rules, delays and lifetimes; some entities have several.
func someDecisions(t testing.TB, rng *rand.Rand, n int) (ds []sundew.Decision) {
	for range n {
		var entity string
		switch rng.IntN(9) {
		case 0:
			entity = fmt.Sprintf("ip:10.%d.%d.%d", rng.IntN(3), rng.IntN(256), rng.IntN(256))
		case 1:
			entity = fmt.Sprintf("ip:2001:db8::%x:%x", rng.IntN(1<<16), rng.IntN(1<<16))
		case 2:
			entity = fmt.Sprintf("prefix:10.%d.0.0/%d", rng.IntN(256), 16+rng.IntN(9))
		case 3:
			entity = fmt.Sprintf("prefix:2001:db8:%x::/%d", rng.IntN(1<<16), 48+16*rng.IntN(2))
		case 4:
			entity = fmt.Sprintf("device:%08x-9f1c-4e55-b1c2-%012x", rng.Uint32(), rng.Uint64N(1<<48))
		case 5:
			entity = []string{"device:not a guid", "device:7C9E6679-7425-40DE-944B-E07FC1F90AE7", "device:\x00\n\xff"}[rng.IntN(3)]
		case 6:
			entity = fmt.Sprint("account:user ", rng.IntN(50))
		case 7:
			entity = fmt.Sprint("asn:", rng.IntN(50))
		case 8:
			entity = []string{"ip:0.0.0.0", "ip:255.255.255.255", "ip:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "prefix:0.0.0.0/0", "prefix:::ffff:0.0.0.0/96"}[rng.IntN(5)]
		}
		action := sundew.ActionTarpit + sundew.Action(rng.IntN(3))
		d := decision(t, entity, action, fmt.Sprint("rule", rng.IntN(10)), lasting(time.Second+time.Duration(rng.Int64N(int64(1000*time.Hour)))))
		if action == sundew.ActionTarpit {
			d.Delay = time.Duration(1+rng.IntN(4)) * time.Second
		}
		ds = append(ds, d)
	}
	return ds
}

func listOf(ds []sundew.Decision, allow ...sundew.Entity) snapshot {
	byKey := map[string]*item{}
	for _, d := range ds {
		byKey[d.Key()] = &item{decision: d}
	}
	var items []*item
	for _, it := range byKey {
		items = append(items, it)
	}
	return snapshot{newList(items, sundew.Cursor{Epoch: "e", Seq: 7}), monday, newAllowList(allow), func(string) {}, nil}
}

func binaryOf(t testing.TB, s snapshot) []byte {
	t.Helper()
	var buffer bytes.Buffer
	w := bufio.NewWriter(&buffer)
	if err := writeBinary(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// TestBinaryListSaysWhatIsInForce compares with a map that is filled the obvious way.
func TestBinaryListSaysWhatIsInForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 10, 3000} {
		s := listOf(someDecisions(t, rng, n), sundew.Entity{Kind: sundew.KindIP, Key: "10.0.0.1"})
		want := map[sundew.Entity]*sundew.Decision{}
		for _, it := range s.items {
			d := &it.decision
			if before := want[d.Entity]; before == nil || harder(d, before) {
				want[d.Entity] = d
			}
		}
		list, err := ParseBinary(binaryOf(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if list.Cursor != s.cursor || len(list.Allow) != 1 || list.Allow[0].Key != "10.0.0.1" || len(list.Decisions) != len(want) {
			t.Fatalf("%d decisions at %s, allowed %v; want %d", len(list.Decisions), list.Cursor, list.Allow, len(want))
		}
		for i := range list.Decisions {
			got := &list.Decisions[i]
			d := want[got.Entity]
			if d == nil || got.Action != d.Action || got.Delay != d.Delay || got.Rule != d.Rule {
				t.Fatalf("got %+v\nwant %+v", got, d)
			}
			lost, lifetime := d.Expires.Sub(got.Expires), d.Expires.Sub(monday)
			if lost < 0 || lost >= lifetime/2048+time.Second {
				t.Errorf("%s ends %s before its expiry, of %s", got.Entity, lost, lifetime)
			}
		}
	}
}

func TestBinaryListOverHTTP(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	publish(t, l,
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"),
		decision(t, "ip:192.0.2.1", sundew.ActionTarpit, "stuffing"),
		decision(t, "ip:192.0.2.2", sundew.ActionBlock, "scan", narrowed("device:d1")),
		decision(t, "device:d1", sundew.ActionObserve, "scan"),
	)
	got := ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.bin", "Accept-Encoding", "gzip")
	if got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%v", got.header)
	}
	list, err := ParseBinary([]byte(ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.bin").body))
	if err != nil || len(list.Decisions) != 1 {
		t.Fatalf("%+v, %v: want the block alone; the narrowed one cannot be said, and to observe is nothing for an edge", list, err)
	}
	table := new(Table)
	table.Replace(list.Blocklist, list.Allow)
	if table.Len() != 1 || list.Decisions[0].Action != sundew.ActionBlock {
		t.Errorf("%+v", list.Decisions)
	}
}

func TestBinaryListRefusesDamage(t *testing.T) {
	good := binaryOf(t, listOf(someDecisions(t, rand.New(rand.NewPCG(1, 2)), 40)))
	for i := range good {
		if _, err := ParseBinary(good[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes are accepted", i, len(good))
		}
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := ParseBinary(bad); err == nil {
			t.Fatalf("a wrong bit in byte %d is accepted", i)
		}
	}
	head := func(more ...byte) []byte {
		return append([]byte(binaryMagic+"\x01e\x01\x00\x00"), more...) // epoch e, sequence 1, base 0, nobody allowed
	}
	rule := []byte{1, byte(sundew.ActionBlock), 0, 3, 'r', '@', '1'}
	with := func(more ...byte) []byte { return append(head(rule...), more...) }
	for name, tt := range map[string]struct {
		body []byte
		want string
	}{
		"more entries than bytes":      {with(1, 1, 0xff, 0xff, 0xff, 0xff, 0x7f), "announced"},
		"a class that is not there":    {with(1, 1, 1, 0x21, 1, 9, 0, 0), "class 1 of 1"},
		"an address twice":             {with(1, 1, 2, 1, 1, 9, 0, 0, 9, 0, 0), "rise"},
		"an address beyond the last":   {with(1, 1, 2, 4, 255, 255, 255, 255, 9, 0, 1, 1, 9, 0, 0), "too great"},
		"five bytes for an IPv4":       {with(1, 1, 1, 5, 0, 0, 0, 0, 1, 9, 0, 0), "5 bytes"},
		"a device among addresses":     {with(1, 3, 1, 1, 1, 9, 0, 0), "form 1 for kind 3"},
		"a form that is unknown":       {with(9, 1, 0, 0), "form 9"},
		"host bits in a network":       {with(4, 2, 1, 4, 10, 0, 0, 1, 24, 9, 0, 0), "canonical"},
		"an expiry that is its time":   {with(1, 1, 1, 1, 1, 0, 0, 0), "expires"},
		"something behind the end":     {with(0, 0), "after the last"},
		"no end":                       {with(), "EOF"},
		"an action that is unknown":    {head(1, 9, 0, 0, 0), "action 9"},
		"a tarpit without a delay":     {append(head(1, byte(sundew.ActionTarpit), 0, 1, 'r'), 1, 1, 1, 1, 1, 9, 0, 0), "delay"},
		"an allowed entity of no kind": {[]byte(binaryMagic + "\x01e\x01\x00\x01\x03a:b\x00\x00"), "kind"},
	} {
		sum := sha256.Sum256(tt.body)
		if _, err := ParseBinary(append(tt.body, sum[:]...)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tt.want)
		}
	}
}

func TestPackSeconds(t *testing.T) {
	for _, seconds := range []int64{1, 59, 4095, 4096, 4097, 86_400, 30 * 86_400, 10 * 365 * 86_400 / 3} {
		got := unpackSeconds(packSeconds(seconds))
		if got > seconds || float64(got) < float64(seconds)*(1-1./2048) {
			t.Errorf("%d s become %d", seconds, got)
		}
	}
	if got := unpackSeconds(packSeconds(1 << 40)); got < 4*365*86_400 {
		t.Errorf("what lasts longest becomes %d s", got)
	}
}

// FuzzParseBinary has whatever is accepted say the same after being written again.
func FuzzParseBinary(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 5, 40} {
		list := binaryOf(f, listOf(someDecisions(f, rng, n), sundew.Entity{Kind: sundew.KindDevice, Key: "d"}))
		f.Add(list[:len(list)-sha256.Size])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		first, err := ParseBinary(append(slices.Clip(body), sum[:]...))
		if err != nil || len(first.Decisions) == 0 {
			return
		}
		items := make([]*item, len(first.Decisions))
		for i, d := range first.Decisions {
			items[i] = &item{decision: d}
		}
		at := first.Decisions[0].Time
		again, err := ParseBinary(binaryOf(t, snapshot{newList(items, first.Cursor), at, newAllowList(first.Allow), func(string) {}, nil}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(sortedDecisions(first), sortedDecisions(again), func(a, b sundew.Decision) bool {
			return a.ID == b.ID && a.Action == b.Action && a.Delay == b.Delay && a.Expires.Equal(b.Expires)
		}) {
			t.Errorf("%+v\nbecomes %+v", first, again)
		}
	})
}

func sortedDecisions(b Binary) []sundew.Decision {
	ds := slices.Clone(b.Decisions)
	slices.SortFunc(ds, func(a, b sundew.Decision) int { return inOrder(&a, &b) })
	return ds
}

// BenchmarkBinary writes, reads and applies lists of a million: addresses at random, and device GUIDs.
func BenchmarkBinary(b *testing.B) {
	const n = 1_000_000
	rng := rand.New(rand.NewPCG(9, 10))
	template := decision(b, "ip:192.0.2.1", sundew.ActionTarpit, "scan")
	for _, keys := range []struct {
		name string
		kind sundew.Kind
		key  func() string
	}{
		{"ip", sundew.KindIP, func() string {
			var a [4]byte
			binary.BigEndian.PutUint32(a[:], rng.Uint32())
			return netip.AddrFrom4(a).String()
		}},
		{"guid", sundew.KindDevice, func() string { return guidText(number{rng.Uint64(), rng.Uint64()}.bytes()) }},
	} {
		items := make([]*item, n)
		for i := range items {
			d := template
			d.Entity = sundew.Entity{Kind: keys.kind, Key: keys.key()}
			items[i] = &item{decision: d}
		}
		s := snapshot{newList(items, sundew.Cursor{Epoch: "e", Seq: n}), monday, newAllowList(nil), func(string) {}, nil}
		data := binaryOf(b, s)
		b.Run(keys.name+"/write", func(b *testing.B) {
			for b.Loop() {
				data = binaryOf(b, s)
			}
			b.ReportMetric(float64(len(data))/n, "B/entry")
		})
		b.Run(keys.name+"/apply", func(b *testing.B) {
			table := new(Table)
			for b.Loop() {
				list, err := ParseBinary(data)
				if err != nil {
					b.Fatal(err)
				}
				table.Replace(list.Blocklist, list.Allow)
			}
		})
	}
}
