package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"sundew"
)

// Keeper is a store that can answer for what it keeps of people. Its methods may be called at once from many goroutines.
type Keeper interface {
	// Erase removes the requests that name the entity, with the evaluations made at them; the scores, evaluations, decisions
	// and labels of the entity, decisions and labels of after now too; and lines that could not be read and hold its key. It
	// returns how many rows that were, and writes that it happened into the audit, without naming the entity. Decisions
	// made until now do not come back from the log.
	Erase(ctx context.Context, who sundew.Entity, by string, now time.Time) (Erased, error)
	// Export calls each with everything that Erase would remove, one kind of record after the other, and writes into the
	// audit that it happened.
	Export(ctx context.Context, who sundew.Entity, by string, now time.Time, each func(Record) error) error
	// Audit lists who did what to the store, newest first.
	Audit(ctx context.Context, limit int) ([]AuditEntry, error)
}

// Erased counts the rows that were removed.
type Erased struct {
	Requests    int64 `json:"requests"`
	Scores      int64 `json:"scores"`
	Evaluations int64 `json:"evaluations"`
	Decisions   int64 `json:"decisions"`
	Labels      int64 `json:"labels"`
	DeadLetters int64 `json:"dead_letters"`
}

// Record is one row of an export.
type Record struct {
	Kind   string          `json:"kind"` // request, score, evaluation, decision, label or dead_letter
	Record json.RawMessage `json:"record"`
}

// AuditEntry is one thing that somebody did to the store.
type AuditEntry struct {
	Number int64     `json:"number"` // from 1 without gaps
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	Action string    `json:"action"`
	Detail string    `json:"detail"` // JSON
	Hash   string    `json:"hash"`   // of the entry and of the hash before it
}

// link is the hash of an entry behind another.
func (e *AuditEntry) link(before string) string {
	text, _ := json.Marshal([]any{before, e.Number, e.Time.UnixMicro(), e.By, e.Action, e.Detail}) // texts and numbers alone
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// fingerprint stands for an entity that must not be named.
func fingerprint(e sundew.Entity) string {
	sum := sha256.Sum256([]byte(e.String()))
	return hex.EncodeToString(sum[:])
}

// LabelStore is a store whose Record keeps the labels of a batch too: one by entity, time and person, the last that came.
type LabelStore interface {
	// Labels lists those given in the range, newest first.
	Labels(ctx context.Context, r sundew.Range, limit int) ([]sundew.Label, error)
}

// Checker is a store that can look itself over.
type Checker interface {
	// Check reads through the store and reports what is there and what is missing.
	Check(ctx context.Context) (Health, error)
}

// Health is what Check found.
type Health struct {
	Schema     int // version
	Bytes      int64
	Tables     []TableHealth
	Partitions []PartitionHealth
	Audit      string // what is wrong with the chain of the audit, "" for nothing
}

// TableHealth is how much of a kind is stored, and of when.
type TableHealth struct {
	Name           string
	Rows           int64
	Oldest, Newest time.Time     // zero where there are no rows
	Retention      time.Duration // 0 keeps all
	Beyond         int64         // rows that are older than the retention: the next prune takes them
}

// PartitionHealth says how far a partition of the log is stored.
type PartitionHealth struct {
	Partition       int32
	Next            int64 // offset that the next batch starts from
	ScoresNext      int64
	EvaluationsNext int64
	Events          int64
	First, Last     int64 // offsets of stored events
	Repeated        int64 // events whose offset is stored more than once, which is a fault
	// Absent counts offsets between First and Last without an event: labels, lines that could not be read, events that were
	// erased or thinned out, and what was lost. LongestGap is the longest run of them, behind offset GapAfter.
	Absent, LongestGap, GapAfter int64
}

func validPerson(by string) error {
	if by == "" || len(by) > sundew.MaxID {
		return fmt.Errorf("by must have 1 to %d bytes: who asked for it", sundew.MaxID)
	}
	return nil
}
