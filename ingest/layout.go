package ingest

import (
	"bytes"
	"fmt"

	"sundew"
)

// maxPieces bounds the variables of a layout.
const maxPieces = 64

// A piece is a variable of a layout and the fixed text behind it; at the end of a layout that text is empty.
type piece struct {
	name   string
	field  *field // nil: the value becomes an attribute
	quoted bool   // stands in quotes, in which servers escape quotes
	behind []byte
}

// layoutDecoder reads lines whose layout a server's configuration gives: fixed text and variables by turns. A variable
// reaches to the next place where the fixed text behind it stands. A line that was cut off behind its time and its
// client still gives an event.
type layoutDecoder struct {
	assembler
	front  []byte // the fixed text in front of the first variable
	pieces []piece
}

// layoutBuilder collects what a notation's parser finds.
type layoutBuilder struct {
	front  []byte
	pieces []piece
}

func (b *layoutBuilder) fixed(text []byte) {
	if n := len(b.pieces); n > 0 {
		b.pieces[n-1].behind = append(b.pieces[n-1].behind, text...)
		return
	}
	b.front = append(b.front, text...)
}

func (b *layoutBuilder) variable(name string, f *field) error {
	if len(b.pieces) == maxPieces {
		return fmt.Errorf("more than %d variables", maxPieces)
	}
	before := b.front
	if n := len(b.pieces); n > 0 {
		before = b.pieces[n-1].behind
		if len(before) == 0 {
			return fmt.Errorf("nothing stands between %s and %s, so nobody can tell where one ends", b.pieces[n-1].name, name)
		}
	}
	b.pieces = append(b.pieces, piece{name: name, field: f, quoted: bytes.HasSuffix(before, []byte(`"`))})
	return nil
}

// decoder checks that events can come of the layout.
func (b *layoutBuilder) decoder() (Decoder, error) {
	hasTime, hasClient := false, false
	for _, p := range b.pieces {
		if p.field != nil {
			hasTime = hasTime || p.field.slot == slotTime
			hasClient = hasClient || p.field.slot == slotClient || p.field.slot == slotForwarded
		}
	}
	switch {
	case !hasTime:
		return nil, fmt.Errorf("it has no time: add $time_local, $time_iso8601 or $msec (nginx), %%t (apache)")
	case !hasClient:
		return nil, fmt.Errorf("it has no client address: add $remote_addr (nginx), %%h or %%a (apache)")
	}
	return &layoutDecoder{assembler: newAssembler(), front: b.front, pieces: b.pieces}, nil
}

// Decode implements Decoder.
func (d *layoutDecoder) Decode(line []byte, e *sundew.Event) error {
	line = messageOf(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	d.reset()
	rest, ok := bytes.CutPrefix(line, d.front)
	if !ok {
		return &LineError{"line does not fit the layout", "it begins with " + quoted(line)}
	}
	for i := range d.pieces {
		p := &d.pieces[i]
		value, after, found := p.cut(rest)
		if !found && d.ranks[slotTime] == 0 {
			return &LineError{"line does not fit the layout", fmt.Sprintf("%s ends nowhere in %s", p.name, quoted(rest))}
		}
		d.take(e, p, value)
		if rest = after; !found || rest == nil {
			break
		}
	}
	return d.finish(e)
}

// cut splits the variable's value off b. Without the text behind it the value is all of b.
func (p *piece) cut(b []byte) (value, rest []byte, found bool) {
	if len(p.behind) == 0 {
		return b, nil, true
	}
	for from := 0; ; {
		at := bytes.Index(b[from:], p.behind)
		if at < 0 {
			break
		}
		at += from
		if !p.quoted || !escapedAt(b, at) {
			return b[:at], b[at+len(p.behind):], true
		}
		from = at + 1
	}
	if trimmed := bytes.TrimRight(p.behind, " "); bytes.HasSuffix(b, trimmed) { // an empty last variable, cut by an editor
		return b[:len(b)-len(trimmed)], nil, true
	}
	return b, nil, false
}

func (d *layoutDecoder) take(e *sundew.Event, p *piece, value []byte) {
	if len(value) == 0 || string(value) == "-" {
		return
	}
	if bytes.IndexByte(value, '\\') >= 0 {
		d.scratch = unescape(d.scratch[:0], value)
		value = d.scratch
	}
	d.put(e, p.field, []byte(p.name), value, value)
}

// messageOf takes white space and a syslog header off a line.
func messageOf(line []byte) []byte {
	line = bytes.TrimSpace(line)
	if message, ok := stripSyslog(line); ok {
		return bytes.TrimSpace(message)
	}
	return line
}
