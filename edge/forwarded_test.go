package edge

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gaissmai/bart"
)

func TestForwardedClient(t *testing.T) {
	trusted, err := trustedProxies([]string{"10.0.0.0/8", "2001:db8::1", "::ffff:172.16.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		story     string
		peer      string
		forwarded []string
		want      string
	}{
		{"no header", "10.0.0.1", nil, "10.0.0.1"},
		{"one proxy", "10.0.0.1", []string{"192.0.2.1"}, "192.0.2.1"},
		{"the peer is nobody we know", "198.51.100.1", []string{"192.0.2.1"}, "198.51.100.1"},
		{"the client wrote something in front", "10.0.0.1", []string{"127.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "10.0.0.1", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"two lines", "10.0.0.1", []string{"203.0.113.5, 192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"everybody is trusted", "10.0.0.1", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"junk stops the walk at who wrote it", "10.0.0.1", []string{"192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"an empty header", "10.0.0.1", []string{""}, "10.0.0.1"},
		{"a port", "10.0.0.1", []string{"192.0.2.1:4711"}, "192.0.2.1"},
		{"IPv6 in brackets with a port", "2001:db8::1", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{"IPv6 in brackets", "2001:db8::1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv4 written as IPv6, peer and client", "::ffff:172.16.0.1", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a zone", "10.0.0.1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"a chain without end", "10.0.0.1", []string{"192.0.2.1," + strings.Repeat("10.0.0.2,", 10_000) + "10.0.0.2"}, "10.0.0.2"},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			if got := forwardedClient(netip.MustParseAddr(tt.peer), tt.forwarded, trusted); got.String() != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// slowForwarded splits everything first.
func slowForwarded(peer netip.Addr, header string, trusted *bart.Lite) netip.Addr {
	client := peer
	entries := strings.Split(header, ",")
	slices.Reverse(entries)
	for i, entry := range entries {
		addr, ok := forwardedAddr(entry)
		if i >= maxHops || !trusted.Contains(client) || !ok {
			break
		}
		client = addr
	}
	return client
}

func FuzzForwarded(f *testing.F) {
	trusted, err := trustedProxies([]string{"10.0.0.0/8", "::1"})
	if err != nil {
		f.Fatal(err)
	}
	peer := netip.MustParseAddr("10.0.0.1")
	f.Add("192.0.2.1, 10.0.0.2")
	f.Add("[::1]:80,::1,10.0.0.1:1")
	f.Add(",,")
	f.Add("fe80::1%25,\x00")
	f.Fuzz(func(t *testing.T, header string) {
		got := forwardedClient(peer, []string{header}, trusted)
		if want := slowForwarded(peer, header, trusted); got != want {
			t.Fatalf("%q: got %s, want %s", header, got, want)
		}
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%q: %s is not plain", header, got)
		}
		if first, rest, more := strings.Cut(header, ","); more {
			if split := forwardedClient(peer, []string{first, rest}, trusted); split != got {
				t.Fatalf("%q: in two lines it is %s, in one %s", header, split, got)
			}
		}
	})
}
