package ingest

import (
	"errors"
	"fmt"
	"strings"

	"sundew"
)

// Reasons of dead letters that no decoder gives.
const (
	reasonTooLong = "line too long"
	reasonOther   = "line cannot be read"
)

// result is what became of a line.
type result uint8

const (
	parsed result = iota
	skipped
	rejected
)

// decodeLine reads a line of size bytes, of which line holds the first sundew.MaxLine. Where the result is rejected, the
// letter has Format, Reason, Detail and Line.
func decodeLine(d Decoder, format string, line []byte, size int, e *sundew.Event) (result, sundew.DeadLetter) {
	if size > sundew.MaxLine {
		detail := fmt.Sprintf("%d bytes, at most %d are read", size, sundew.MaxLine)
		return rejected, deadLetter(format, reasonTooLong, detail, line)
	}
	*e = sundew.NewEvent()
	err := d.Decode(line, e)
	if err == nil {
		inferRoute(e)
		return parsed, sundew.DeadLetter{}
	}
	if errors.Is(err, ErrNoEvent) {
		return skipped, sundew.DeadLetter{}
	}
	if n, ok := d.(named); ok {
		format = n.formatName()
	}
	if bad, ok := errors.AsType[*LineError](err); ok {
		return rejected, deadLetter(format, bad.Reason, bad.Detail, line)
	}
	return rejected, deadLetter(format, reasonOther, err.Error(), line)
}

func deadLetter(format, reason, detail string, line []byte) sundew.DeadLetter {
	return sundew.DeadLetter{
		Format: format,
		Reason: reason,
		Detail: strings.ToValidUTF8(detail, "\ufffd"),
		Line:   boundedLine(line),
	}
}

// boundedLine keeps a line as valid UTF-8 of at most sundew.MaxLine bytes.
func boundedLine(line []byte) string {
	t := texts{}
	return t.once(line, sundew.MaxLine)
}

// trimsOf returns what a decoder has trimmed so far.
func trimsOf(d Decoder) Trims {
	if counter, ok := d.(trimmed); ok {
		return counter.trims()
	}
	return Trims{}
}
