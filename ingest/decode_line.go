package ingest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sundew"
)

// Reasons of dead letters that no decoder gives.
const (
	reasonTooLong = "line too long"
	reasonFuture  = "timestamp in the future"
	reasonOther   = "line cannot be read"
)

// result is what became of a line.
type result uint8

const (
	parsed result = iota
	skipped
	rejected
)

// treatment is what the configuration has done to every event where it is made, whatever its source. The zero value does
// nothing.
type treatment struct {
	proxies *sundew.Proxies // nil trusts nobody
	routes  *Routes         // nil has none
	learned *routeMemory    // nil bounds nothing
	privacy *Privacy        // nil hides nothing
	ahead   time.Duration   // by how much an event may be later than its line; 0 does not ask
	done    bool            // the event has been through it, when a listener took it
}

// decode reads a line of size bytes, of which line holds the first sundew.MaxLine, and which came at now; the zero time
// says that nobody knows. Where the result is rejected, the letter has Format, Reason, Detail and Line.
func (t treatment) decode(d Decoder, format string, line []byte, size int, now time.Time, e *sundew.Event) (result, sundew.DeadLetter) {
	if size > sundew.MaxLine {
		detail := fmt.Sprintf("%d bytes, at most %d are read", size, sundew.MaxLine)
		return rejected, t.letter(format, reasonTooLong, detail, line)
	}
	*e = sundew.NewEvent()
	err := d.Decode(line, e)
	if err == nil {
		err = t.checkTime(e, now)
	}
	if err == nil {
		t.finish(e)
		return parsed, sundew.DeadLetter{}
	}
	if errors.Is(err, ErrNoEvent) {
		return skipped, sundew.DeadLetter{}
	}
	if n, ok := d.(named); ok {
		format = n.formatName()
	}
	if bad, ok := errors.AsType[*LineError](err); ok {
		return rejected, t.letter(format, bad.Reason, bad.Detail, line)
	}
	return rejected, t.letter(format, reasonOther, err.Error(), line)
}

// checkTime refuses an event of a clock that is ahead: decisions last until event time has caught up with them.
func (t treatment) checkTime(e *sundew.Event, now time.Time) error {
	if t.ahead == 0 || now.IsZero() || !e.Time.After(now.Add(t.ahead)) {
		return nil
	}
	return &LineError{reasonFuture, fmt.Sprintf("%s, and it is %s: correct the gateway's clock", e.Time.Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
}

// finish completes an event: who the client is, what route it took, and what nobody is to know.
func (t treatment) finish(e *sundew.Event) {
	if t.done {
		return
	}
	if t.proxies != nil && e.Forwarded != "" {
		e.Client = t.proxies.Client(e.Client, e.Forwarded)
	}
	t.privacy.hideQuery(e)
	t.routes.set(e)
	if inferRoute(e) {
		t.learned.bound(e)
	}
	t.privacy.hide(e)
}

func (t treatment) letter(format, reason, detail string, line []byte) sundew.DeadLetter {
	l := sundew.DeadLetter{
		Format: format,
		Reason: reason,
		Detail: strings.ToValidUTF8(detail, "\ufffd"),
		Line:   boundedLine(line),
	}
	t.privacy.letter(&l)
	return l
}

// boundedLine keeps a line as valid UTF-8 of at most sundew.MaxLine bytes.
func boundedLine(line []byte) string {
	t := texts{}
	return string(t.bounded(line, sundew.MaxLine))
}

// trimsOf returns what a decoder has trimmed so far.
func trimsOf(d Decoder) Trims {
	if counter, ok := d.(trimmed); ok {
		return counter.trims()
	}
	return Trims{}
}
