package sundew

import (
	"fmt"
	"time"
)

// Verdict is what an analyst says of an entity.
type Verdict uint8

// The verdicts.
const (
	VerdictNone Verdict = iota
	VerdictAbuse
	VerdictLegitimate
)

var verdictNames = []string{"", "abuse", "legitimate"}

// String returns the word of the contract, "" for VerdictNone.
func (v Verdict) String() string { return wordOf(verdictNames, v) }

// MarshalText returns the word of the contract.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a word of the contract.
func (v *Verdict) UnmarshalText(text []byte) error {
	verdict, ok := parseWord[Verdict](verdictNames, string(text))
	if !ok || verdict == VerdictNone {
		return fmt.Errorf("unknown verdict %q: want abuse or legitimate", text)
	}
	*v = verdict
	return nil
}

// Label is an analyst's word on how an entity behaved until then. It stands in the log like any line, so that a replay
// learns from it where the live system did.
type Label struct {
	Time    time.Time `json:"time"`
	Entity  Entity    `json:"entity"`
	Verdict Verdict   `json:"verdict"`
	By      string    `json:"by"`             // who says so
	Note    string    `json:"note,omitempty"` // why

	Before int `json:"-"` // index of the event of the batch that it stands in front of; len(Events) behind the last
}

// Validate reports what is missing, and brings the entity into canonical form.
func (l *Label) Validate() error {
	entity, err := l.Entity.Canonical()
	switch {
	case err != nil:
		return fmt.Errorf("label: %w", err)
	case l.Time.IsZero():
		return fmt.Errorf("label of %s: it has no time", l.Entity)
	case l.Verdict == VerdictNone:
		return fmt.Errorf("label of %s: it has no verdict: want abuse or legitimate", l.Entity)
	case len(l.By) == 0 || len(l.By) > MaxID:
		return fmt.Errorf("label of %s: by must have 1 to %d bytes", l.Entity, MaxID)
	case len(l.Note) > MaxText:
		return fmt.Errorf("label of %s: the note has more than %d bytes", l.Entity, MaxText)
	}
	l.Entity = entity
	return nil
}
