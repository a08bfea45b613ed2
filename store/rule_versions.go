package store

import (
	"context"
	"time"
)

// RuleVersionStore is a store that remembers which rules ran. Its methods may be called at once from many goroutines.
type RuleVersionStore interface {
	// RecordRuleVersions says that rules and policies were loaded at a time. One that is known in that version and status
	// becomes younger or older by it; the times given with the rules are not looked at.
	RecordRuleVersions(ctx context.Context, loaded []RuleVersion, at time.Time) error
	// RuleVersions lists them, those that were loaded last first.
	RuleVersions(ctx context.Context, limit int) ([]RuleVersion, error)
}

// RuleVersion is a rule or policy as it was loaded.
type RuleVersion struct {
	ID, Version string
	Status      string // such as shadow or active
	Kind        string // of entities
	Title       string
	Owner       string
	First, Last time.Time // when it was loaded
}
