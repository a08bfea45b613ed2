package sundew

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestClientBehindProxies(t *testing.T) {
	trusted, err := NewProxies([]string{"10.0.0.0/8", "2001:db8::1", "::ffff:172.16.0.1"})
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
		{"Forwarded of RFC 7239", "10.0.0.1", []string{`for=192.0.2.9;proto=http, For="[2001:db8::7]:4711";by=203.0.113.43`}, "2001:db8::7"},
		{"Forwarded without an address", "10.0.0.1", []string{"for=_hidden;proto=http"}, "10.0.0.1"},
		{"a zone", "10.0.0.1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"a chain without end", "10.0.0.1", []string{"192.0.2.1," + strings.Repeat("10.0.0.2,", 10_000) + "10.0.0.2"}, "10.0.0.2"},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			if got := trusted.Client(netip.MustParseAddr(tt.peer), tt.forwarded...); got.String() != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestProxiesByName(t *testing.T) {
	p, err := NewProxies([]string{"cloudflare", "private", "2001:db8:1::/48"})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"104.16.0.1": true, "104.32.0.1": false, "2606:4700::1": true, "2606:4701::1": false, "10.1.2.3": true, "::1": true,
		"::2": false, "2001:db8:1::7": true, "2001:db8:2::7": false, "192.0.2.1": false,
	} {
		if got := p.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
	if (*Proxies)(nil).Contains(netip.MustParseAddr("10.0.0.1")) || new(Proxies).Contains(netip.MustParseAddr("10.0.0.1")) {
		t.Error("nobody is believed by default")
	}
	if _, err := NewProxies([]string{"10.0.0.0/8", "cloudfare"}); err == nil || !strings.Contains(err.Error(), `trusted_proxies[1]: "cloudfare" is neither`) {
		t.Errorf("got %v", err)
	}
}

// slowClient splits everything first.
func slowClient(peer netip.Addr, header string, trusted *Proxies) netip.Addr {
	client := peer
	entries := strings.Split(header, ",")
	slices.Reverse(entries)
	for i, entry := range entries {
		addr, ok := hopOf(entry)
		if i >= maxHops || !trusted.Contains(client) || !ok {
			break
		}
		client = addr
	}
	return client
}

func FuzzProxies(f *testing.F) {
	trusted, err := NewProxies([]string{"10.0.0.0/8", "::1"})
	if err != nil {
		f.Fatal(err)
	}
	peer := netip.MustParseAddr("10.0.0.1")
	f.Add("192.0.2.1, 10.0.0.2")
	f.Add("[::1]:80,::1,10.0.0.1:1")
	f.Add(",,")
	f.Add("fe80::1%25,\x00")
	f.Fuzz(func(t *testing.T, header string) {
		got := trusted.Client(peer, header)
		if want := slowClient(peer, header, trusted); got != want {
			t.Fatalf("%q: got %s, want %s", header, got, want)
		}
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%q: %s is not plain", header, got)
		}
		if first, rest, more := strings.Cut(header, ","); more {
			if split := trusted.Client(peer, first, rest); split != got {
				t.Fatalf("%q: in two lines it is %s, in one %s", header, split, got)
			}
		}
	})
}
