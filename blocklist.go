package sundew

import (
	"fmt"
	"strconv"
	"strings"
)

// Cursor is a position in the log of decision changes. Epoch changes when the log is rebuilt, which makes older cursors
// void; Seq counts changes within an epoch, from 1.
type Cursor struct {
	Epoch string // lower-case letters and digits
	Seq   uint64
}

// String returns "epoch.seq", the form of the contract.
func (c Cursor) String() string { return c.Epoch + "." + strconv.FormatUint(c.Seq, 10) }

// ParseCursor reads "epoch.seq".
func ParseCursor(text string) (Cursor, error) {
	epoch, seq, found := strings.Cut(text, ".")
	n, err := strconv.ParseUint(seq, 10, 64)
	if !found || epoch == "" || err != nil {
		return Cursor{}, fmt.Errorf("cursor %q: want epoch.sequence, as the feed gave it", text)
	}
	return Cursor{epoch, n}, nil
}

// Op says what a change does to the list.
type Op string

// The two changes.
const (
	OpAdd    Op = "add"    // the decision holds; it replaces an earlier one of the same Key
	OpDelete Op = "delete" // the decision holds no longer: expired, withdrawn or replaced
)

// Change is one step of the log of decision changes.
type Change struct {
	Cursor   Cursor
	Op       Op
	Decision Decision
}

// Blocklist is the decisions in force at a cursor, ordered by entity and rule. It is immutable and may be shared.
type Blocklist struct {
	Cursor    Cursor
	Decisions []Decision
}
