package ingest

import (
	"strconv"
	"time"

	"sundew"
)

// assembler puts an event together out of named values, whichever format they stand in: fields say which slot a name
// fills, and of several names for one slot the one of the higher rank holds. A value that cannot be read becomes an
// attribute under its own name, like the values of unknown names.
type assembler struct {
	texts
	canonical bool // unknown names come from a canonical line, which has read them before
	ranks     [numSlots]uint8
	recent    [numSlots]string // the texts of the line before, which many lines repeat

	minute      minute
	date, clock []byte // the two halves of a time that stand apart

	badTime    []byte // the timestamp that could not be read, for the error
	badAddress []byte // the client address, likewise
	duration   []byte // the value of the bare key "duration", whose unit the rest of the line tells
	envoy      bool   // the line has names that Envoy alone uses
	scratch    []byte // a value that a field rewrites before it is set
}

func newAssembler() assembler { return assembler{texts: newTexts()} }

func (d *assembler) reset() {
	d.ranks = [numSlots]uint8{}
	d.badTime, d.badAddress, d.duration = d.badTime[:0], d.badAddress[:0], d.duration[:0]
	d.date, d.clock = d.date[:0], d.clock[:0]
	d.envoy = false
}

// put sets a field to value, or keeps the whole text as an attribute under key. The two differ for arrays.
func (d *assembler) put(e *sundew.Event, f *field, key, whole, value []byte) {
	if f == nil {
		d.attribute(e, key, whole)
		return
	}
	if len(value) == 0 || (f.rank != canonical && string(value) == "-") {
		return
	}
	if d.ranks[f.slot] > f.rank || !f.set(d, e, value) {
		d.attribute(e, key, whole)
		return
	}
	d.ranks[f.slot] = f.rank
}

// text returns a value of a slot as repeated does, at less cost where the line before had the same.
func (d *assembler) text(s slot, b []byte, limit int) string {
	if d.recent[s] != string(b) {
		d.recent[s] = d.repeated(b, limit)
	}
	return d.recent[s]
}

// foreignPrefix marks an attribute whose key would mean something in a canonical line and something else where it stood.
const foreignPrefix = "log."

// attribute keeps a value under its key; the last of equal keys holds.
func (d *assembler) attribute(e *sundew.Event, key, value []byte) {
	name := d.repeated(key, sundew.MaxID)
	if !d.canonical && fields[name] != nil {
		name = foreignPrefix + name
	}
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
func (d *assembler) finish(e *sundew.Event) error {
	if len(d.duration) > 0 && d.ranks[slotDuration] <= vague {
		d.settleDuration(e)
	}
	if d.ranks[slotTime] == 0 && len(d.date) > 0 && len(d.clock) > 0 {
		d.scratch = append(append(append(d.scratch[:0], d.date...), ' '), d.clock...)
		d.put(e, timeField, nil, d.scratch, d.scratch)
	}
	setForwardedClient(e)
	switch {
	case d.ranks[slotTime] > 0 && e.Client.IsValid():
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

// The two fields that every line must have, for formats whose columns have no names.
var (
	timeField   = &field{"time", slotTime, alias, setTime}
	clientField = &field{"client", slotClient, alias, setClient}
)

func keepDate(d *assembler, _ *sundew.Event, text []byte) bool {
	d.date = append(d.date[:0], text...)
	return true
}

func keepClock(d *assembler, _ *sundew.Event, text []byte) bool {
	d.clock = append(d.clock[:0], text...)
	return true
}

// settleDuration reads the key "duration": Envoy means milliseconds, Caddy and others seconds.
func (d *assembler) settleDuration(e *sundew.Event) {
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
