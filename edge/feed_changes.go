package edge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"sundew"
)

// sumFiltered is the size of a list up to which filtered trailers carry a sum: each costs a pass over the list.
const sumFiltered = 10_000

// maxNonce is how much of a request's nonce comes back.
const maxNonce = 64

// writeGrace is the time that an answer may take to be read, whatever the server's own timeout.
const writeGrace = 30 * time.Second

// changes answers GET /feed/v1/changes. The client holds the cursor, so an answer that is lost costs nothing.
func (f *feed) changes(w http.ResponseWriter, r *http.Request) {
	nonce := clipped(r.URL.Query().Get("nonce"), maxNonce)
	f.answerChanges(w, r, contentNDJSON, func(ctx context.Context, cursor sundew.Cursor, want filter) ([]byte, bool) {
		return f.await(ctx, cursor, want, nonce)
	})
}

// answerChanges answers with what await returns: the changes after a cursor, in some form. ok is false when the cursor is
// void.
func (f *feed) answerChanges(w http.ResponseWriter, r *http.Request, mediaType string, await func(context.Context, sundew.Cursor, filter) (body []byte, ok bool)) {
	want, err := requestFilter(r)
	if err != nil {
		writeStatus(w, http.StatusBadRequest, err.Error())
		return
	}
	wait, err := f.waitOf(r)
	if err != nil {
		writeStatus(w, http.StatusBadRequest, err.Error())
		return
	}
	cursor, err := sundew.ParseCursor(r.URL.Query().Get("cursor"))
	if err != nil {
		f.reset(w, "no cursor that this feed gave: take a snapshot")
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + writeGrace)) // not every server can

	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	f.metrics.waiting.Inc()
	body, ok := await(ctx, cursor, want)
	f.metrics.waiting.Dec()
	if !ok {
		f.reset(w, "the log does not reach back to this cursor: take a snapshot")
		return
	}
	f.metrics.answers.WithLabelValues("changes").Inc()
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "no-store")
	writeBody(w, r, body) // a client that is gone asks again from the same cursor
}

// waitOf reads wait=, a Go duration, and bounds it.
func (f *feed) waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, fmt.Errorf("wait %q: want a duration such as 30s", text)
	}
	return min(wait, f.MaxWait), nil
}

// await returns the changes that the client wants and their trailer, at once if there are any, else when there are or
// ctx ends. ok is false when the cursor is void.
func (f *feed) await(ctx context.Context, cursor sundew.Cursor, want filter, nonce string) (body []byte, ok bool) {
	asked := cursor
	for {
		proof := f.log.proof()
		if proof != nil && len(proof.items) > sumFiltered && !want.everything() {
			proof = nil
		}
		raw, next, active, ok := f.log.delta(cursor)
		if !ok {
			return nil, false
		}
		end := trailer{MinWaitMS: f.MinWait.Milliseconds()}
		switch {
		case proof != nil:
			raw, next = upTo(raw, proof.cursor.Seq), proof.cursor
			kept := proof.only(want)
			n := len(kept.items)
			end.Count, end.SHA256 = &n, kept.sum()
		case want.everything():
			end.Count = &active
		}
		end.Cursor = next.String()
		lines := appendChanges(nil, f.log.epoch, raw, want)
		if len(lines) > 0 || ctx.Err() != nil || f.log.Wait(ctx, next) != nil {
			return f.withTrailer(lines, end, asked, nonce), true
		}
		cursor = next
	}
}

func upTo(changes []change, seq uint64) []change {
	for i := range changes {
		if changes[i].seq > seq {
			return changes[:i]
		}
	}
	return changes
}

// appendChanges appends the last change of each key. A decision that was put where the client does not look has left
// the place where it may have seen it, so it is told as a deletion.
func appendChanges(dst []byte, epoch string, raw []change, want filter) []byte {
	for _, c := range lastOfEach(raw) {
		if !want.kind(c.item.decision.Entity.Kind) {
			continue
		}
		op := c.op
		if !want.action(c.item.decision.Action) {
			op = sundew.OpDelete
		}
		dst = appendChange(dst, sundew.Cursor{Epoch: epoch, Seq: c.seq}, op, c.item.line)
	}
	return dst
}

// withTrailer ends an answer, and where the feed signs binds its trailer to the lines before it and to the question.
func (f *feed) withTrailer(lines []byte, end trailer, asked sundew.Cursor, nonce string) []byte {
	if f.Signer != nil {
		sum, now := sha256.Sum256(lines), f.log.now().UTC()
		end.From, end.Nonce, end.ChangesSHA256, end.Time = asked.String(), nonce, hex.EncodeToString(sum[:]), &now
	}
	line, _ := json.Marshal(end) // strings and numbers
	return append(append(lines, f.Signer.sign(purposeChanges, line)...), '\n')
}

func (f *feed) reset(w http.ResponseWriter, detail string) {
	f.metrics.answers.WithLabelValues("reset").Inc()
	var body bytes.Buffer
	_ = json.NewEncoder(&body).Encode(reset{true, f.log.Cursor().String(), detail}) // strings
	w.Header().Set("Content-Type", contentNDJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusGone)
	_, _ = w.Write(body.Bytes())
}
