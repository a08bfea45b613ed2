package ingest

import (
	"bytes"

	"sundew"
)

// headerFields are the request headers that an event keeps, by lower-case name.
var headerFields = byName([]field{
	{"host", slotHost, vague, setAuthority},
	{"user-agent", slotUserAgent, alias, setUserAgent},
	{"referer", slotReferer, alias, setReferer},
	{"x-forwarded-for", slotForwarded, alias, setForwarded},
	{"x-request-id", slotRequestID, vague, setRequestID},
})

// header puts one request header into the event; others are dropped, because they hold secrets.
func (d *assembler) header(e *sundew.Event, name, value []byte) {
	f := headerFields[string(otherCase(name, 'A'))]
	if f == nil || len(value) == 0 || d.ranks[f.slot] > f.rank || !f.set(d, e, value) {
		return
	}
	d.ranks[f.slot] = f.rank
}

// setHeaderPairs reads [{"name":"Host","value":"h"}, ...].
func setHeaderPairs(d *assembler, e *sundew.Event, array []byte) bool {
	s := jsonScanner{buf: array}
	if !s.byte('[') {
		return false
	}
	var name, value []byte
	for s.byte('{') {
		for s.space() == '"' {
			key, _, _ := s.text()
			if !s.byte(':') || s.space() != '"' {
				return true
			}
			raw, _, ok := s.text()
			if !ok {
				return true
			}
			switch string(key) {
			case "name":
				name, _ = unescapeJSON(name[:0], raw)
			case "value":
				value, _ = unescapeJSON(value[:0], raw)
			}
			s.byte(',')
		}
		d.header(e, name, value)
		name, value = name[:0], value[:0]
		if !s.byte('}') || !s.byte(',') {
			break
		}
	}
	return true
}

// setHeaderLines reads "Host: h\r\nUser-Agent: u", percent-encoded.
func setHeaderLines(d *assembler, e *sundew.Event, text []byte) bool {
	d.scratch = percentDecoded(d.scratch[:0], text)
	for line := range bytes.Lines(d.scratch) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok {
			d.header(e, bytes.TrimSpace(name), bytes.TrimSpace(value))
		}
	}
	return true
}

// percentDecoded appends b to dst with %HH resolved; a percent sign without two digits stands for itself.
func percentDecoded(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			if high, low := hexValue(b[i+1]), hexValue(b[i+2]); high >= 0 && low >= 0 {
				dst = append(dst, byte(high<<4|low))
				i += 2
				continue
			}
		}
		dst = append(dst, b[i])
	}
	return dst
}

// setEncodedUserAgent reads a user agent whose percent signs are encoded once more.
func setEncodedUserAgent(d *assembler, e *sundew.Event, text []byte) bool {
	d.scratch = percentDecoded(d.scratch[:0], text)
	return setUserAgent(d, e, percentDecoded(nil, d.scratch))
}

// setPlusUserAgent reads a user agent with a plus sign for each blank.
func setPlusUserAgent(d *assembler, e *sundew.Event, text []byte) bool {
	d.scratch = append(d.scratch[:0], text...)
	for i, c := range d.scratch {
		if c == '+' {
			d.scratch[i] = ' '
		}
	}
	return setUserAgent(d, e, d.scratch)
}

// setEncodedForwarded is setForwarded for a percent-encoded list.
func setEncodedForwarded(d *assembler, e *sundew.Event, text []byte) bool {
	d.scratch = percentDecoded(d.scratch[:0], text)
	return setForwarded(d, e, d.scratch)
}
