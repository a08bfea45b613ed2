package ingest

import (
	"bytes"
	"strings"
	"time"

	"sundew"
)

var _ = addFormat(Format{
	Name:    "aws-alb",
	Aliases: []string{"aws-elb"},
	Help:    "AWS Application and Classic Load Balancer",
	Rank:    rankProduct,
	New:     func() Decoder { return &elbDecoder{assembler: newAssembler()} },
	Likely:  likelyELB,
})

// elbDecoder reads the access logs of AWS's load balancers: the application's begin with a type, the classic's with the
// time, and from there both have the same columns as far as the user agent. What comes behind has no part in an event but
// the trace identifier.
type elbDecoder struct {
	assembler
	plain []byte
}

var elbColumns = []namedField{
	{"time", &field{"", slotTime, alias, setTime}},
	{"elb", nil},
	{"client:port", &field{"", slotClient, alias, setClient}},
	{"target:port", nil},
	{"request_processing_time", nil},
	{"target_processing_time", nil},
	{"response_processing_time", nil},
	{"elb_status_code", &field{"", slotStatus, alias, setStatus}},
	{"target_status_code", nil},
	{"received_bytes", &field{"", slotRequestBytes, vague, setRequestBytes}},
	{"sent_bytes", &field{"", slotResponseBytes, vague, setResponseBytes}},
	{"request", &field{"", slotRequestLine, alias, setLine}},
	{"user_agent", &field{"", slotUserAgent, alias, setUserAgent}},
}

// Decode implements Decoder.
func (d *elbDecoder) Decode(line []byte, e *sundew.Event) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	if line[0] < '0' || line[0] > '9' {
		kind, rest, _ := bytes.Cut(line, []byte(" "))
		if !isELBType(kind) {
			return &LineError{"not a load balancer's line", "want the type http, https, h2, grpcs, ws or wss, or a time, in front"}
		}
		line = rest
	}
	d.reset()
	taken := time.Duration(0)
	for i := range elbColumns {
		var value []byte
		if value, line = cutValue(line); len(value) == 0 || string(value) == "-" {
			continue
		}
		switch c := &elbColumns[i]; {
		case c.name == "request" && bytes.HasPrefix(value, []byte("- ")):
			return ErrNoEvent // a TCP listener
		case c.field != nil:
			value = d.unescaped(value)
			d.put(e, c.field, []byte(c.name), value, value)
		case strings.HasSuffix(c.name, "_time"): // -1 where there was none
			n, _ := parseDecimal(value, int64(time.Second))
			taken += time.Duration(n)
		case c.name != "elb":
			d.attribute(e, []byte(c.name), value)
		}
	}
	e.Duration = taken
	return d.finish(e)
}

func (d *elbDecoder) unescaped(value []byte) []byte {
	if bytes.IndexByte(value, '\\') < 0 {
		return value
	}
	d.plain = unescape(d.plain[:0], value)
	return d.plain
}

// cutValue splits off a word, or what stands in quotes, which may hold blanks.
func cutValue(b []byte) (value, rest []byte) {
	if len(b) > 0 && b[0] == '"' {
		value, rest = cutQuoted(b)
		return value, bytes.TrimLeft(rest, " ")
	}
	value, rest, _ = bytes.Cut(b, []byte(" "))
	return value, bytes.TrimLeft(rest, " ")
}

func isELBType(word []byte) bool {
	switch string(word) {
	case "http", "https", "h2", "grpcs", "ws", "wss":
		return true
	}
	return false
}

func likelyELB(line []byte) bool {
	kind, rest, _ := bytes.Cut(line, []byte(" "))
	if isELBType(kind) {
		line = rest
	}
	word, rest, _ := bytes.Cut(line, []byte(" "))
	if len(word) < 20 || word[4] != '-' || word[10] != 'T' {
		return false
	}
	_, rest, _ = bytes.Cut(rest, []byte(" "))
	word, _, _ = bytes.Cut(rest, []byte(" "))
	_, ok := parseClient(word)
	return ok && bytes.IndexByte(word, ':') > 0
}
