package ingest

import (
	"bytes"

	"sundew"
)

var _ = addFormat(Format{
	Name:   "haproxy",
	Help:   "HAProxy HTTP and HTTPS log (option httplog, httpslog)",
	Rank:   rankProduct,
	New:    func() Decoder { return &haproxyDecoder{assembler: newAssembler()} },
	Likely: likelyHAProxy,
})

// haproxyDecoder reads the HTTP log of HAProxy (configuration manual, section 8.2.3):
//
//	client:port [time] frontend backend/server timers status bytes cookies state connections queues {captures} "request"
//
// Some put fields of their own between the server and the timers. HAProxy writes local time; it is taken for UTC. A
// connection that carried no request (TCP log, "Connect from") is no event.
type haproxyDecoder struct{ assembler }

var (
	haproxyStatus  = &field{"", slotStatus, alias, setStatus}
	haproxyBytes   = &field{"", slotResponseBytes, vague, setResponseBytes}
	haproxyTotal   = &field{"", slotDuration, alias, setMilliseconds}
	haproxyRequest = &field{"", slotRequestLine, alias, setLine}
)

// Decode implements Decoder.
func (d *haproxyDecoder) Decode(line []byte, e *sundew.Event) error {
	line = messageOf(line)
	if len(line) == 0 || bytes.HasPrefix(line, []byte("Connect from ")) || bytes.HasPrefix(line, []byte("Proxy ")) {
		return ErrNoEvent
	}
	client, rest, _ := bytes.Cut(line, []byte(" ["))
	clock, rest, ok := bytes.Cut(rest, []byte("] "))
	if !ok {
		return &LineError{"not an HAProxy line", `want: client:port [time] frontend backend/server timers status ... "request"`}
	}
	d.reset()
	d.put(e, clientField, []byte("client"), client, client)
	d.put(e, timeField, []byte("time"), clock, clock)
	rest, request, hasRequest := cutRequest(rest)
	if !hasRequest {
		return ErrNoEvent
	}
	d.columns(e, rest)
	d.put(e, haproxyRequest, []byte("request"), request, request)
	return d.finish(e)
}

// cutRequest splits a line in front of its request, which is the first text in quotes and lacks the last quote where
// the line was cut off.
func cutRequest(b []byte) (front, request []byte, ok bool) {
	at := bytes.Index(b, []byte(` "`))
	if at < 0 {
		return b, nil, false
	}
	request, _ = cutQuoted(b[at+1:])
	return b[:at], request, true
}

// columns reads from the frontend to the captures.
func (d *haproxyDecoder) columns(e *sundew.Event, b []byte) {
	frontend, b := cutValue(b)
	backend, b := cutValue(b)
	d.attribute(e, []byte("frontend"), bytes.TrimSuffix(frontend, []byte("~")))
	d.attribute(e, []byte("backend"), backend)
	for len(b) > 0 {
		var word []byte
		word, b = cutValue(b)
		if bytes.Count(word, []byte("/")) < 4 { // five timers
			continue
		}
		total := bytes.TrimPrefix(word[bytes.LastIndexByte(word, '/')+1:], []byte("+"))
		d.put(e, haproxyTotal, []byte("total_time"), total, total)
		break
	}
	status, b := cutValue(b)
	size, b := cutValue(b)
	if string(status) != "-1" {
		d.put(e, haproxyStatus, []byte("status"), status, status)
	}
	size = bytes.TrimPrefix(size, []byte("+"))
	d.put(e, haproxyBytes, []byte("bytes"), size, size)
	if open := bytes.IndexByte(b, '{'); open >= 0 {
		d.attribute(e, []byte("captured"), b[open:])
		b = b[:open]
	}
	if words := bytes.Fields(b); len(words) > 2 {
		d.attribute(e, []byte("termination_state"), words[2])
	}
}

func likelyHAProxy(line []byte) bool {
	client, rest, ok := bytes.Cut(line, []byte(" ["))
	if !ok {
		return bytes.HasPrefix(line, []byte("Connect from "))
	}
	const length = len("06/Feb/2009:12:14:14.655]")
	_, valid := parseClient(client)
	return (valid || bytes.HasPrefix(client, []byte("-:"))) && len(rest) > length && rest[length-1] == ']' && rest[2] == '/' && rest[20] == '.'
}
