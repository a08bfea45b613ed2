package sundew

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxHops bounds the proxies that are believed to stand in a row.
const maxHops = 32

// Proxies are networks whose word on where a request comes from is believed. The zero value believes nobody. It is not
// changed after it was made, so any number of goroutines may use it.
type Proxies struct {
	networks map[netip.Prefix]struct{}
	bits     []int // the lengths that networks have, longest first; those of IPv6 count from 128 on
}

// contentNetworks are networks that content delivery networks ask origins from, as they publish them.
var contentNetworks = map[string]string{
	// cloudflare.com/ips
	"cloudflare": `103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 104.16.0.0/13 104.24.0.0/14 108.162.192.0/18 131.0.72.0/22
		141.101.64.0/18 162.158.0.0/15 172.64.0.0/13 173.245.48.0/20 188.114.96.0/20 190.93.240.0/20 197.234.240.0/22
		198.41.128.0/17 2400:cb00::/32 2606:4700::/32 2803:f800::/32 2405:b500::/32 2405:8100::/32 2a06:98c0::/29 2c0f:f248::/32`,
	// cloud.google.com/load-balancing/docs/https, "source IP addresses for client packets"
	"google-lb": "130.211.0.0/22 35.191.0.0/16",
	// RFC 1918, RFC 4193, RFC 6598, loopback and link-local: whoever connects from there stands in front of us
	"private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 fc00::/7 fe80::/10 ::1/128",
}

// NewProxies reads addresses, networks in CIDR notation, and the names cloudflare, google-lb and private.
func NewProxies(texts []string) (*Proxies, error) {
	p := &Proxies{networks: map[netip.Prefix]struct{}{}}
	for i, text := range texts {
		if list, ok := contentNetworks[text]; ok {
			for network := range strings.FieldsSeq(list) {
				p.add(netip.MustParsePrefix(network))
			}
			continue
		}
		network, err := netip.ParsePrefix(text)
		if addr, e := netip.ParseAddr(text); e == nil {
			addr = plain(addr)
			network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies[%d]: %q is neither an address, nor a network in CIDR notation, nor one of cloudflare, google-lb, private", i, text)
		}
		p.add(network)
	}
	slices.Sort(p.bits)
	slices.Reverse(p.bits)
	return p, nil
}

func (p *Proxies) add(network netip.Prefix) {
	network = network.Masked()
	p.networks[network] = struct{}{}
	bits := network.Bits()
	if network.Addr().Is6() {
		bits += 128
	}
	if !slices.Contains(p.bits, bits) {
		p.bits = append(p.bits, bits)
	}
}

// Contains reports whether the address, unmapped and without zone, is a proxy's.
func (p *Proxies) Contains(addr netip.Addr) bool {
	if p == nil {
		return false
	}
	for _, bits := range p.bits {
		if bits >= 128 != addr.Is6() {
			continue
		}
		network, err := addr.Prefix(bits % 128)
		if bits == 256 {
			network, err = netip.PrefixFrom(addr, 128), nil
		}
		if _, ok := p.networks[network]; ok && err == nil {
			return true
		}
	}
	return false
}

// Client returns the address that a request comes from: the nearest that is no proxy's. The values of X-Forwarded-For, or
// of Forwarded (RFC 7239), are read from right to left, each entry believed only because a proxy wrote it. Where an entry
// is no address, the proxy that wrote it is the answer; where all are proxies, the farthest.
func (p *Proxies) Client(peer netip.Addr, forwarded ...string) netip.Addr {
	client := plain(peer)
	hops := 0
	for _, rest := range slices.Backward(forwarded) {
		for more := true; more; hops++ {
			if hops >= maxHops || !client.IsValid() || !p.Contains(client) {
				return client
			}
			var entry string
			entry, rest, more = cutLast(rest)
			addr, ok := hopOf(entry)
			if !ok {
				return client
			}
			client = addr
		}
	}
	return client
}

// plain is the form of an address that is compared: IPv4 as IPv4, without a zone.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// cutLast returns what stands behind the last comma, and whether there is something before it.
func cutLast(list string) (last, before string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return list, "", false
	}
	return list[i+1:], list[:i], true
}

// hopOf reads an entry: an address, with a port where the proxy adds one, or the element of Forwarded that has it.
func hopOf(entry string) (netip.Addr, bool) {
	entry = strings.TrimSpace(entry)
	if strings.ContainsAny(entry, "=;") {
		entry = forOf(entry)
	}
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return plain(addr), true
	}
	if withPort, err := netip.ParseAddrPort(entry); err == nil {
		return plain(withPort.Addr()), true
	}
	return netip.Addr{}, false
}

// forOf returns the value of for in "for=192.0.2.1;proto=https".
func forOf(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(name, "for") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
