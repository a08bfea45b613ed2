package edge

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"sundew"
)

const (
	heartbeat   = 15 * time.Second // between comments on a quiet stream, below the idle time-outs of load balancers
	streamStall = 10 * time.Second // a client that takes longer to read is cut off and continues from its cursor
)

// stream answers GET /feed/v1/stream with server-sent events: the change lines of the feed, each with its cursor as id,
// so that Last-Event-ID continues. A void cursor gets one event named reset, and the end of the stream.
func (f *feed) stream(w http.ResponseWriter, r *http.Request) {
	want, err := requestFilter(r)
	if err != nil {
		writeStatus(w, http.StatusBadRequest, err.Error())
		return
	}
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("cursor")
	}
	cursor, err := sundew.ParseCursor(text)
	if err != nil {
		f.reset(w, "no cursor that this feed gave: take a snapshot")
		return
	}
	f.metrics.answers.WithLabelValues("stream").Inc()
	f.metrics.waiting.Inc()
	defer f.metrics.waiting.Dec()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	f.follow(r.Context(), w, cursor, want)
}

// follow writes changes until the client or the cursor is gone.
func (f *feed) follow(ctx context.Context, w http.ResponseWriter, cursor sundew.Cursor, want filter) {
	control := http.NewResponseController(w)
	send := func(event []byte) error {
		_ = control.SetWriteDeadline(time.Now().Add(streamStall)) // not every server can
		if _, err := w.Write(event); err != nil {
			return err
		}
		return control.Flush()
	}
	for {
		raw, next, _, ok := f.log.delta(cursor)
		if !ok {
			_ = send([]byte("event: reset\ndata: {\"reset\":true}\n\n")) // the stream ends either way
			return
		}
		event := appendEvents(nil, f.log.epoch, raw, want)
		if len(event) == 0 {
			event = []byte(":\n\n")
		}
		if send(event) != nil {
			return
		}
		cursor = next
		quiet, cancel := context.WithTimeout(ctx, heartbeat)
		err := f.log.Wait(quiet, cursor)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
}

func appendEvents(dst []byte, epoch string, raw []change, want filter) []byte {
	lines := appendChanges(nil, epoch, raw, want)
	for line := range bytes.Lines(lines) {
		dst = append(dst, "event: change\nid: "...)
		dst = append(dst, cursorOfLine(line)...)
		dst = append(dst, "\ndata: "...)
		dst = append(dst, line...)
		dst = append(dst, '\n')
	}
	return dst
}

// cursorOfLine cuts the cursor out of a line that appendChange wrote.
func cursorOfLine(line []byte) []byte {
	rest := line[len(`{"cursor":"`):]
	return rest[:bytes.IndexByte(rest, '"')]
}
