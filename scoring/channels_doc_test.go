package scoring

import (
	"os"
	"strings"
	"testing"
)

// TestEveryChannelIsDescribed finds each channel in the table, and nothing in the table that is no channel.
func TestEveryChannelIsDescribed(t *testing.T) {
	text, err := os.ReadFile("CHANNELS.md")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			described[name] = true
		}
	}
	for _, name := range append(Channels(), reputationName) {
		if !described[name] {
			t.Errorf("%s is not described", name)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("%s is described and no channel", name)
	}
}
