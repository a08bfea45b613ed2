package sundew

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the canonical JSON object of the event, without a newline, and returns the extended slice. Fields
// that the log did not say are left out; attributes follow the known keys. Reading it back gives an equal event, but
// for Partition and Offset, which are not part of the line.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"timestamp":"`...)
	dst = e.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","client.address":"`...)
	dst = e.Client.AppendTo(dst)
	dst = append(dst, '"')

	dst = appendText(dst, "client.forwarded", e.Forwarded)
	dst = appendText(dst, "http.request.method", e.Method)
	dst = appendText(dst, "server.address", e.Host)
	dst = appendText(dst, "url.path", e.Path)
	dst = appendText(dst, "url.query", e.Query)
	dst = appendText(dst, "http.route", e.Route)
	dst = appendInt(dst, "http.response.status_code", int64(e.Status), e.Status > 0)
	dst = appendInt(dst, "http.request.body.size", e.RequestBytes, e.RequestBytes >= 0)
	dst = appendInt(dst, "http.response.body.size", e.ResponseBytes, e.ResponseBytes >= 0)
	dst = appendSeconds(dst, "http.server.request.duration", e.Duration, e.Duration >= 0)
	dst = appendText(dst, "user_agent.original", e.UserAgent)
	dst = appendText(dst, "http.request.header.referer", e.Referer)

	dst = appendText(dst, "device.id", e.Device)
	dst = appendText(dst, "user.id", e.Account)
	dst = appendText(dst, "api_key.id", e.APIKey)
	dst = appendText(dst, "session.id", e.Session)
	dst = appendText(dst, "tls.client.ja4", e.JA4)
	dst = appendText(dst, "geo.country_iso_code", e.Country)
	dst = appendInt(dst, "client.as.number", int64(e.ASN), e.ASN > 0)
	dst = appendText(dst, "auth.outcome", e.Auth.String())
	dst = appendText(dst, "auth.username", e.AuthUsername)
	dst = appendText(dst, "object.id", e.Object)

	dst = appendText(dst, "attestation.status", e.Attestation.String())
	dst = appendText(dst, "attestation.provider", e.AttestationProvider)
	dst = appendText(dst, "signature.status", e.Signature.String())
	if e.CaptchaScore >= 0 {
		dst = appendKey(dst, "captcha.score")
		dst = strconv.AppendFloat(dst, e.CaptchaScore, 'g', -1, 64)
	}
	dst = appendSeconds(dst, "device.age", e.DeviceAge, e.DeviceAge >= 0)

	dst = appendText(dst, "request.id", e.RequestID)
	dst = appendText(dst, "gateway.id", e.Gateway)
	dst = appendUint(dst, "gateway.epoch", e.GatewayEpoch)
	dst = appendUint(dst, "gateway.sequence", e.GatewaySequence)
	dst = appendText(dst, "edge.action", e.EdgeAction.String())
	dst = appendSeconds(dst, "edge.delay", e.EdgeDelay, e.EdgeDelay > 0)
	dst = appendText(dst, "decision.id", e.DecisionID)
	for _, a := range e.Attributes {
		dst = appendJSONString(append(dst, ','), a.Key)
		dst = appendJSONString(append(dst, ':'), a.Value)
	}
	return append(dst, '}')
}

// appendKey appends a key of the contract, none of which needs escapes.
func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendJSONString(appendKey(dst, key), value)
}

func appendInt(dst []byte, key string, value int64, known bool) []byte {
	if !known {
		return dst
	}
	return strconv.AppendInt(appendKey(dst, key), value, 10)
}

func appendUint(dst []byte, key string, value uint64) []byte {
	if value == 0 {
		return dst
	}
	return strconv.AppendUint(appendKey(dst, key), value, 10)
}

// appendSeconds writes whole nanoseconds as a decimal fraction, so that no precision is lost on the way.
func appendSeconds(dst []byte, key string, d time.Duration, known bool) []byte {
	if !known {
		return dst
	}
	dst = strconv.AppendInt(appendKey(dst, key), int64(d/time.Second), 10)
	fraction := d % time.Second
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := time.Second / 10; fraction > 0; unit /= 10 {
		dst = append(dst, byte('0'+fraction/unit))
		fraction %= unit
	}
	return dst
}

// isPlain says whether a byte stands for itself in a JSON string.
func isPlain(c byte) bool {
	return c >= ' ' && c != '"' && c != '\\' && c < 0x7f
}

// plainPrefix returns how many bytes in front of s stand for themselves, down to a multiple of eight where not all do.
func plainPrefix(s string) int {
	const every, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		quote, backslash := w^('"'*every), w^('\\'*every)
		// A subtraction borrows from the high bit of a byte that is too small, and w+every sets that of 0x7f.
		if (w|(w+every)|(w-' '*every)|(quote-every)|(backslash-every))&high != 0 {
			return i
		}
	}
	for i < len(s) && isPlain(s[i]) {
		i++
	}
	return i
}

const hexDigits = "0123456789abcdef"

// appendJSONString quotes s for JSON (RFC 8259). Bytes that are not UTF-8 become U+FFFD, control characters and the
// line separators U+2028 and U+2029 are escaped.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := plainPrefix(s); i < len(s); {
		c := s[i]
		if isPlain(c) {
			i++
			continue
		}
		size := 1
		var escape []byte
		switch {
		case c == '"' || c == '\\':
			escape = []byte{'\\', c}
		case c < ' ' || c == 0x7f:
			escape = []byte{'\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15]}
		default:
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				escape = []byte("\ufffd")
			case r == '\u2028' || r == '\u2029':
				escape = []byte{'\\', 'u', '2', '0', '2', hexDigits[r&15]}
			}
		}
		if escape != nil {
			dst = append(append(dst, s[start:i]...), escape...)
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}
