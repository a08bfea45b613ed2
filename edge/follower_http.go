package edge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sundew"
)

// errReset is the feed's answer to a cursor that it cannot continue from.
var errReset = errors.New("the cursor is void")

const (
	reasonMismatch  = "mismatch"      // the copy is not what the feed says it is
	maxLineOfFeed   = maxDecision * 2 // bytes
	answerGrace     = 30 * time.Second
	snapshotTimeout = 10 * time.Minute
	maxMinWait      = time.Minute // what a feed may ask to wait
)

// takeSnapshot replaces the table's list.
func (f *Follower) takeSnapshot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	body, err := f.get(ctx, "/feed/v1/snapshot.ndjson", nil)
	if err != nil {
		return fmt.Errorf("get snapshot: %w", err)
	}
	defer func() { _ = body.Close() }()
	list, allow, err := readSnapshot(body, f.plausible)
	if err != nil {
		return err
	}
	f.allow = allow
	f.table.Replace(list, append(allow, f.Allow...))
	f.believed("snapshot")
	return nil
}

// readSnapshot reads a header and the records behind it, and proves them by the header's checksum. plausible judges the
// count before anything is read.
func readSnapshot(r io.Reader, plausible func(count int) error) (list sundew.Blocklist, allow []sundew.Entity, err error) {
	lines := linesOf(r)
	if !lines.Scan() {
		return list, nil, fmt.Errorf("read snapshot: %w", endOf(lines))
	}
	h, cursor, allow, err := parseHeader(lines.Bytes())
	if err != nil {
		return list, nil, &refusal{"malformed", err}
	}
	if err := plausible(h.Count); err != nil {
		return list, nil, err
	}
	rules := make(map[string]string)
	for lines.Scan() {
		if len(list.Decisions) == h.Count {
			return list, nil, refused(reasonMismatch, "snapshot %s has more than the %d decisions it announced", h.Cursor, h.Count)
		}
		d, err := parseRecord(lines.Bytes())
		if err != nil {
			return list, nil, &refusal{"malformed", err}
		}
		d.Evidence, d.Sentence = nil, ""
		d.Rule = interned(rules, d.Rule)
		list.Decisions = append(list.Decisions, d)
	}
	if err := lines.Err(); err != nil {
		return list, nil, fmt.Errorf("read snapshot: %w", err)
	}
	if len(list.Decisions) != h.Count {
		return list, nil, refused(reasonMismatch, "snapshot %s announced %d decisions and has %d", h.Cursor, h.Count, len(list.Decisions))
	}
	if sum := sumOfDecisions(list.Decisions); sum != h.SHA256 {
		return list, nil, refused(reasonMismatch, "snapshot %s has checksum %s, announced was %s", h.Cursor, sum, h.SHA256)
	}
	list.Cursor = cursor
	return list, allow, nil
}

// sumOfDecisions is the checksum of decisions that are in order.
func sumOfDecisions(ds []sundew.Decision) string {
	return sumOf(func(yield func(*sundew.Decision) bool) {
		for i := range ds {
			if !yield(&ds[i]) {
				return
			}
		}
	})
}

// interned keeps one copy of the few rules that a million decisions name.
func interned(known map[string]string, s string) string {
	if same, ok := known[s]; ok {
		return same
	}
	known[s] = s
	return s
}

// takeChanges asks for what comes after the table's cursor and applies it if the result is what the feed has.
func (f *Follower) takeChanges(ctx context.Context) (wait time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.Wait+answerGrace)
	defer cancel()
	cursor := f.table.Cursor()
	body, err := f.get(ctx, "/feed/v1/changes", url.Values{"cursor": {cursor.String()}, "wait": {f.Wait.String()}})
	if err != nil {
		return 0, fmt.Errorf("get changes: %w", err)
	}
	defer func() { _ = body.Close() }()
	changes, next, end, err := readChanges(body, f.MaxEntries)
	if err != nil {
		return 0, err
	}
	if next.Epoch != cursor.Epoch || next.Seq < cursor.Seq {
		return 0, refused(reasonMismatch, "the feed went from cursor %s back to %s", cursor, next)
	}
	if end.Count != nil {
		if err := f.plausible(*end.Count); err != nil {
			return 0, err
		}
	}
	if err := f.table.applyProven(changes, next, end); err != nil {
		return 0, err
	}
	f.believed("changes")
	return min(time.Duration(end.MinWaitMS)*time.Millisecond, maxMinWait), nil
}

// readChanges reads change lines up to and including the trailer.
func readChanges(r io.Reader, limit int) (changes []sundew.Change, next sundew.Cursor, end trailer, err error) {
	lines := linesOf(r)
	for lines.Scan() {
		line, err := parseFeedLine(lines.Bytes())
		if err != nil {
			return nil, next, end, &refusal{"malformed", err}
		}
		if line.trailer != nil {
			return changes, line.cursor, *line.trailer, nil
		}
		if len(changes) >= limit {
			return nil, next, end, refused("too_long", "more than %d changes in one answer", limit)
		}
		changes = append(changes, line.change)
	}
	return nil, next, end, fmt.Errorf("read changes: %w", endOf(lines))
}

// applyProven is Apply, unless the outcome is not what the trailer says.
func (t *Table) applyProven(changes []sundew.Change, next sundew.Cursor, end trailer) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	c := t.current.Load().with(changes, next)
	if end.Count != nil && c.count != *end.Count {
		return refused(reasonMismatch, "at cursor %s the feed has %d decisions, this copy %d", next, *end.Count, c.count)
	}
	if end.SHA256 != "" {
		if sum := c.sum(); sum != end.SHA256 {
			return refused(reasonMismatch, "at cursor %s the feed has checksum %s, this copy %s", next, end.SHA256, sum)
		}
	}
	t.current.Store(c)
	return nil
}

func linesOf(r io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLineOfFeed)
	lines.Split(wholeLines)
	return lines
}

// wholeLines is bufio.ScanLines, but an answer that ends within a line has been cut off.
func wholeLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

// endOf is why there was no further line where one was due.
func endOf(lines *bufio.Scanner) error {
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// get asks the feed, which may compress its answer, and returns at most MaxBytes of the body.
func (f *Follower) get(ctx context.Context, path string, q url.Values) (io.ReadCloser, error) {
	if len(f.Kinds) > 0 {
		if q == nil {
			q = make(url.Values)
		}
		q.Set("kinds", strings.Join(f.Kinds, ","))
	}
	target := strings.TrimSuffix(f.URL, "/") + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	if f.Key != "" {
		r.Header.Set("Authorization", "Bearer "+f.Key)
	}
	answer, err := f.Client.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return &boundedBody{answer.Body, f.MaxBytes}, nil
	}
	detail, _ := io.ReadAll(io.LimitReader(answer.Body, 512))
	_ = answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusGone:
		return nil, errReset
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, refused("denied", "the feed does not know this key: %s", bytes.TrimSpace(detail))
	default:
		return nil, refused("status", "the feed answered %s: %s", answer.Status, bytes.TrimSpace(detail))
	}
}

// A boundedBody fails, instead of ending, when there is more than it may give.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read returns an error once the bound is passed.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, refused("too_large", "the answer is larger than max_bytes allows")
	}
	return n, err
}
