package edge

import (
	"fmt"
	"strings"

	"sundew"
)

// A filter names the decisions that a client asked for. The zero value lets everything pass.
type filter struct {
	kinds   uint16 // bit set of sundew.Kind; 0: all
	actions uint8  // bit set of sundew.Action; 0: all
}

// parseFilter reads comma-separated lists of kinds and actions; an empty list means all.
func parseFilter(kinds, actions string) (f filter, err error) {
	for word := range words(kinds) {
		kind, err := sundew.ParseKind(word)
		if err != nil {
			return filter{}, fmt.Errorf("kinds: %w", err)
		}
		f.kinds |= 1 << kind
	}
	for word := range words(actions) {
		var action sundew.Action
		if err := action.UnmarshalText([]byte(word)); err != nil {
			return filter{}, fmt.Errorf("actions: %w", err)
		}
		f.actions |= 1 << action
	}
	return f, nil
}

// words yields the non-empty words between commas.
func words(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for word := range strings.SplitSeq(list, ",") {
			if word = strings.TrimSpace(word); word != "" && !yield(word) {
				return
			}
		}
	}
}

func (f filter) everything() bool { return f == filter{} }

func (f filter) kind(k sundew.Kind) bool { return f.kinds == 0 || f.kinds&(1<<k) != 0 }

func (f filter) action(a sundew.Action) bool { return f.actions == 0 || f.actions&(1<<a) != 0 }

func (f filter) matches(d *sundew.Decision) bool { return f.kind(d.Entity.Kind) && f.action(d.Action) }
