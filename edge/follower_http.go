package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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
	list, issued, allow, err := readSnapshot(body, func(line []byte) ([]byte, error) {
		return signedPart(f.PublicKeys, purposeSnapshot, line)
	}, f.plausible)
	if err != nil {
		return err
	}
	if at := f.table.Cursor(); len(f.PublicKeys) > 0 && list.Cursor.Epoch == at.Epoch && list.Cursor.Seq < at.Seq {
		return refused(reasonRolledBack, "the list is of cursor %s, ours of %s", list.Cursor, at)
	}
	if err := f.inTime(issued); err != nil {
		return err
	}
	f.allow = allow
	f.table.Replace(list, append(allow, f.Allow...))
	f.believed("snapshot")
	return nil
}

// clockSlack is by how much signed answers may seem to go back in time.
const clockSlack = 5 * time.Minute

// inTime refuses what was signed before an answer that was believed already. Where signatures are not looked at there is
// no such time.
func (f *Follower) inTime(issued *time.Time) error {
	if len(f.PublicKeys) == 0 {
		return nil
	}
	if issued == nil || issued.Before(f.issued.Add(-clockSlack)) {
		return refused(reasonRolledBack, "the answer was signed at %v, an earlier one at %v: it is an old one, or the feed's clock was set back", issued, f.issued)
	}
	if issued.After(f.issued) {
		f.issued = *issued
	}
	return nil
}

// readSnapshot reads a header and the records behind it, and proves them by the header's checksum. signed returns what is
// to be believed of the header's line, and plausible judges the count before anything else is read.
func readSnapshot(r io.Reader, signed func(line []byte) ([]byte, error), plausible func(count int) error) (list sundew.Blocklist, issued *time.Time, allow []sundew.Entity, err error) {
	lines := linesOf(r)
	if !lines.Scan() {
		return list, nil, nil, fmt.Errorf("read snapshot: %w", endOf(lines))
	}
	head, err := signed(lines.Bytes())
	if err != nil {
		return list, nil, nil, err
	}
	h, cursor, allow, err := parseHeader(head)
	if err != nil {
		return list, nil, nil, &refusal{"malformed", err}
	}
	if err := plausible(h.Count); err != nil {
		return list, nil, nil, err
	}
	rules := make(map[string]string)
	for lines.Scan() {
		if len(list.Decisions) == h.Count {
			return list, nil, nil, refused(reasonMismatch, "snapshot %s has more than the %d decisions it announced", h.Cursor, h.Count)
		}
		d, err := parseRecord(lines.Bytes())
		if err != nil {
			return list, nil, nil, &refusal{"malformed", err}
		}
		d.Evidence, d.Sentence = nil, ""
		d.Rule = interned(rules, d.Rule)
		list.Decisions = append(list.Decisions, d)
	}
	if err := lines.Err(); err != nil {
		return list, nil, nil, fmt.Errorf("read snapshot: %w", err)
	}
	if len(list.Decisions) != h.Count {
		return list, nil, nil, refused(reasonMismatch, "snapshot %s announced %d decisions and has %d", h.Cursor, h.Count, len(list.Decisions))
	}
	if sum := sumOfDecisions(list.Decisions); sum != h.SHA256 {
		return list, nil, nil, refused(reasonMismatch, "snapshot %s has checksum %s, announced was %s", h.Cursor, sum, h.SHA256)
	}
	list.Cursor = cursor
	return list, h.Time, allow, nil
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
	asked := url.Values{"cursor": {cursor.String()}, "wait": {f.Wait.String()}}
	nonce := ""
	if len(f.PublicKeys) > 0 {
		nonce = rand.Text()
		asked.Set("nonce", nonce)
	}
	body, err := f.get(ctx, "/feed/v1/changes", asked)
	if err != nil {
		return 0, fmt.Errorf("get changes: %w", err)
	}
	defer func() { _ = body.Close() }()
	changes, next, end, err := readChanges(body, f.MaxEntries, f.PublicKeys)
	if err != nil {
		return 0, err
	}
	if len(f.PublicKeys) > 0 && (end.From != cursor.String() || end.Nonce != nonce) {
		return 0, refused(reasonReplayed, "the answer is to another question, from cursor %q", end.From)
	}
	if err := f.inTime(end.Time); err != nil {
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

// readChanges reads change lines up to and including the trailer, which one of the keys must have signed, with the lines,
// if there are any keys.
func readChanges(r io.Reader, limit int, keys []PublicKey) (changes []sundew.Change, next sundew.Cursor, end trailer, err error) {
	lines, sum := linesOf(r), sha256.New()
	for lines.Scan() {
		line, err := parseFeedLine(lines.Bytes())
		if err != nil {
			return nil, next, end, &refusal{"malformed", err}
		}
		if line.trailer != nil {
			next, end, err = provenTrailer(keys, lines.Bytes(), line, sum.Sum(nil))
			return changes, next, end, err
		}
		if len(changes) >= limit {
			return nil, next, end, refused("too_long", "more than %d changes in one answer", limit)
		}
		changes = append(changes, line.change)
		_, _ = sum.Write(lines.Bytes()) // a hash takes everything
		_, _ = sum.Write([]byte{'\n'})
	}
	return nil, next, end, fmt.Errorf("read changes: %w", endOf(lines))
}

// provenTrailer is what of a trailer is to be believed.
func provenTrailer(keys []PublicKey, raw []byte, line feedLine, changes []byte) (next sundew.Cursor, end trailer, err error) {
	if len(keys) == 0 {
		return line.cursor, *line.trailer, nil
	}
	part, err := signedPart(keys, purposeChanges, raw)
	if err != nil {
		return next, end, err
	}
	line, err = parseFeedLine(part)
	if err != nil || line.trailer == nil {
		return next, end, refused(reasonForged, "what is signed is no trailer")
	}
	if line.trailer.ChangesSHA256 != hex.EncodeToString(changes) {
		return next, end, refused(reasonForged, "the changes are not those that were signed")
	}
	return line.cursor, *line.trailer, nil
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
