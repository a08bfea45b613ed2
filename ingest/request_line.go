package ingest

import (
	"bytes"

	"sundew"
)

// target is the parts of a request target (RFC 9112, section 3.2). A nil part was not there.
type target struct{ host, path, query []byte }

// splitRequestLine takes "METHOD target HTTP/version" apart. Clients send anything: spaces in the target and a missing
// version are read, and ok is false for what is no request line at all, such as a TLS handshake.
func splitRequestLine(line []byte) (method, rest []byte, ok bool) {
	line = withoutVersion(line)
	method, rest, found := bytes.Cut(line, []byte(" "))
	if !found {
		return method, nil, len(method) >= 3 && isMethod(method, false)
	}
	return method, bytes.TrimLeft(rest, " "), isMethod(method, true)
}

func withoutVersion(line []byte) []byte {
	const one = " HTTP/1.1"
	if i := len(line) - len(one); i >= 0 && string(line[i:]) == one {
		return line[:i]
	}
	if i := bytes.LastIndexByte(line, ' '); i >= 0 && bytes.HasPrefix(line[i+1:], []byte("HTTP/")) {
		return line[:i]
	}
	return line
}

// isMethod accepts a token of at most 32 letters, hyphens and underscores.
func isMethod(b []byte, lowerToo bool) bool {
	if len(b) == 0 || len(b) > 32 {
		return false
	}
	for _, c := range b {
		switch {
		case 'A' <= c && c <= 'Z', c == '-', c == '_':
		case lowerToo && 'a' <= c && c <= 'z':
		default:
			return false
		}
	}
	return true
}

// splitTarget takes the origin form, the absolute form and the authority form of CONNECT apart; the query begins behind
// the first question mark.
func splitTarget(b []byte, method []byte) target {
	if string(method) == "CONNECT" {
		return target{host: hostOnly(b)}
	}
	var t target
	if scheme := schemeOf(b); scheme > 0 {
		authority := b[scheme+len("://"):]
		end := bytes.IndexAny(authority, "/?")
		if end < 0 {
			end = len(authority)
		}
		t.host = hostOnly(authority[:end])
		b = authority[end:]
		if len(b) == 0 || b[0] == '?' {
			t.path = []byte("/")
		}
	}
	if question := bytes.IndexByte(b, '?'); question >= 0 {
		b, t.query = b[:question], b[question+1:]
	}
	if len(b) > 0 {
		t.path = b
	}
	return t
}

// schemeOf returns the length of the scheme that b begins with, 0 where there is none.
func schemeOf(b []byte) int {
	if len(b) == 0 || b[0] == '/' {
		return 0
	}
	if scheme := bytes.Index(b, []byte("://")); scheme <= len("https") {
		return max(scheme, 0)
	}
	return 0
}

// setRequestLine fills method, host, path and query, and reports whether line was a request line.
func setRequestLine(e *sundew.Event, line []byte, t *texts) bool {
	method, rest, ok := splitRequestLine(line)
	if !ok {
		if len(line) > 0 && line[0] == '/' {
			setTarget(e, splitTarget(line, nil), t)
			return true
		}
		return false
	}
	e.Method = t.method(method)
	setTarget(e, splitTarget(rest, method), t)
	return true
}

// setTarget fills what the target says and leaves the rest.
func setTarget(e *sundew.Event, from target, t *texts) {
	if len(from.host) > 0 {
		e.Host = t.lower(from.host, sundew.MaxID)
	}
	if len(from.path) > 0 {
		e.Path = t.once(from.path, sundew.MaxText)
	}
	if len(from.query) > 0 {
		e.Query = t.once(from.query, sundew.MaxText)
	}
}
