package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sundew"
)

// The lines of the feed, application/x-ndjson. Unknown fields are ignored, so that fields can be added.
//
//	change    {"cursor":"e.5","op":"add","decision":{...}}
//	trailer   {"cursor":"e.7","min_wait_ms":500,"count":123,"list_sha256":"..."}
//	header    {"cursor":"e.7","count":123,"list_sha256":"...","allow":["ip:192.0.2.1"]}
//
// where the feed has signing keys, with what makes one answer differ from all others, and signatures at the end (see
// Signer):
//
//	trailer   {...,"from":"e.5","nonce":"...","changes_sha256":"...","time":"...","signatures":[{"key":"...","ed25519":"..."}]}
//	header    {...,"time":"...","signatures":[...]}
//
//	reset     {"reset":true,"cursor":"e.7","detail":"..."}
//	record    the decision record of a snapshot
//
// A trailer ends the answer of /feed/v1/changes and says what the client holds then: count decisions, whose sorted list
// has the given SHA-256 (see sumOf). The sum is left out where making it at every change would cost too much, and so is
// the count of a large list that is filtered; a header always has both.

// trailer ends an answer of changes.
type trailer struct {
	Cursor    string `json:"cursor"`
	MinWaitMS int64  `json:"min_wait_ms"`
	Count     *int   `json:"count,omitempty"`
	SHA256    string `json:"list_sha256,omitempty"`

	// What a signed answer is bound to.
	From          string     `json:"from,omitempty"`  // the cursor of the request
	Nonce         string     `json:"nonce,omitempty"` // of the request
	ChangesSHA256 string     `json:"changes_sha256,omitempty"`
	Time          *time.Time `json:"time,omitempty"`
}

// header begins a snapshot.
type header struct {
	Cursor string   `json:"cursor"`
	Count  int      `json:"count"`
	SHA256 string   `json:"list_sha256"`
	Allow  []string `json:"allow,omitempty"` // entities to leave alone even where a decision covers them

	Time *time.Time `json:"time,omitempty"` // of a signed list
}

// reset tells a client to take a snapshot.
type reset struct {
	Reset  bool   `json:"reset"`
	Cursor string `json:"cursor"`
	Detail string `json:"detail"`
}

// appendChange appends a change line with its newline.
func appendChange(dst []byte, cursor sundew.Cursor, op sundew.Op, decision []byte) []byte {
	dst = append(dst, `{"cursor":"`...)
	dst = append(dst, cursor.Epoch...)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, cursor.Seq, 10)
	dst = append(dst, `","op":"`...)
	dst = append(dst, op...)
	dst = append(dst, `","decision":`...)
	dst = append(dst, decision...)
	return append(dst, '}', '\n')
}

// A feedLine is a change or the trailer behind the changes.
type feedLine struct {
	cursor  sundew.Cursor
	change  sundew.Change
	trailer *trailer // nil for a change
}

// parseFeedLine reads a line of /feed/v1/changes.
func parseFeedLine(line []byte) (feedLine, error) {
	var j struct {
		Op       sundew.Op        `json:"op"`
		Decision *sundew.Decision `json:"decision"`
		trailer
	}
	if err := json.Unmarshal(line, &j); err != nil {
		return feedLine{}, fmt.Errorf("feed line: %w", err)
	}
	cursor, err := sundew.ParseCursor(j.Cursor)
	if err != nil {
		return feedLine{}, fmt.Errorf("feed line: %w", err)
	}
	if j.Op == "" && j.Decision == nil {
		if j.MinWaitMS < 0 || (j.Count != nil && *j.Count < 0) {
			return feedLine{}, errors.New("feed line: negative count or wait")
		}
		return feedLine{cursor: cursor, trailer: &j.trailer}, nil
	}
	if j.Decision == nil || (j.Op != sundew.OpAdd && j.Op != sundew.OpDelete) {
		return feedLine{}, fmt.Errorf("feed line: neither a change nor a trailer: op %q", j.Op)
	}
	if err := canonicalize(j.Decision); err != nil {
		return feedLine{}, fmt.Errorf("feed line: %w", err)
	}
	return feedLine{cursor: cursor, change: sundew.Change{Cursor: cursor, Op: j.Op, Decision: *j.Decision}}, nil
}

// parseHeader reads the first line of a snapshot.
func parseHeader(line []byte) (h header, cursor sundew.Cursor, allow []sundew.Entity, err error) {
	if err := json.Unmarshal(line, &h); err != nil {
		return header{}, sundew.Cursor{}, nil, fmt.Errorf("snapshot header: %w", err)
	}
	if cursor, err = sundew.ParseCursor(h.Cursor); err != nil {
		return header{}, sundew.Cursor{}, nil, fmt.Errorf("snapshot header: %w", err)
	}
	if h.Count < 0 || h.SHA256 == "" {
		return header{}, sundew.Cursor{}, nil, errors.New("snapshot header: count or list_sha256 missing")
	}
	for _, text := range h.Allow {
		e, err := sundew.ParseEntity(text)
		if err != nil {
			return header{}, sundew.Cursor{}, nil, fmt.Errorf("snapshot header: allow: %w", err)
		}
		allow = append(allow, e)
	}
	return h, cursor, allow, nil
}

// parseRecord reads a decision of a snapshot.
func parseRecord(line []byte) (d sundew.Decision, err error) {
	if err := json.Unmarshal(bytes.TrimSpace(line), &d); err != nil {
		return sundew.Decision{}, fmt.Errorf("snapshot record: %w", err)
	}
	if err := canonicalize(&d); err != nil {
		return sundew.Decision{}, fmt.Errorf("snapshot record: %w", err)
	}
	return d, nil
}
