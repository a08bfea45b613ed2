package ingest

import (
	"bytes"

	"sundew"
)

var _ = addFormat(Format{
	Name:   "squid",
	Help:   "Squid's native access log",
	Rank:   rankProduct,
	New:    func() Decoder { return &squidDecoder{assembler: newAssembler()} },
	Likely: likelySquid,
})

// squidDecoder reads
//
//	seconds.milliseconds elapsed client action/status bytes method URL user hierarchy/peer type
type squidDecoder struct{ assembler }

var squidColumns = []namedField{
	{"time", &field{"", slotTime, alias, setTime}},
	{"elapsed", &field{"", slotDuration, alias, setMilliseconds}},
	{"client", &field{"", slotClient, alias, setClient}},
	{"result", &field{"", slotStatus, alias, setSquidResult}},
	{"bytes", &field{"", slotResponseBytes, vague, setResponseBytes}},
	{"method", &field{"", slotMethod, alias, setSquidMethod}},
	{"url", &field{"", slotTarget, alias, setSquidURL}},
	{"remote_user", nil},
	{"hierarchy", nil},
	{"content_type", nil},
}

// Decode implements Decoder.
func (d *squidDecoder) Decode(line []byte, e *sundew.Event) error {
	line = messageOf(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	d.reset()
	for i := range squidColumns {
		var value []byte
		value, line, _ = bytes.Cut(line, []byte(" "))
		line = bytes.TrimLeft(line, " ")
		if c := &squidColumns[i]; len(value) > 0 && string(value) != "-" {
			d.put(e, c.field, []byte(c.name), value, value)
		}
	}
	if e.Method == "" && d.ranks[slotTime] > 0 {
		return &LineError{"not a Squid line", "want: time elapsed client action/status bytes method URL user hierarchy type"}
	}
	return d.finish(e)
}

func setSquidResult(d *assembler, e *sundew.Event, text []byte) bool {
	action, status, ok := bytes.Cut(text, []byte("/"))
	if !ok || !setStatus(d, e, status) {
		return false
	}
	d.attribute(e, []byte("action"), action)
	return true
}

func setSquidMethod(d *assembler, e *sundew.Event, text []byte) bool {
	return isMethod(text, true) && setMethod(d, e, text)
}

// setSquidURL reads an absolute URL, and host:port behind CONNECT.
func setSquidURL(d *assembler, e *sundew.Event, text []byte) bool {
	d.target(e, splitTarget(text, []byte(e.Method)))
	return true
}

func likelySquid(line []byte) bool {
	seconds, rest, _ := bytes.Cut(line, []byte("."))
	if _, ok := digits(seconds); !ok || len(seconds) < 9 || len(seconds) > 11 {
		return false
	}
	words := bytes.Fields(rest[:min(len(rest), 256)])
	return len(words) > 3 && bytes.IndexByte(words[3], '/') > 0
}
