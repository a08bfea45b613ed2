package ingest

import (
	"bytes"
	"errors"

	"sundew"
)

const autoName = "auto"

// settled is how many lines in a row a format must have read before lines go to it unseen.
const settled = 8

// auto detects the format line by line until one has read enough of them, and again whenever that one fails, so that a
// stream of several formats still works. Every format keeps its decoder, and so its state, for the whole stream.
type auto struct {
	formats  []Format
	decoders []Decoder // made at first use
	current  int       // index of the format that read the last line; -1 none yet
	streak   int       // lines it has read in a row
}

func newAuto(formats []Format) *auto {
	return &auto{formats: formats, decoders: make([]Decoder, len(formats)), current: -1}
}

// named is implemented by decoders that know better than their caller which format a line has.
type named interface{ formatName() string }

// formatName is the format that read, or failed to read, the last line.
func (a *auto) formatName() string {
	if a.current < 0 {
		return autoName
	}
	return a.formats[a.current].Name
}

func (a *auto) trims() Trims {
	var sum Trims
	for _, d := range a.decoders {
		if counter, ok := d.(trimmed); ok {
			sum.Cut += counter.trims().Cut
			sum.Dropped += counter.trims().Dropped
		}
	}
	return sum
}

// Decode implements Decoder. The error is that of the format which the line looks like most.
func (a *auto) Decode(line []byte, e *sundew.Event) error {
	text := bytes.TrimSpace(line)
	if len(text) == 0 {
		return ErrNoEvent
	}
	if message, ok := stripSyslog(text); ok && len(message) > 0 {
		text = message
	}
	var first error
	if a.current >= 0 && (a.streak >= settled || a.formats[a.current].Likely(text)) {
		if first = a.try(a.current, line, e); !isLineError(first) {
			return first
		}
	}
	tried := a.current
	for i, f := range a.formats {
		if (i == tried && first != nil) || !f.Likely(text) {
			continue
		}
		err := a.try(i, line, e)
		if !isLineError(err) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return first
	}
	return &LineError{"format not recognised", "name it with --format"}
}

// try decodes with one format, which becomes the current one when it can.
func (a *auto) try(i int, line []byte, e *sundew.Event) error {
	if a.decoders[i] == nil {
		a.decoders[i] = a.formats[i].New()
	}
	*e = sundew.NewEvent()
	err := a.decoders[i].Decode(line, e)
	if isLineError(err) {
		if i == a.current {
			a.streak = 0
		}
		return err
	}
	if i != a.current {
		a.current, a.streak = i, 0
	}
	a.streak++
	return err
}

func isLineError(err error) bool { return err != nil && !errors.Is(err, ErrNoEvent) }
