package rules

import (
	"net/netip"
	"strings"
)

const decodeRounds = 3

// decodeText undoes what hides a payload from a pattern: percent-encoding up to three times over, IIS's %uXXXX and the
// \xHH that log writers put for bytes, plus signs for spaces, the overlong UTF-8 forms of "/", "." and "\", NUL bytes
// (dropped) and upper case. Text that holds none of these is returned as it is.
func decodeText(text string) string {
	for range decodeRounds {
		decoded := decodeOnce(text)
		if decoded == text {
			break
		}
		text = decoded
	}
	return text
}

func decodeOnce(text string) string {
	at := strings.IndexFunc(text, func(r rune) bool { return r == '%' || r == '\\' || r == '+' || r == 0 || 'A' <= r && r <= 'Z' })
	if at < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		b, width := unescape(text[i:])
		i += width
		if n := len(out); n > 0 && out[n-1] == 0xC0 && 0x80 <= b && b <= 0xBF {
			out, b = out[:n-1], b&0x3F
		}
		if b != 0 {
			out = append(out, lower(b))
		}
	}
	return string(out)
}

// unescape reads the byte that text starts with, escaped or not, and how many bytes it took. text is not empty.
func unescape(text string) (b byte, width int) {
	switch {
	case text[0] == '+':
		return ' ', 1
	case text[0] == '%' && len(text) >= 6 && (text[1] == 'u' || text[1] == 'U') && text[2:4] == "00":
		if v, ok := hexByte(text[4:6]); ok {
			return v, 6
		}
	case text[0] == '%' && len(text) >= 3:
		if v, ok := hexByte(text[1:3]); ok {
			return v, 3
		}
	case text[0] == '\\' && len(text) >= 4 && (text[1] == 'x' || text[1] == 'X'):
		if v, ok := hexByte(text[2:4]); ok {
			return v, 4
		}
	}
	return text[0], 1
}

func hexByte(digits string) (byte, bool) {
	high, ok1 := hexDigit(digits[0])
	low, ok2 := hexDigit(digits[1])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// inNetwork says whether an address lies in a network; text that is none of them is outside.
func inNetwork(address string, network netip.Prefix) bool {
	addr, err := netip.ParseAddr(address)
	return err == nil && network.Contains(addr.Unmap().WithZone(""))
}
