package edge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
)

// maxHops bounds the proxies that are believed to stand in a row.
const maxHops = 32

// trustedProxies reads addresses and networks whose X-Forwarded-For is believed.
func trustedProxies(texts []string) (*bart.Lite, error) {
	trusted := new(bart.Lite)
	for i, text := range texts {
		network, ok := parseNetwork(text)
		if addr, err := netip.ParseAddr(text); err == nil {
			addr = plainAddr(addr)
			network, ok = netip.PrefixFrom(addr, addr.BitLen()), true
		}
		if !ok {
			return nil, fmt.Errorf("trusted_proxies[%d]: %q is neither an address nor a network in CIDR notation", i, text)
		}
		trusted.Insert(network)
	}
	return trusted, nil
}

// forwardedClient returns the address that a request comes from: the nearest that is not a trusted proxy. X-Forwarded-For
// is read from right to left, each entry believed only because a trusted proxy wrote it. Where an entry is no address,
// the proxy that wrote it is the answer; where all are trusted, the farthest.
func forwardedClient(peer netip.Addr, forwarded []string, trusted *bart.Lite) netip.Addr {
	client := plainAddr(peer)
	hops := 0
	for _, rest := range slices.Backward(forwarded) {
		for more := true; more; hops++ {
			if hops >= maxHops || !client.IsValid() || !trusted.Contains(client) {
				return client
			}
			var entry string
			entry, rest, more = cutLast(rest)
			addr, ok := forwardedAddr(entry)
			if !ok {
				return client
			}
			client = addr
		}
	}
	return client
}

// cutLast returns what stands behind the last comma, and whether there is something before it.
func cutLast(list string) (last, before string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return list, "", false
	}
	return list[i+1:], list[:i], true
}

// forwardedAddr reads an entry: an address, with a port where the proxy adds one.
func forwardedAddr(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return plainAddr(addr), true
	}
	if withPort, err := netip.ParseAddrPort(entry); err == nil {
		return plainAddr(withPort.Addr()), true
	}
	return netip.Addr{}, false
}
