package ingest

import (
	"bytes"
	"fmt"

	"sundew"
)

// w3cDecoder reads the W3C extended log file format (WD-logfile-960323): directives begin with #, #Fields names the
// columns of the lines behind it and may come again with others.
type w3cDecoder struct {
	assembler
	known   map[string]*field
	columns []namedField
	guess   func(n int) []namedField // columns of n values when no #Fields line was seen; nil where nothing is known
}

type namedField struct {
	name  string
	field *field
}

func newW3C(known map[string]*field, guess func(int) []namedField) *w3cDecoder {
	return &w3cDecoder{assembler: newAssembler(), known: known, guess: guess}
}

// Decode implements Decoder.
func (d *w3cDecoder) Decode(line []byte, e *sundew.Event) error {
	line = bytes.TrimRight(line, " \t\r\n")
	if len(bytes.TrimSpace(line)) == 0 {
		return ErrNoEvent
	}
	if line[0] == '#' {
		return d.directive(line)
	}
	separator := []byte(" ")
	if bytes.IndexByte(line, '\t') >= 0 {
		separator = []byte("\t")
	}
	n := bytes.Count(line, separator) + 1
	columns := d.columns
	if len(columns) == 0 && d.guess != nil {
		columns = d.guess(n)
	}
	if len(columns) == 0 {
		return &LineError{"#Fields line missing", "the columns are named by a #Fields line in front, which the server writes at the top of each file"}
	}
	if n != len(columns) {
		return &LineError{"columns do not fit #Fields", fmt.Sprintf("%d values for %d names", n, len(columns))}
	}
	d.reset()
	for i := range columns {
		var value []byte
		value, line, _ = bytes.Cut(line, separator)
		if c := &columns[i]; len(value) > 0 && string(value) != "-" {
			d.put(e, c.field, []byte(c.name), value, value)
		}
	}
	return d.finish(e)
}

func (d *w3cDecoder) directive(line []byte) error {
	names, ok := bytes.CutPrefix(line, []byte("#Fields:"))
	if !ok {
		return ErrNoEvent
	}
	d.columns = d.columns[:0]
	for name := range bytes.FieldsSeq(names) {
		if len(d.columns) == maxColumns {
			d.columns = nil
			return &LineError{"too many columns", fmt.Sprintf("#Fields names more than %d", maxColumns)}
		}
		d.columns = append(d.columns, columnOf(d.known, string(name)))
	}
	return ErrNoEvent
}

const maxColumns = 128

func columnOf(known map[string]*field, name string) namedField {
	f := known[name]
	if f == nil {
		f = known[string(otherCase([]byte(name), 'A'))]
	}
	if len(name) > sundew.MaxID {
		name = name[:sundew.MaxID]
	}
	return namedField{name, f}
}

// startsWithDate is true for lines such as "2026-11-24 12:00:00", with the separator between the two.
func startsWithDate(line []byte, separator byte) bool {
	const length = len("2026-11-24 12:00:00")
	return len(line) > length && line[4] == '-' && line[7] == '-' && line[10] == separator && line[13] == ':' && line[16] == ':'
}
