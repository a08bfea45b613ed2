package store

import (
	"context"
	"time"

	"sundew"
)

// Store keeps what happened and answers analysts. Every method may be called at once from many goroutines and ends when
// its context does. Limits of 0 or less mean 100; more than MaxRows is cut to MaxRows. A Range that ends before it starts
// is empty. After Close every method returns an error.
type Store interface {
	// Recorder keeps a batch, its scores and its decisions as one: all of it, or nothing and an error. An engine without
	// transactions may keep a part with the error; the same call again adds the rest and counts nothing twice.
	//
	// Events before the partition's resume point are skipped, as are scores whose event was scored before, and decisions
	// replace those of the same ID. The resume point moves to the position's Next, whether the lines in between were
	// readable or not. Rejected lines are not kept here: see RecordDeadLetters. Events must lie in the partition and the
	// offsets of the position; anything else is an error. A batch without events and position leaves the resume point
	// alone, so that scores and decisions may come apart from the events they rest on.
	sundew.Recorder
	// Resume returns the offset that the next batch of the partition should start from, 0 when nothing is stored.
	Resume(ctx context.Context, partition int32) (next int64, err error)
	// RecordDeadLetters keeps lines that could not be read, once by source, partition and offset. A letter of a later
	// attempt takes the place of the one before, and a replayed one leaves.
	RecordDeadLetters(ctx context.Context, letters []sundew.DeadLetter) error

	// Overview counts the range in steps that start at r.From; every step is there, the last may reach beyond r.To. The
	// step is at least a millisecond, and there are at most MaxRows of them.
	Overview(ctx context.Context, r sundew.Range, step time.Duration) ([]sundew.OverviewPoint, error)
	// TopEntities lists entities of a kind, or of all kinds for KindNone: first those with decisions, then by their
	// highest points, then by requests.
	TopEntities(ctx context.Context, r sundew.Range, kind sundew.Kind, limit int) ([]sundew.EntityActivity, error)
	// Timeline tells what is known of an entity in the range. The limit holds for each part; the newest are kept.
	Timeline(ctx context.Context, e sundew.Entity, r sundew.Range, limit int) (sundew.Timeline, error)
	// Decision finds a decision by its ID; found is false when it is not stored.
	Decision(ctx context.Context, id string) (d sundew.Decision, found bool, err error)
	// Decisions lists the decisions made in the range, newest first.
	Decisions(ctx context.Context, r sundew.Range, limit int) ([]sundew.Decision, error)
	// Requests lists the requests behind a decision, newest first: those of its entity, narrowed by And, from its time
	// back to the longest window of its evidence, or one hour back where no evidence has a window.
	Requests(ctx context.Context, d sundew.Decision, limit int) ([]sundew.Event, error)
	// DeadLetters lists the lines rejected in the range, newest first.
	DeadLetters(ctx context.Context, r sundew.Range, limit int) ([]sundew.DeadLetter, error)
	// Count says how many rows are stored.
	Count(ctx context.Context) (Counts, error)

	// Close waits for the methods under way and gives up the storage. Closing twice is no error.
	Close() error
}

// Counts are the rows of a store.
type Counts struct {
	Events      int64 `json:"events"`
	Decisions   int64 `json:"decisions"`
	Scores      int64 `json:"scores"`
	DeadLetters int64 `json:"dead_letters"`
}

// MaxRows is the most that one answer holds.
const MaxRows = 10_000

const (
	defaultRows    = 100
	minStep        = time.Millisecond
	fallbackWindow = time.Hour // how far back Requests looks for a decision whose evidence has no window
)

// bounded brings a limit that a caller asked for between 1 and MaxRows.
func bounded(limit int) int {
	if limit <= 0 {
		return defaultRows
	}
	return min(limit, MaxRows)
}

// behind returns the span of time that a decision rests on, its own moment included.
func behind(d sundew.Decision) (from, to time.Time) {
	var longest time.Duration
	for _, evidence := range d.Evidence {
		longest = max(longest, evidence.Window)
	}
	if longest == 0 {
		longest = fallbackWindow
	}
	return d.Time.Add(-longest), d.Time
}
