package ingest

import (
	"bytes"
	"net/netip"

	"sundew"
)

// parseClient reads an address as logs write it: alone, in brackets, with a port, with a zone. The result is unmapped
// and has no zone.
func parseClient(b []byte) (netip.Addr, bool) {
	if addr, ok := parseIPv4(b); ok {
		return addr, true
	}
	if len(b) == 0 || len(b) > 64 {
		return netip.Addr{}, false
	}
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || !isPort(b[end+1:]) {
			return netip.Addr{}, false
		}
		b = b[1:end]
	} else if colon := bytes.IndexByte(b, ':'); colon < 0 || (colon == bytes.LastIndexByte(b, ':') && isPort(b[colon:])) {
		return parseIPv4(b[:max(colon, 0)])
	}
	addr, err := netip.ParseAddr(string(b))
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

// isPort accepts the empty text and a colon with up to five digits.
func isPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) > 6 {
		return false
	}
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// parseIPv4 reads dotted decimal as netip.ParseAddr does, without the allocation of a string.
func parseIPv4(b []byte) (netip.Addr, bool) {
	if len(b) < len("0.0.0.0") || len(b) > len("255.255.255.255") {
		return netip.Addr{}, false
	}
	var octets [4]byte
	n, digits, value := 0, 0, 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			if digits > 0 && value == 0 {
				return netip.Addr{}, false // a leading zero means octal to some
			}
			value = value*10 + int(c-'0')
			digits++
			if value > 255 {
				return netip.Addr{}, false
			}
		case c == '.' && digits > 0 && n < 3:
			octets[n] = byte(value)
			n, digits, value = n+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if n != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	octets[3] = byte(value)
	return netip.AddrFrom4(octets), true
}

// ownProxies are left out of a list of hops that stands in place of the client: there a private address is one of us.
var ownProxies = func() *sundew.Proxies {
	p, err := sundew.NewProxies([]string{"private"})
	if err != nil {
		panic(err) // the name above is unknown
	}
	return p
}()

// clientOfList picks the client out of a list of hops, as X-Forwarded-For has them, whose last is the peer. ok is false
// where that is no address.
func clientOfList(list []byte) (client netip.Addr, ok bool) {
	before, last := []byte(nil), list
	if comma := bytes.LastIndexByte(list, ','); comma >= 0 {
		before, last = list[:comma], list[comma+1:]
	}
	peer, ok := parseClient(bytes.TrimSpace(last))
	if !ok || len(before) == 0 {
		return peer, ok
	}
	return ownProxies.Client(peer, string(before)), true
}

// setForwardedClient takes the client from X-Forwarded-For where the log does not name the peer. A peer that it names
// stands until the configuration trusts it: even a private one may only pass on what the client wrote, as a balancer does
// that rewrites addresses and no headers.
func setForwardedClient(e *sundew.Event) {
	if e.Forwarded != "" && !e.Client.IsValid() {
		e.Client, _ = clientOfList([]byte(e.Forwarded))
	}
}

// hostOnly takes user information and port off the authority of a URL.
func hostOnly(authority []byte) []byte {
	if at := bytes.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	if len(authority) > 0 && authority[0] == '[' {
		if end := bytes.IndexByte(authority, ']'); end > 0 {
			return authority[1:end]
		}
		return authority
	}
	if colon := bytes.LastIndexByte(authority, ':'); colon >= 0 && colon == bytes.IndexByte(authority, ':') && isPort(authority[colon:]) {
		return authority[:colon]
	}
	return authority
}
