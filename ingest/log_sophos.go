package ingest

import (
	"bytes"

	"sundew"
)

var _ = addFormat(Format{
	Name: "sophos-utm",
	Help: "Sophos UTM, web filtering log",
	Rank: rankProduct,
	New:  func() Decoder { return &sophosDecoder{assembler: newAssembler()} },
	Likely: func(line []byte) bool {
		return bytes.Contains(line, []byte(`httpproxy[`)) && bytes.Contains(line, []byte(`sub="http"`))
	},
})

// sophosDecoder reads a time, a host, a tag and key="value" pairs. Messages of the proxy about itself have no method and
// are no events; fullreqtime is in microseconds.
type sophosDecoder struct{ assembler }

var sophosFields = byName([]field{
	{"srcip", slotClient, alias, setClient},
	{"method", slotMethod, alias, setMethod},
	{"url", slotTarget, alias, setTargetText},
	{"statuscode", slotStatus, alias, setStatus},
	{"size", slotResponseBytes, vague, setResponseBytes},
	{"referer", slotReferer, alias, setReferer},
	{"ua", slotUserAgent, alias, setUserAgent},
	{"fullreqtime", slotDuration, alias, setMicroseconds},
})

// Decode implements Decoder.
func (d *sophosDecoder) Decode(line []byte, e *sundew.Event) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	start := bytes.Index(line, []byte("httpproxy["))
	if start < 0 {
		return &LineError{"not a Sophos UTM line", `want: time host httpproxy[process]: key="value" ...`}
	}
	d.reset()
	clock, _ := sophosTime(line[:start])
	d.put(e, timeField, []byte("time"), clock, clock)
	_, rest, _ := bytes.Cut(line[start:], []byte("]: "))
	for len(rest) > 0 {
		var key, value []byte
		if key, value, rest = nextPair(rest); len(key) > 0 && len(value) > 0 {
			if bytes.IndexByte(value, '\\') >= 0 {
				d.scratch = unescape(d.scratch[:0], value)
				value = d.scratch
			}
			d.put(e, sophosFields[string(key)], key, value, value)
		}
	}
	if !e.Client.IsValid() && len(d.badAddress) == 0 {
		return ErrNoEvent
	}
	return d.finish(e)
}

// sophosTime finds the appliance's own time, which a relay's syslog header may stand in front of.
func sophosTime(head []byte) ([]byte, bool) {
	for word := range bytes.FieldsSeq(head) {
		if len(word) == len("2023:03:08-15:00:00") && word[4] == ':' && word[10] == '-' {
			return word, true
		}
	}
	word, _, _ := bytes.Cut(head, []byte(" "))
	return word, false
}
