package sundew

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const (
	keyA = "2026-01-01 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	keyB = "2026-02-01 202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
)

func pseudonyms(t *testing.T, lines ...string) *Pseudonyms {
	t.Helper()
	p, err := ParsePseudonyms(strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	january  = time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	february = time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
)

// The names are HMAC-SHA-256 of "n" and the name, as OpenSSL computes it:
// printf nalice | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102...
func TestPseudonymsOfNames(t *testing.T) {
	p := pseudonyms(t, "# keys", "", keyA, keyB)
	tests := []struct {
		name string
		at   time.Time
		want string
	}{
		{"alice", january, "10a240861e1167188c3b834abcf41b7d"},
		{"alice", february, "227f1ec5fe9c8556ff67b3eda36b966e"},
		{"alice", time.Time{}, "10a240861e1167188c3b834abcf41b7d"},
		{"", january, ""},
	}
	for _, test := range tests {
		if got := p.Name(test.name, test.at); got != test.want {
			t.Errorf("%q at %s: %s, want %s", test.name, test.at, got, test.want)
		}
	}
}

// TestPseudonymsOfAddressesKeepNetworks holds every pair of addresses to this: their pseudonyms share a network exactly
// where they do, and the key brings each back.
func TestPseudonymsOfAddressesKeepNetworks(t *testing.T) {
	p := pseudonyms(t, keyA, keyB)
	random := rand.New(rand.NewPCG(1, 2))
	var addrs []netip.Addr
	for range 12 { // few values for each part, so that networks are shared
		addrs = append(addrs, netip.AddrFrom4([4]byte{192, 0, byte(random.IntN(2)), byte(random.IntN(256))}),
			netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(random.IntN(2)), 0, byte(random.IntN(2)), 8: byte(random.IntN(256)), 15: 1}))
	}
	addrs = append(addrs, netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("::1"), netip.MustParseAddr("::"))
	for _, at := range []time.Time{january, february} {
		for _, a := range addrs {
			hidden := AppendNetworks(nil, p.Address(a, at))
			for i, e := range AppendNetworks(nil, a) {
				if hidden[i].Kind != e.Kind || hidden[i] == e && a.Is6() {
					t.Fatalf("%v became %v", e, hidden[i])
				}
				if back, ok := p.Reveal(hidden[i], at); !ok || back != e {
					t.Fatalf("%v became %v and then %v, %v", e, hidden[i], back, ok)
				}
			}
			for _, b := range addrs {
				ours, theirs := AppendNetworks(nil, a), AppendNetworks(nil, b)
				other := AppendNetworks(nil, p.Address(b, at))
				for i := range min(len(ours), len(theirs)) {
					if (ours[i] == theirs[i]) != (hidden[i] == other[i]) {
						t.Fatalf("%v and %v became %v and %v", ours[i], theirs[i], hidden[i], other[i])
					}
				}
			}
		}
	}
}

// TestPseudonymsOfAddresses has what another program made of the description: hmac and int.to_bytes of Python.
func TestPseudonymsOfAddresses(t *testing.T) {
	p := pseudonyms(t, keyA)
	for text, want := range map[string]string{
		"192.0.2.7":   "212.133.100.52",
		"192.0.2.8":   "212.133.100.194",
		"2001:db8::7": "e714:585a:8dc6:c45e:c92:695:cd94:84ad",
	} {
		for range 2 { // made, and remembered
			if got := p.Address(netip.MustParseAddr(text), january); got.String() != want {
				t.Errorf("%s became %s, want %s", text, got, want)
			}
		}
	}
}

// TestPseudonymsAreAPermutation goes through a whole network, where a shared pseudonym would show.
func TestPseudonymsAreAPermutation(t *testing.T) {
	p := pseudonyms(t, keyA)
	seen := map[netip.Addr]bool{}
	fixed := 0
	for host := range 256 {
		a := netip.AddrFrom4([4]byte{198, 51, 100, byte(host)})
		hidden := p.Address(a, january)
		seen[hidden] = true
		if hidden.As4()[3] == byte(host) {
			fixed++
		}
	}
	if len(seen) != 256 {
		t.Errorf("256 addresses have %d pseudonyms", len(seen))
	}
	if fixed > 10 { // one is to be expected
		t.Errorf("%d of 256 hosts are unchanged", fixed)
	}
}

func TestPseudonymsOfOtherKeysAndTimes(t *testing.T) {
	p := pseudonyms(t, keyB, keyA) // in whatever order
	a := netip.MustParseAddr("192.0.2.7")
	before, after := p.Address(a, february.Add(-time.Nanosecond)), p.Address(a, february)
	if before == after || before != pseudonyms(t, keyA).Address(a, february) || after != pseudonyms(t, keyB).Address(a, january) {
		t.Errorf("%s under the first key, %s under the second", before, after)
	}
	hidden := Entity{KindIP, before.String()}
	if back, ok := pseudonyms(t, keyB).Reveal(hidden, january); ok {
		t.Errorf("without its key %v is taken for %v", hidden, back)
	}
	for _, e := range []Entity{{KindAccount, "x"}, {KindASN, "64500"}} {
		if back, ok := p.Reveal(e, january); !ok || back != e {
			t.Errorf("%v became %v, %v", e, back, ok)
		}
	}
	if back, ok := p.Reveal(Entity{KindPrefix, "10.0.0.0/8"}, january); ok {
		t.Errorf("a network that nobody is scored with is taken for %v", back)
	}
}

func TestPseudonymKeysThatAreRefused(t *testing.T) {
	short := hex.EncodeToString(make([]byte, 31))
	for text, want := range map[string]string{
		"":                                "there is no key",
		"# nothing":                       "there is no key",
		"2026-13-01 " + keyA[11:]:         "line 1: want a date and a key",
		"\n2026-01-01 " + short:           "line 2: the key is not 32 bytes",
		"2026-01-01 password":             "line 1: the key is not 32 bytes",
		fmt.Sprint(keyA, "\n", keyA):      "two keys for 2026-01-01",
		"2026-01-01" + "\t" + keyA[11:30]: "line 1: want a date and a key",
	} {
		if _, err := ParsePseudonyms(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func BenchmarkPseudonymOfNewAddress(b *testing.B) {
	p, err := ParsePseudonyms(keyA)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.keys[0].address(netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}), hide)
	}
}

func BenchmarkPseudonymOfKnownAddress(b *testing.B) {
	p, err := ParsePseudonyms(keyA)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	a := netip.MustParseAddr("192.0.2.7")
	for b.Loop() {
		p.Address(a, january)
	}
}
