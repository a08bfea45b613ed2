package ingest

import (
	"bytes"

	"sundew"
)

var _ = addFormat(Format{
	Name:   "apache-error",
	Help:   "Apache's error log: refused log-ins, denied and missing files, ModSecurity's blocks",
	Rank:   rankProduct,
	New:    func() Decoder { return &apacheErrorDecoder{assembler: newAssembler()} },
	Likely: likelyApacheError,
})

// apacheErrorDecoder reads
//
//	[Tue Nov 24 12:00:00.123456 2026] [auth_basic:error] [pid 7] [client 192.0.2.7:5000] AH01617: user eve: ...
//
// with the same choice of messages as nginx's error log, and the same caution about time and the access log.
type apacheErrorDecoder struct{ assembler }

var apacheBlames = []blame{
	{"ModSecurity: Access denied", 403, false},
	{"authentication failure for", 401, true},
	{" not found: ", 401, true},
	{"client denied by server configuration", 403, false},
	{"File does not exist", 404, false},
	{"not found or unable to stat", 404, false},
	{"Invalid URI in request", 400, false},
	{"request failed: ", 400, false},
}

var apacheErrorPath = &field{"", slotTarget, alias, setTargetText}

// Decode implements Decoder.
func (d *apacheErrorDecoder) Decode(line []byte, e *sundew.Event) error {
	line = messageOf(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	if !likelyApacheError(line) {
		return &LineError{"not a line of Apache's error log", "want: [time] [module:level] [pid n] [client address:port] message"}
	}
	clock, rest, _ := bytes.Cut(line[1:], []byte("]"))
	_, rest, ok := bytes.Cut(rest, []byte("[client "))
	client, message, closed := bytes.Cut(rest, []byte("]"))
	if !ok || !closed {
		return ErrNoEvent
	}
	if !blamed(e, message, apacheBlames) {
		return ErrNoEvent
	}
	d.reset()
	d.put(e, timeField, []byte("time"), clock, clock)
	if bytes.Contains(line, []byte("[pid ")) { // 2.4, which writes a port
		client = withoutPort(client)
	}
	d.put(e, clientField, []byte("client"), client, client)
	d.path(e, message)
	d.attribute(e, []byte("message"), bytes.TrimSpace(message))
	return d.finish(e)
}

// withoutPort takes off the port, which stands behind IPv6 addresses without brackets too.
func withoutPort(client []byte) []byte {
	if colon := bytes.LastIndexByte(client, ':'); colon > 0 {
		return client[:colon]
	}
	return client
}

// path finds the path where a message has one: authentication failure for "/x", [uri "/x"].
func (d *apacheErrorDecoder) path(e *sundew.Event, message []byte) {
	for _, front := range []string{`[uri "`, `failure for "`} {
		if _, rest, ok := bytes.Cut(message, []byte(front)); ok {
			path, _, _ := bytes.Cut(rest, []byte(`"`))
			d.put(e, apacheErrorPath, []byte("uri"), path, path)
			return
		}
	}
}

func likelyApacheError(line []byte) bool {
	return len(line) > 27 && line[0] == '[' && line[4] == ' ' && monthOf(line[5:8]) != 0 && line[8] == ' ' && line[14] == ':'
}
