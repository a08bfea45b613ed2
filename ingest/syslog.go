package ingest

import (
	"bytes"
	"time"
)

// maxTag bounds a syslog tag, so that a colon far inside a message is not taken for the end of one.
const maxTag = 64

// stripSyslog returns the message behind a syslog header: RFC 5424, RFC 3164, and what rsyslog and journald write into
// files, which lacks the priority and may have a full date; also what container runtimes write. ok is false, and the line returned as it is, where there is
// no such header. It looks at the first bytes before all else, because most lines have none.
func stripSyslog(line []byte) (message []byte, ok bool) {
	rest := line
	if len(rest) > 0 && rest[0] == '<' {
		end := bytes.IndexByte(rest[:min(len(rest), 5)], '>')
		if end < 2 {
			return line, false
		}
		if _, number := digits(rest[1:end]); !number {
			return line, false
		}
		rest = rest[end+1:]
		if message, ok := stripStructured(rest); ok {
			return message, true
		}
	}
	rest, ok = stripDate(rest)
	if !ok {
		return line, false
	}
	if message, ok := bytes.CutPrefix(rest, []byte("stdout F ")); ok { // a container's log file (CRI)
		return message, true
	}
	if message, ok := stripTag(rest); ok { // without a host name, as nginx's option nohostname sends it
		return message, true
	}
	if _, afterHost, found := bytes.Cut(rest, []byte(" ")); found {
		if message, ok := stripTag(afterHost); ok {
			return message, true
		}
	}
	return line, false
}

// stripStructured takes off what RFC 5424, section 6, puts between the priority and the message.
func stripStructured(b []byte) (message []byte, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte("1 "))
	if !ok {
		return nil, false
	}
	for range 5 { // timestamp, host, application, process, message type
		var found bool
		if _, b, found = bytes.Cut(b, []byte(" ")); !found {
			return nil, false
		}
	}
	if b, ok = stripElements(b); !ok {
		return nil, false
	}
	b = bytes.TrimPrefix(b, []byte(" "))
	return bytes.TrimPrefix(b, []byte("\ufeff")), true
}

// stripElements takes off structured data: a hyphen, or elements in brackets whose values may hold escaped brackets.
func stripElements(b []byte) (rest []byte, ok bool) {
	if len(b) > 0 && b[0] == '-' {
		return b[1:], true
	}
	if len(b) == 0 || b[0] != '[' {
		return nil, false
	}
	inValue := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\\' && inValue:
			i++
		case b[i] == '"':
			inValue = !inValue
		case b[i] == ']' && !inValue && (i+1 == len(b) || b[i+1] != '['):
			return b[i+1:], true
		}
	}
	return nil, false
}

// stripDate takes off "Nov 24 10:00:00 " or an RFC 3339 time with a blank behind it.
func stripDate(b []byte) (rest []byte, ok bool) {
	const short = len(time.Stamp)
	if len(b) > short && b[short] == ' ' && monthOf(b[:3]) != 0 && b[3] == ' ' && b[9] == ':' && b[12] == ':' {
		return b[short+1:], true
	}
	if len(b) > 20 && b[4] == '-' && b[7] == '-' && b[10] == 'T' {
		word, rest, found := bytes.Cut(b, []byte(" "))
		if _, valid := parseTimestamp(word); valid && found {
			return rest, true
		}
	}
	return nil, false
}

// stripTag takes off "nginx: " or "nginx[123]: ".
func stripTag(b []byte) (message []byte, ok bool) {
	head := b[:min(len(b), maxTag)]
	end := bytes.IndexByte(head, ' ')
	if end < 2 || head[end-1] != ':' {
		return nil, false
	}
	return b[end+1:], true
}
