// Package ingest turns bytes into events: log formats, the sources that carry their lines (Kafka, HTTP, files), and the
// producer that writes them to the log.
package ingest

import (
	"errors"

	"sundew"
)

// Decoder reads the lines of one format. Implementations may keep state between lines, such as the field names of a
// header line, so one Decoder serves one stream and one goroutine.
type Decoder interface {
	// Decode reads one line, without its newline, into e, which is a fresh event. The event must not keep line's bytes.
	// It returns ErrNoEvent for a line that is no request by design (blank, comment, header) and a *LineError for one
	// that cannot be read; e is then undefined.
	Decode(line []byte, e *sundew.Event) error
}

// ErrNoEvent says that a line is well-formed and holds no request.
var ErrNoEvent = errors.New("line holds no request")

// LineError says why a line could not be read.
type LineError struct {
	Reason string // a short fixed text, fit for a metric label: "timestamp missing"
	Detail string // what exactly: the column, the piece of text
}

// Error returns reason and detail.
func (e *LineError) Error() string {
	if e.Detail == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Detail
}
