package rules

import (
	"strings"
	"time"

	"sundew"
)

// Report is what a rule would have done in a stretch of the log, beside what the rules as they are did. Entities are
// those of the rule's kind.
type Report struct {
	Made       time.Time       `json:"made"` // by the clock; zero where nobody said
	Identity   Identity        `json:"identity"`
	Volume     VolumeReport    `json:"volume"`
	Series     []HourReport    `json:"series"` // by hour
	Delta      DeltaReport     `json:"delta"`
	Quality    QualityReport   `json:"quality"`
	ProbableFP GroupReport     `json:"probable_fp"` // entities that the rule hit although something speaks for them
	Overlap    []OverlapReport `json:"overlap"`
	Held       BothHeld        `json:"held"`
	Sweep      []SweepReport   `json:"sweep,omitempty"`
	Brake      []Trip          `json:"brake,omitempty"` // what the brake would have stopped
	Coverage   []string        `json:"coverage"`        // what the report cannot know
}

// Identity says what was compared with what.
type Identity struct {
	Rule          string    `json:"rule"`              // as proposed, id@version
	Body          string    `json:"body"`              // see Body
	Against       string    `json:"against,omitempty"` // the same rule as it is; "" where it is new
	AgainstStatus string    `json:"against_status,omitempty"`
	Mode          string    `json:"mode"` // full replay
	From          time.Time `json:"from"` // first request
	To            time.Time `json:"to"`   // last request
	Lists         string    `json:"lists"`
}

// VolumeReport counts what the proposed rules did.
type VolumeReport struct {
	Evaluations int            `json:"evaluations"` // requests of entities of the kind
	Matches     int            `json:"matches"`     // of them, those that the rule fired on
	Entities    int            `json:"entities"`    // acted on with the rule among the reasons
	Decisions   DecisionCounts `json:"decisions"`   // enforced ones of all rules and of scores
}

// DecisionCounts are decisions by action.
type DecisionCounts map[string]int

// HourReport is one hour of the log.
type HourReport struct {
	Time     time.Time `json:"time"`
	Requests int       `json:"requests"`
	Current  int       `json:"current"`  // enforced decisions of the rules as they are
	Proposed int       `json:"proposed"` // of the rules as proposed
}

// DeltaReport says who is acted on by one set and not by the other.
type DeltaReport struct {
	New       GroupReport `json:"new"`
	Lost      GroupReport `json:"lost"`
	Changed   GroupReport `json:"changed"` // by both, with another hardest action
	Unchanged GroupReport `json:"unchanged"`
}

// groupExamples bounds the entities that a group names.
const groupExamples = 20

// GroupReport is a number of entities and the first of them by kind and key.
type GroupReport struct {
	Entities int             `json:"entities"`
	Examples []EntityExample `json:"examples,omitempty"`
}

// EntityExample is one entity, what is done to it and why.
type EntityExample struct {
	Entity   sundew.Entity `json:"entity"`
	Current  string        `json:"current,omitempty"`  // hardest action; "" for none
	Proposed string        `json:"proposed,omitempty"` // hardest action; "" for none
	Time     time.Time     `json:"time"`               // first proposed action; zero without one
	Sentence string        `json:"sentence,omitempty"` // of the rule's last decision
	Signs    []string      `json:"signs,omitempty"`    // what speaks for the entity
}

func (g *GroupReport) add(e sundew.Entity, t *tried) {
	g.Entities++
	if len(g.Examples) < groupExamples {
		g.Examples = append(g.Examples, EntityExample{e, t.current.String(), t.proposed.String(), t.first, t.sentence, t.innocent})
	}
}

// QualityReport counts labelled entities; the ratios are null below ten labels.
type QualityReport struct {
	TruePositives  int      `json:"true_positives"`
	FalsePositives int      `json:"false_positives"`
	FalseNegatives int      `json:"false_negatives"`
	TrueNegatives  int      `json:"true_negatives"`
	Precision      *float64 `json:"precision"`
	Recall         *float64 `json:"recall"`
}

// OverlapReport compares the entities on which two rules fired.
type OverlapReport struct {
	Rule    string  `json:"rule"`
	Both    int     `json:"both"`
	Jaccard float64 `json:"jaccard"` // both / either
}

// BothHeld counts requests that met a decision in force.
type BothHeld struct {
	Current  HeldReport `json:"current"`
	Proposed HeldReport `json:"proposed"`
}

// HeldReport counts requests that an edge would have delayed, challenged or refused.
type HeldReport struct {
	Requests   int `json:"requests"`
	Legitimate int `json:"legitimate"` // of entities that are labelled legitimate
}

// SweepReport is the rule with another value of a parameter.
type SweepReport struct {
	Param    string        `json:"param"`
	Value    string        `json:"value"`
	Entities int           `json:"entities"` // acted on with the rule among the reasons
	Quality  QualityReport `json:"quality"`
}

func splitValues(text string) []string {
	var values []string
	for value := range strings.SplitSeq(text, ",") {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}
