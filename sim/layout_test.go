package sim

import (
	"cmp"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestMemoryDoesNotGrow runs a day of the demonstration: the clients that wait for their turn stay those of the
// population and at most one campaign of each attack, and the heap after hours is what it was.
func TestMemoryDoesNotGrow(t *testing.T) {
	c := Demo(time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC))
	c.Duration = 8 * time.Hour
	traffic, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	most := int(traffic.population.size()) + len(c.Attacks)
	var afterAnHour uint64
	for {
		b, err := traffic.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(traffic.queue) > most {
			t.Fatalf("%d clients wait at %s, at most %d should", len(traffic.queue), b.Events[0].Time, most)
		}
		if afterAnHour == 0 && b.Events[0].Time.Sub(c.Start) > time.Hour {
			afterAnHour = heap()
		}
		if b.Events[0].Time.Sub(c.Start) > c.Duration-10*time.Minute {
			break
		}
	}
	if end := heap(); end > afterAnHour+1<<19 {
		t.Errorf("the heap grew from %d to %d bytes", afterAnHour, end)
	}
	runtime.KeepAlive(traffic)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestAddressesAreReservedOnes(t *testing.T) {
	reserved := []netip.Prefix{
		netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	}
	c := DefaultConfig()
	c.Clients, c.Duration = 5000, 3*time.Hour
	traffic, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, _, err := traffic.NextLabelled(t.Context())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(e.Client) }) {
			t.Fatalf("%s could be anybody's", e.Client)
		}
	}
}

func TestAddressPlansDealEachAddressOnce(t *testing.T) {
	seen := make(map[netip.Addr]int)
	deal := func(t *testing.T, n int, addr netip.Addr) {
		t.Helper()
		if before, dealt := seen[addr]; dealt {
			t.Fatalf("%s is dealt to %d and to %d", addr, before, n)
		}
		seen[addr] = n
	}
	for n := range attackHosts {
		deal(t, n, attackV4(n))
	}
	for n := range 100_000 {
		deal(t, n, attackV6(n, 0))
	}
	for isp := range providers {
		for n := range networksPerProvider * hostsPerNetwork {
			addr, ok := accessV4(isp, n)
			if !ok {
				t.Fatalf("provider %d has no %d'th address", isp, n)
			}
			deal(t, n, addr)
		}
		for n := range 20_000 {
			deal(t, n, accessV6(isp, n, 1))
		}
		if _, ok := accessV4(isp, networksPerProvider*hostsPerNetwork); ok {
			t.Error("a provider deals the addresses of the next")
		}
	}
	for addr := range seen {
		if raw := addr.As4; addr.Is4() && (raw()[3] == 0 || raw()[3] == 255) {
			t.Fatalf("%s is no host", addr)
		}
	}
}

// TestQueueAgainstSorting holds the heap against a list that is sorted before every step.
func TestQueueAgainstSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const end = 1000
	var fast queue
	var slow []turn
	for number := range uint32(200) {
		next := turn{at: time.Duration(rng.IntN(50)), number: number}
		fast.add(next)
		slow = append(slow, next)
	}
	for len(slow) > 0 {
		slices.SortFunc(slow, func(a, b turn) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.number, b.number)) })
		if fast[0] != slow[0] {
			t.Fatalf("the first turn is %+v, want %+v", fast[0], slow[0])
		}
		at := slow[0].at + time.Duration(rng.IntN(100))
		fast.postpone(at, end)
		if slow[0].at = at; at >= end {
			slow = slow[1:]
		}
	}
	if len(fast) != 0 {
		t.Errorf("%d turns are left over", len(fast))
	}
}

func TestGUIDs(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, words := range [][2]uint64{{0, 0}, {1<<64 - 1, 1<<64 - 1}, {0x0123456789abcdef, 0x0123456789abcdef}} {
		if id := guid(words[0], words[1]); !form.MatchString(id) {
			t.Errorf("%q is no version 4 UUID", id)
		}
	}
	if got, want := guid(0x0123456789abcdef, 0x0123456789abcdef), "01234567-89ab-4def-8123-456789abcdef"; got != want {
		t.Errorf("guid %q, want %q", got, want)
	}
}

// TestMixIsSplitMix64 checks against the first outputs of the published generator for the seed 0.
func TestMixIsSplitMix64(t *testing.T) {
	const gamma = 0x9e3779b97f4a7c15
	state := uint64(0)
	for _, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := mix(state); got != want {
			t.Errorf("%#x, want %#x", got, want)
		}
		state += gamma
	}
}

func TestPathsSumToAHundred(t *testing.T) {
	for from, choices := range paths {
		total := 0
		for _, choice := range choices {
			total += choice.percent
		}
		if total != 100 && step(from) >= browsing {
			t.Errorf("step %d leads on for %d of a hundred people", from, total)
		}
	}
}
