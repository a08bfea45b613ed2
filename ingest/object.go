package ingest

import (
	"bytes"
	"strconv"

	"sundew"
)

// maxDepth is how many objects may stand in each other and be flattened; what lies deeper is kept as JSON text.
const maxDepth = 8

// maxHints bounds the key order that is remembered from the line before.
const maxHints = 64

// objectDecoder reads one JSON object per line. Keys are flat with dots or nested objects, whose keys are joined with
// dots; its fields say which key means what. Of a key that comes twice the last holds. null and, behind an alias, "-"
// say nothing. Of an array the first scalar is the value of a known key.
type objectDecoder struct {
	assembler
	fields map[string]*field
	arrays map[string]bool        // paths of arrays whose elements are members by their number; nil: none
	noise  func(line []byte) bool // whether an object is no request by design; nil: none is
	// constants fill what the line has not.
	constants []constant

	path  []byte // key of the value in hand
	key   []byte // a key with escapes, resolved
	value []byte // a value with escapes, resolved
	hints []hint // fields in the order of the line before
	seen  int    // keys of this line
}

// hint remembers which field the n-th key of a line was: lines of one gateway have one order, so a comparison replaces
// a hash.
type hint struct {
	key   string
	mark  string // the key in quotes, with the colon behind it
	field *field
}

func newObjectDecoder(fields map[string]*field) *objectDecoder {
	return &objectDecoder{assembler: newAssembler(), fields: fields}
}

// Decode implements Decoder.
func (d *objectDecoder) Decode(line []byte, e *sundew.Event) error {
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
	d.path, d.seen = d.path[:0], 0
	if d.noise != nil && d.noise(line) {
		return ErrNoEvent
	}
	s := jsonScanner{buf: line}
	if !d.object(&s, e, 0) {
		return &LineError{"JSON cannot be read", column(s.pos)}
	}
	if s.space() != 0 || s.pos < len(line) {
		return &LineError{"text behind the JSON object", column(s.pos)}
	}
	for i := range d.constants {
		if c := &d.constants[i]; d.ranks[c.field.slot] == 0 {
			d.put(e, c.field, nil, c.value, c.value)
		}
	}
	return d.finish(e)
}

// object reads an object, whose keys continue d.path.
func (d *objectDecoder) object(s *jsonScanner, e *sundew.Event, depth int) bool {
	if !s.byte('{') {
		return false
	}
	if s.byte('}') {
		return true
	}
	base := len(d.path)
	for {
		if depth == 0 && d.usual(s, e) {
			return true
		}
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

// usual reads members as long as they are the line before's in its order, written without white space, and their values
// are numbers or strings without escapes. It returns true where that brought it to the end of the object, and otherwise
// leaves the next member to those who read everything.
func (d *objectDecoder) usual(s *jsonScanner, e *sundew.Event) (closed bool) {
	buf, pos := s.buf, s.pos
	for d.seen < len(d.hints) {
		h := &d.hints[d.seen]
		start := pos + len(h.mark)
		if h.field == nil || start+1 >= len(buf) || string(buf[pos:start]) != h.mark {
			return false
		}
		var end, next int
		ascii := true
		if buf[start] == '"' {
			start++
			end, ascii = plainText(buf, start)
			next = end + 1
		} else {
			end = plainNumber(buf, start)
			next = end
		}
		if end < 0 || next >= len(buf) || (buf[next] != ',' && buf[next] != '}') {
			return false
		}
		d.seen++
		d.ascii = ascii
		d.put(e, h.field, buf[pos+1:pos+1+len(h.key)], buf[start:end], buf[start:end])
		d.ascii = false
		pos = next + 1
		s.pos = pos
		if buf[next] == '}' {
			return true
		}
	}
	return false
}

// name reads a key and finds its field, nil where it is unknown.
func (d *objectDecoder) name(s *jsonScanner, base, depth int) (key []byte, f *field, ok bool) {
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
func (d *objectDecoder) member(s *jsonScanner, e *sundew.Event, f *field, key []byte, depth int) bool {
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
		if d.arrays[string(key)] && depth+1 < maxDepth {
			if depth == 0 {
				d.path = append(d.path[:0], key...)
			}
			return d.elements(s, e, depth+1)
		}
		if text, ok = s.nested(); ok {
			if f != nil && f.slot == slotHeaders {
				d.put(e, f, key, text, text)
				return true
			}
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

// elements reads an array, whose numbers continue d.path. Elements that no path names are left out.
func (d *objectDecoder) elements(s *jsonScanner, e *sundew.Event, depth int) bool {
	s.pos++
	if s.byte(']') {
		return true
	}
	base := len(d.path)
	for n := 0; ; n++ {
		d.path = strconv.AppendInt(append(d.path[:base], '.'), int64(n), 10)
		if !d.element(s, e, depth) {
			return false
		}
		d.path = d.path[:base]
		if s.byte(',') {
			continue
		}
		return s.byte(']')
	}
}

func (d *objectDecoder) element(s *jsonScanner, e *sundew.Event, depth int) bool {
	switch f := d.fields[string(d.path)]; {
	case f != nil, s.space() == '[', s.space() == '{':
		return d.member(s, e, f, d.path, depth)
	case s.space() == '"':
		_, ok := d.string(s)
		return ok
	}
	return s.scalar()
}

func (d *objectDecoder) string(s *jsonScanner) ([]byte, bool) {
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
func (d *objectDecoder) firstOf(array []byte) []byte {
	s := jsonScanner{buf: array, pos: 1}
	if s.space() == '"' {
		text, _ := d.string(&s)
		return text
	}
	number, _ := s.number()
	return number
}

func (d *objectDecoder) lookup(key []byte) *field {
	n := d.seen
	d.seen++
	if n < len(d.hints) && d.hints[n].key == string(key) {
		return d.hints[n].field
	}
	f := d.fields[string(key)]
	if n >= maxHints {
		return f
	}
	for len(d.hints) <= n {
		d.hints = append(d.hints, hint{})
	}
	if f != nil {
		d.hints[n] = hint{f.name, `"` + f.name + `":`, f}
	}
	return f
}

// objectFormat is a format of JSON objects with keys of its own. marks are texts that every line has and other formats
// lack.
func objectFormat(name, help string, marks []string, noise func([]byte) bool, list []field) Format {
	known := byName(list)
	return Format{
		Name: name,
		Help: help,
		Rank: rankProduct,
		New: func() Decoder {
			d := newObjectDecoder(known)
			d.noise = noise
			return d
		},
		Likely: func(line []byte) bool {
			return isObject(line) && (containsAll(line, marks) || (noise != nil && noise(line)))
		},
	}
}

func containsAll(line []byte, marks []string) bool {
	for _, mark := range marks {
		if !bytes.Contains(line, []byte(mark)) {
			return false
		}
	}
	return true
}
