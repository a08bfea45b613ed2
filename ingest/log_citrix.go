package ingest

import (
	"bytes"

	"sundew"
)

var _ = addFormat(Format{
	Name:   "citrix-waf",
	Help:   "Citrix (NetScaler) Web App Firewall, CEF",
	Rank:   rankProduct,
	New:    func() Decoder { return &citrixDecoder{assembler: newAssembler()} },
	Likely: func(line []byte) bool { return bytes.Contains(line, []byte("CEF:0|Citrix|")) },
})

// citrixDecoder reads ArcSight's Common Event Format behind a syslog time, which has no year: the appliance puts that
// into cs5.
type citrixDecoder struct{ assembler }

var citrixFields = byName([]field{
	{"src", slotClient, alias, setClient},
	{"method", slotMethod, alias, setMethod},
	{"request", slotTarget, alias, setTargetText},
	{"requestMethod", slotMethod, alias, setMethod},
	{"requestClientApplication", slotUserAgent, alias, setUserAgent},
	{"rt", slotTime, alias, setTime},
})

// Decode implements Decoder.
func (d *citrixDecoder) Decode(line []byte, e *sundew.Event) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	head, record, ok := bytes.Cut(line, []byte("CEF:0|"))
	if !ok {
		return &LineError{"not a CEF line", "want: time CEF:0|vendor|product|version|signature|name|severity|key=value ..."}
	}
	for range 6 {
		if _, record, ok = bytes.Cut(record, []byte("|")); !ok {
			return &LineError{"CEF header cut off", quoted(line)}
		}
	}
	d.reset()
	var year []byte
	for len(record) > 0 {
		var key, value []byte
		key, value, record = nextExtension(record)
		switch {
		case len(value) == 0:
		case string(key) == "cs5":
			year = value
		default:
			d.put(e, citrixFields[string(key)], key, value, value)
		}
	}
	if d.ranks[slotTime] == 0 {
		clock := citrixTime(head, year)
		d.put(e, timeField, []byte("time"), clock, clock)
	}
	return d.finish(e)
}

// citrixTime puts the year behind "Jun 12 23:37:17", whose month may be spelled out.
func citrixTime(head, year []byte) []byte {
	words := bytes.Fields(head)
	if len(words) > 0 && len(words[0]) > 4 && words[0][0] == '<' { // a priority
		_, words[0], _ = bytes.Cut(words[0], []byte(">"))
	}
	if len(words) < 3 || len(words[0]) < 3 || len(year) != 4 {
		return head
	}
	clock := append(append(append([]byte("Mon "), words[0][:3]...), ' '), words[1]...)
	return append(append(append(append(clock, ' '), words[2]...), ' '), year...)
}

// nextExtension splits key=value off b; the value reaches to the last blank in front of the next key, because values
// hold blanks and, in URLs, equals signs.
func nextExtension(b []byte) (key, value, rest []byte) {
	b = bytes.TrimLeft(b, " ")
	key, b, ok := bytes.Cut(b, []byte("="))
	if !ok {
		return nil, nil, nil
	}
	for i := range b {
		if b[i] != ' ' {
			continue
		}
		end := i + 1
		for end < len(b) && (isAlphanumeric(b[end]) || b[end] == '_' || b[end] == '.') {
			end++
		}
		if end > i+1 && end < len(b) && b[end] == '=' {
			return key, bytes.TrimRight(b[:i], " "), b[i+1:]
		}
	}
	return key, b, nil
}
