package ingest

import (
	"bytes"

	"sundew"
)

var _ = addFormat(Format{
	Name:   "nginx-error",
	Help:   "nginx's error log: refused log-ins, limits, missing files and bad requests",
	Rank:   rankProduct,
	New:    func() Decoder { return &nginxErrorDecoder{assembler: newAssembler()} },
	Likely: likelyNginxError,
})

// nginxErrorDecoder reads
//
//	2026/11/24 12:00:00 [error] 7#7: *42 message, client: 192.0.2.7, server: _, request: "GET / HTTP/1.1", host: "h"
//
// Messages about what a client did wrong are events, with the status that the client got; all others, such as those
// about upstreams, are none. Whoever has the access log as well counts such requests twice. nginx writes local time; it
// is taken for UTC.
type nginxErrorDecoder struct{ assembler }

// A blame is a text that messages about clients have, and the status they stand for.
type blame struct {
	text    string
	status  int
	failure bool // of an attempt to log in
}

// blamed finds the first blame whose text the message has and sets what it says.
func blamed(e *sundew.Event, message []byte, blames []blame) bool {
	for i := range blames {
		if !bytes.Contains(message, []byte(blames[i].text)) {
			continue
		}
		e.Status = blames[i].status
		if blames[i].failure {
			e.Auth = sundew.OutcomeFailure
		}
		return true
	}
	return false
}

// nginxBlames gives limits 429, because nginx's own default for them, 503, would count as the service's failure.
var nginxBlames = []blame{
	{"limiting requests", 429, false},
	{"limiting connections", 429, false},
	{"access forbidden by rule", 403, false},
	{"is forbidden", 403, false},
	{"(2: No such file or directory)", 404, false},
	{"is not found", 404, false},
	{"was not found in", 401, true},
	{"password mismatch", 401, true},
	{"no user/password was provided", 401, false},
	{"client login failed", 401, true},
	{"client sent", 400, false},
}

var nginxErrorFields = byName([]field{
	{"client", slotClient, alias, setClient},
	{"request", slotRequestLine, alias, setLine},
	{"host", slotHost, alias, setAuthority},
	{"referrer", slotReferer, alias, setReferer},
})

// Decode implements Decoder.
func (d *nginxErrorDecoder) Decode(line []byte, e *sundew.Event) error {
	line = messageOf(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	if !likelyNginxError(line) {
		return &LineError{"not a line of nginx's error log", "want: year/month/day time [level] process#thread: message"}
	}
	message, context, ok := bytes.Cut(line, []byte(", client: "))
	if !ok {
		return ErrNoEvent
	}
	if !blamed(e, message, nginxBlames) {
		return ErrNoEvent
	}
	d.reset()
	d.put(e, timeField, []byte("time"), line[:nginxErrorTime], line[:nginxErrorTime])
	d.context(e, context)
	if _, text, ok := bytes.Cut(message, []byte(": ")); ok {
		d.attribute(e, []byte("message"), text)
	}
	return d.finish(e)
}

// context reads "192.0.2.7, server: _, request: "GET / HTTP/1.1"".
func (d *nginxErrorDecoder) context(e *sundew.Event, b []byte) {
	name := []byte("client")
	for len(name) > 0 {
		var value []byte
		if len(b) > 0 && b[0] == '"' {
			value, b = cutListed(b)
		} else if value, b, _ = bytes.Cut(b, []byte(", ")); len(b) == 0 {
			b = nil
		}
		if f := nginxErrorFields[string(name)]; f != nil && len(value) > 0 {
			d.put(e, f, name, value, value)
		}
		name, b, _ = bytes.Cut(b, []byte(": "))
	}
}

// cutListed takes a text in quotes and the comma behind it off b.
func cutListed(b []byte) (text, rest []byte) {
	end := bytes.Index(b[1:], []byte(`", `))
	if end < 0 {
		return bytes.TrimSuffix(b[1:], []byte(`"`)), nil
	}
	return b[1 : end+1], b[end+len(`"", `):]
}

const nginxErrorTime = len("2026/11/24 12:00:00")

func likelyNginxError(line []byte) bool {
	return len(line) > nginxErrorTime+2 && line[4] == '/' && line[7] == '/' && line[10] == ' ' && line[13] == ':' &&
		line[nginxErrorTime] == ' ' && line[nginxErrorTime+1] == '['
}
