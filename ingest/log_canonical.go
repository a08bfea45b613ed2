package ingest

import (
	"bytes"
	"strconv"
	"time"

	"sundew"
)

func canonicalFormat() Format {
	return Format{
		Name:    "canonical-json",
		Aliases: []string{"json"},
		Help:    "JSON objects with sundew's keys, OpenTelemetry, ECS, or the usual nginx, Envoy and Caddy names",
		New:     func() Decoder { return newCanonicalJSON() },
		Likely:  func(line []byte) bool { return line[0] == '{' },
	}
}

// maxDepth is how many objects may stand in each other and be flattened; what lies deeper is kept as JSON text.
const maxDepth = 8

// maxHints bounds the key order that is remembered from the line before.
const maxHints = 64

// canonicalJSON reads one JSON object per line. Keys are flat with dots or nested objects, whose keys are joined with
// dots; fields.go lists which key means what. Of a key that comes twice the last holds; the key of the contract beats
// its aliases wherever it stands. An optional value that cannot be read becomes an attribute under its own key, like
// unknown keys, and so does that of an alias which comes too late; null and, behind an alias, "-" say nothing. Of an
// array the first scalar is the value of a known key.
type canonicalJSON struct {
	texts
	path   []byte // key of the value in hand
	key    []byte // a key with escapes, resolved
	value  []byte // a value with escapes, resolved
	hints  []hint // fields in the order of the line before
	seen   int    // keys of this line
	ranks  [numSlots]uint8
	recent [numSlots]string // the texts of the line before, which many lines repeat

	badTime    []byte // the timestamp that could not be read, for the error
	badAddress []byte // the client address, likewise
	duration   []byte // the value of the bare key "duration", whose unit the rest of the line tells
	envoy      bool   // the line has names that Envoy alone uses
}

// hint remembers which field the n-th key of a line was: lines of one gateway have one order, so a comparison replaces
// a hash.
type hint struct {
	key   string
	field *field
}

func newCanonicalJSON() *canonicalJSON { return &canonicalJSON{texts: newTexts()} }

// Decode implements Decoder.
func (d *canonicalJSON) Decode(line []byte, e *sundew.Event) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	if line[0] != '{' {
		message, _ := stripSyslog(line)
		if len(message) == 0 || message[0] != '{' {
			return &LineError{"not a JSON object", "the line begins with " + quoted(line[:min(len(line), 16)])}
		}
		line = message
	}
	d.reset()
	s := jsonScanner{buf: line}
	if !d.object(&s, e, 0) {
		return &LineError{"JSON cannot be read", column(s.pos)}
	}
	if s.space() != 0 || s.pos < len(line) {
		return &LineError{"text behind the JSON object", column(s.pos)}
	}
	return d.finish(e)
}

func (d *canonicalJSON) reset() {
	d.path = d.path[:0]
	d.seen = 0
	d.ranks = [numSlots]uint8{}
	d.badTime, d.badAddress, d.duration = d.badTime[:0], d.badAddress[:0], d.duration[:0]
	d.envoy = false
}

// object reads an object, whose keys continue d.path.
func (d *canonicalJSON) object(s *jsonScanner, e *sundew.Event, depth int) bool {
	if !s.byte('{') {
		return false
	}
	if s.byte('}') {
		return true
	}
	base := len(d.path)
	for {
		key, f, ok := d.name(s, base, depth)
		if !ok || !s.byte(':') || !d.member(s, e, f, key, depth) {
			return false
		}
		d.path = d.path[:base]
		if s.byte(',') {
			continue
		}
		return s.byte('}')
	}
}

// name reads a key and finds its field, nil where it is unknown.
func (d *canonicalJSON) name(s *jsonScanner, base, depth int) (key []byte, f *field, ok bool) {
	if s.space() != '"' {
		return nil, nil, false
	}
	if depth == 0 && d.seen < len(d.hints) {
		if h := d.hints[d.seen]; h.field != nil && s.expect(h.key) {
			d.seen++
			return s.buf[s.pos-1-len(h.key) : s.pos-1], h.field, true
		}
	}
	key, escaped, ok := s.text()
	if !ok {
		return nil, nil, false
	}
	if escaped {
		if d.key, ok = unescapeJSON(d.key[:0], key); !ok {
			return nil, nil, false
		}
		key = d.key
	}
	if depth > 0 {
		d.path = append(d.path[:base], key...)
		key = d.path
	}
	return key, d.lookup(key), true
}

// member reads the value of a key and puts it into the event.
func (d *canonicalJSON) member(s *jsonScanner, e *sundew.Event, f *field, key []byte, depth int) bool {
	var text []byte
	var ok bool
	switch s.space() {
	case '"':
		text, ok = d.string(s)
	case '{':
		if depth+1 < maxDepth {
			if depth == 0 {
				d.path = append(d.path[:0], key...)
			}
			d.path = append(d.path, '.')
			return d.object(s, e, depth+1)
		}
		text, ok = s.nested()
	case '[':
		if text, ok = s.nested(); ok {
			d.put(e, f, key, text, d.firstOf(text))
		}
		return ok
	case 't':
		text, ok = []byte("true"), s.literal("true")
	case 'f':
		text, ok = []byte("false"), s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		text, ok = s.number()
	}
	if ok {
		d.put(e, f, key, text, text)
	}
	return ok
}

func (d *canonicalJSON) string(s *jsonScanner) ([]byte, bool) {
	raw, escaped, ok := s.text()
	if !ok || !escaped {
		return raw, ok
	}
	start := s.pos
	if d.value, ok = unescapeJSON(d.value[:0], raw); !ok {
		s.pos = start - len(raw) - 1
	}
	return d.value, ok
}

// firstOf returns the first element of an array where it is a string or a number, nil otherwise.
func (d *canonicalJSON) firstOf(array []byte) []byte {
	s := jsonScanner{buf: array, pos: 1}
	if s.space() == '"' {
		text, _ := d.string(&s)
		return text
	}
	number, _ := s.number()
	return number
}

// put sets a field to value, or keeps the whole text as an attribute under key. The two differ for arrays.
func (d *canonicalJSON) put(e *sundew.Event, f *field, key, whole, value []byte) {
	if f == nil {
		d.attribute(e, key, whole)
		return
	}
	if len(value) == 0 || (f.rank < canonical && string(value) == "-") {
		return
	}
	if d.ranks[f.slot] > f.rank || !f.set(d, e, value) {
		d.attribute(e, key, whole)
		return
	}
	d.ranks[f.slot] = f.rank
}

// text returns a value of a slot as repeated does, at less cost where the line before had the same.
func (d *canonicalJSON) text(s slot, b []byte, limit int) string {
	if d.recent[s] != string(b) {
		d.recent[s] = d.repeated(b, limit)
	}
	return d.recent[s]
}

func (d *canonicalJSON) lookup(key []byte) *field {
	n := d.seen
	d.seen++
	if n < len(d.hints) && d.hints[n].key == string(key) {
		return d.hints[n].field
	}
	f := fields[string(key)]
	if n >= maxHints {
		return f
	}
	for len(d.hints) <= n {
		d.hints = append(d.hints, hint{})
	}
	if f != nil {
		d.hints[n] = hint{f.name, f}
	}
	return f
}

// attribute keeps a value under its key; the last of equal keys holds.
func (d *canonicalJSON) attribute(e *sundew.Event, key, value []byte) {
	name := d.repeated(key, sundew.MaxID)
	for i := range e.Attributes {
		if e.Attributes[i].Key == name {
			e.Attributes[i].Value = d.repeated(value, sundew.MaxText)
			return
		}
	}
	if len(e.Attributes) == sundew.MaxAttributes {
		d.counted.Dropped++
		return
	}
	e.Attributes = append(e.Attributes, sundew.Attribute{Key: name, Value: d.repeated(value, sundew.MaxText)})
}

// finish settles what needs the whole line and checks what every event has.
func (d *canonicalJSON) finish(e *sundew.Event) error {
	if len(d.duration) > 0 && d.ranks[slotDuration] <= vague {
		d.settleDuration(e)
	}
	switch {
	case d.ranks[slotTime] > 0 && d.ranks[slotClient] > 0:
		return nil
	case d.ranks[slotTime] == 0 && len(d.badTime) > 0:
		return badTime(d.badTime)
	case d.ranks[slotTime] == 0:
		return &LineError{"timestamp missing", "want the key timestamp: RFC 3339, or a number since 1970"}
	case len(d.badAddress) > 0:
		return badAddress(d.badAddress)
	}
	return &LineError{"client address missing", "want the key client.address"}
}

// settleDuration reads the key "duration": Envoy means milliseconds, Caddy and others seconds.
func (d *canonicalJSON) settleDuration(e *sundew.Event) {
	unit := time.Second
	if d.envoy {
		unit = time.Millisecond
	}
	n, ok := parseDecimal(d.duration, int64(unit))
	if !ok {
		d.attribute(e, []byte("duration"), d.duration)
		return
	}
	e.Duration = time.Duration(n)
}

func badTime(text []byte) *LineError { return &LineError{"timestamp cannot be read", quoted(text)} }

func badAddress(text []byte) *LineError {
	return &LineError{"client address is not an IP address", quoted(text)}
}

// quoted shows the beginning of a text in an error.
func quoted(text []byte) string { return strconv.Quote(string(text[:min(len(text), 64)])) }
