package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// stages are the statuses on the way up. A rule may go down, or be disabled, at any time.
var stages = []string{StatusDisabled, StatusDraft, StatusShadow, StatusCanary, StatusActive}

// Statuses returns what a rule's status may be, from the one that does least to the one that does most.
func Statuses() []string { return slices.Clone(stages) }

// Version returns the version of a file's text: the short hash of its content.
func Version(text []byte) string { return shortHash(text) }

// Body returns the short hash of a rule's text but for its status and rollout: what a promotion leaves as it is, so that
// tests, backtests and shadow periods before it count after it.
func Body(text []byte) (string, error) {
	body, err := cutKeys(text, "status", "rollout")
	if err != nil {
		return "", err
	}
	return shortHash(body), nil
}

func shortHash(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}

// WithStatus returns a rule's text with another status, and with the rollout that a canary needs. Everything else stays
// as it was written, comments included. percent is above 0 and at most 100.
func WithStatus(text []byte, status string, percent float64) ([]byte, error) {
	if !slices.Contains(stages, status) {
		return nil, fmt.Errorf("status %q: want one of %s", status, strings.Join(stages, ", "))
	}
	text, err := cutKeys(text, "rollout")
	if err != nil {
		return nil, err
	}
	place, err := keyLines(text, "status")
	if err != nil {
		return nil, err
	}
	if place == (lines{}) {
		return nil, errors.New("the rule has no status")
	}
	written := "status: " + status + "\n"
	if status == StatusCanary {
		if !(percent > 0 && percent <= 100) {
			return nil, fmt.Errorf("a canary acts on more than 0 and at most 100 percent of the entities, not on %s", shortNumber(percent))
		}
		written += "rollout: { percent: " + strconv.FormatFloat(percent, 'f', -1, 64) + " }\n"
	}
	all := splitLines(text)
	all[place.first] = []byte(written)
	return bytes.Join(slices.Delete(all, place.first+1, place.next), nil), nil
}

// lines are those of a key and its value: first to next-1, from 0.
type lines struct{ first, next int }

// keyLines finds a key of the document's mapping; the zero value where it is not there.
func keyLines(text []byte, key string) (lines, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return lines{}, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode || doc.Content[0].Style&yaml.FlowStyle != 0 {
		return lines{}, errors.New("a rule is a mapping with a key on each line")
	}
	pairs := doc.Content[0].Content
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].Value == key {
			return lines{pairs[i].Line - 1, lastLine(pairs[i+1])}, nil
		}
	}
	return lines{}, nil
}

// lastLine is the greatest line of a node, from 1. Block texts do not matter here: status and rollout are none.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}

func cutKeys(text []byte, keys ...string) ([]byte, error) {
	for _, key := range keys {
		place, err := keyLines(text, key)
		if err != nil {
			return nil, err
		}
		if place == (lines{}) {
			continue
		}
		text = bytes.Join(slices.Delete(splitLines(text), place.first, place.next), nil)
	}
	return text, nil
}

func splitLines(text []byte) [][]byte { return bytes.SplitAfter(text, []byte("\n")) }

// Bounds of a promotion.
const (
	backtestFor = 7 * day // how long a backtest counts
	shadowFor   = day     // how long a rule must have run in the shadow
)

// Candidate is a rule that is to be promoted, with what is known of it.
type Candidate struct {
	Rule     string    // its id
	Status   string    // that it shall have
	Body     string    // of its text, as Body gives it
	Shadow   time.Time // since when this body has run in the shadow or as a canary; zero for never
	Backtest *Report   // nil for none
	Now      time.Time
}

// Obstacles returns what speaks against a promotion to canary or active, nil for nothing: missing or failing tests, no
// fresh backtest of the same body or one that the brake would have stopped, and too little time in the shadow.
func (s *Set) Obstacles(c Candidate) []string {
	r := s.rule(c.Rule)
	if r == nil {
		return []string{fmt.Sprintf("there is no rule %q", c.Rule)}
	}
	if c.Status != StatusCanary && c.Status != StatusActive {
		return nil
	}
	var all []string
	for _, p := range s.adviceOn(r) {
		all = append(all, p.Message)
	}
	for i := range r.tests {
		if result := s.runTest(r, &r.tests[i]); !result.Passed {
			all = append(all, fmt.Sprintf("test %q fails: %s", result.Name, result.Detail))
		}
	}
	switch b := c.Backtest; {
	case b == nil:
		all = append(all, "there is no backtest: sundew rules backtest --json")
	case b.Identity.Body != c.Body:
		all = append(all, "the backtest is one of another text of the rule")
	case c.Now.Sub(b.Made) > backtestFor:
		all = append(all, fmt.Sprintf("the backtest is older than %d days", backtestFor/day))
	case len(b.Brake) > 0:
		all = append(all, "the brake would have stopped it in the backtest: it acts on "+b.Brake[0].Reason)
	}
	if c.Shadow.IsZero() || c.Now.Sub(c.Shadow) < shadowFor {
		all = append(all, fmt.Sprintf("it has not run in the shadow for %s", spell(shadowFor)))
	}
	return all
}
