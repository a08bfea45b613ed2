package sundew

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Action is a rung of the ladder. A higher rung is harder on the client.
type Action uint8

// The rungs. ActionNone is what happens to everybody else.
const (
	ActionNone      Action = iota
	ActionObserve          // write it down, touch nothing
	ActionTarpit           // delay every request, then serve it
	ActionChallenge        // ask for proof of a person or a genuine app
	ActionBlock            // refuse
)

var actionNames = []string{"", "observe", "tarpit", "challenge", "block"}

// String returns the word of the contract, "" for ActionNone.
func (a Action) String() string { return wordOf(actionNames, a) }

// MarshalText returns the word of the contract.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads a word of the contract.
func (a *Action) UnmarshalText(text []byte) error {
	action, ok := parseWord[Action](actionNames, string(text))
	if !ok || action == ActionNone {
		return fmt.Errorf("unknown action %q: want observe, tarpit, challenge or block", text)
	}
	*a = action
	return nil
}

// Enforces says whether an edge does something about the action.
func (a Action) Enforces() bool { return a >= ActionTarpit }

// Decision is an action for one entity until Expires, with the reason for it. It takes effect once by entity and rule:
// of two decisions for the same pair the one with the higher Version holds.
type Decision struct {
	ID       string // DecisionID of the fields that make it unique
	Time     time.Time
	Entity   Entity
	And      []Entity // the request must carry each of these too
	Action   Action
	Delay    time.Duration // of a tarpit
	Score    float64       // points, 0 to 100, at Time
	Rule     string        // id@version
	Evidence []Evidence    // strongest first
	Expires  time.Time     // always after Time
	Shadow   bool          // written down and compared, never enforced
	Version  int64         // microseconds of event time, raised where needed so that an entity's versions rise
	Basis    Basis
	Sentence string // the reason for a person
	// Pseudonyms says that Entity and And name pseudonyms of addresses, which no edge may act upon.
	Pseudonyms bool
}

// Basis says which of the two kinds of reason a decision rests on: they are never mixed, because the bound on false
// positives covers the first alone.
type Basis string

// The kinds of reason.
const (
	BasisScore  Basis = "score"  // the calibrated evidence ledger
	BasisPoints Basis = "points" // explicit points of rules that fired
	BasisManual Basis = "manual" // a person
)

// DecisionID derives the identifier from what makes a decision unique, so that a replay repeats it.
func DecisionID(rule string, entity Entity, version int64) string {
	sum := sha256.Sum256([]byte(rule + "\x00" + entity.Kind.String() + "\x00" + entity.Key + "\x00" + strconv.FormatInt(version, 10)))
	return hex.EncodeToString(sum[:10])
}

// Key identifies what a decision replaces: the same rule acting on the same entity.
func (d *Decision) Key() string { return d.Rule[:ruleIDLen(d.Rule)] + "\x00" + d.Entity.String() }

func ruleIDLen(rule string) int {
	for i := range len(rule) {
		if rule[i] == '@' {
			return i
		}
	}
	return len(rule)
}

// RuleID returns the rule's name without its version.
func (d *Decision) RuleID() string { return d.Rule[:ruleIDLen(d.Rule)] }

// InForce says whether the decision acts on requests at the given time.
func (d *Decision) InForce(now time.Time) bool { return !d.Shadow && now.Before(d.Expires) }

// Validate reports the first field without which a decision must not reach an edge.
func (d *Decision) Validate() error {
	switch {
	case d.ID == "":
		return errors.New("decision has no id")
	case d.Entity.Kind == KindNone || d.Entity.Key == "":
		return fmt.Errorf("decision %s names no entity", d.ID)
	case d.Action == ActionNone:
		return fmt.Errorf("decision %s has no action", d.ID)
	case d.Rule == "":
		return fmt.Errorf("decision %s names no rule", d.ID)
	case !d.Expires.After(d.Time):
		return fmt.Errorf("decision %s expires at %s, not after its time %s", d.ID, d.Expires.Format(time.RFC3339Nano), d.Time.Format(time.RFC3339Nano))
	case d.Action == ActionTarpit && d.Delay <= 0:
		return fmt.Errorf("decision %s is a tarpit without a delay", d.ID)
	}
	return nil
}

// decisionJSON is the record of the contract.
type decisionJSON struct {
	ID       string     `json:"id"`
	Time     time.Time  `json:"time"`
	Entity   Entity     `json:"entity"`
	And      []Entity   `json:"and,omitempty"`
	Action   Action     `json:"action"`
	DelayMS  int64      `json:"delay_ms"`
	Score    float64    `json:"score"`
	Rule     string     `json:"rule"`
	Evidence []Evidence `json:"evidence"`
	Expires  time.Time  `json:"expires"`
	Shadow   bool       `json:"shadow"`
	Version  int64      `json:"version"`
	Basis    Basis      `json:"basis,omitempty"`
	Sentence string     `json:"sentence,omitempty"`
	Pseudo   bool       `json:"pseudonyms,omitempty"`
}

// MarshalJSON writes the decision record of the contract.
func (d Decision) MarshalJSON() ([]byte, error) {
	evidence := d.Evidence
	if evidence == nil {
		evidence = []Evidence{}
	}
	return json.Marshal(decisionJSON{
		d.ID, d.Time, d.Entity, d.And, d.Action, d.Delay.Milliseconds(), d.Score, d.Rule,
		evidence, d.Expires, d.Shadow, d.Version, d.Basis, d.Sentence, d.Pseudonyms,
	})
}

// UnmarshalJSON reads the decision record of the contract and validates it.
func (d *Decision) UnmarshalJSON(data []byte) error {
	var j decisionJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*d = Decision{
		ID: j.ID, Time: j.Time, Entity: j.Entity, And: j.And, Action: j.Action,
		Delay: time.Duration(j.DelayMS) * time.Millisecond, Score: j.Score, Rule: j.Rule, Evidence: j.Evidence,
		Expires: j.Expires, Shadow: j.Shadow, Version: j.Version, Basis: j.Basis, Sentence: j.Sentence, Pseudonyms: j.Pseudo,
	}
	return d.Validate()
}

// evidenceJSON is the form of the contract; the window is a Go duration such as "10m0s".
type evidenceJSON struct {
	Channel  string  `json:"channel"`
	Nats     float64 `json:"nats"`
	Observed float64 `json:"observed"`
	Expected float64 `json:"expected"`
	Window   string  `json:"window"`
	Sentence string  `json:"sentence,omitempty"`
}

// MarshalJSON writes the form of the contract.
func (e Evidence) MarshalJSON() ([]byte, error) {
	return json.Marshal(evidenceJSON{e.Channel, e.Nats, e.Observed, e.Expected, e.Window.String(), e.Sentence})
}

// UnmarshalJSON reads the form of the contract.
func (e *Evidence) UnmarshalJSON(data []byte) error {
	var j evidenceJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	window, err := time.ParseDuration(j.Window)
	if err != nil {
		return fmt.Errorf("evidence window: %w", err)
	}
	*e = Evidence{j.Channel, j.Nats, j.Observed, j.Expected, window, j.Sentence}
	return nil
}
