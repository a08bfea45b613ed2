package rules

import (
	"time"

	"sundew"
)

// RuleInfo is what a person wants to know of a rule.
type RuleInfo struct {
	ID             string   `json:"id"`
	Version        string   `json:"version"` // short hash of the file's content
	Title          string   `json:"title"`
	Kind           string   `json:"kind"`
	Status         string   `json:"status"` // draft, shadow, canary, active or disabled
	Severity       string   `json:"severity"`
	Owner          string   `json:"owner"`
	Description    string   `json:"description"`
	FalsePositives []string `json:"false_positives,omitempty"`
	OWASPAPI       []string `json:"owasp_api,omitempty"` // such as API2:2023
	OWASPOAT       []string `json:"owasp_oat,omitempty"` // such as OAT-008
	References     []string `json:"references,omitempty"`
	Params         []Param  `json:"params,omitempty"`
}

// Param is a number or word that an analyst may turn.
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Help  string `json:"help,omitempty"`
}

// PolicyInfo is what a person wants to know of a policy.
type PolicyInfo struct {
	ID          string     `json:"id"`
	Version     string     `json:"version"`
	Title       string     `json:"title"`
	Kind        string     `json:"kind"`
	Length      int        `json:"length,omitempty"` // of the networks that it is for, in bits; 0 for the others of the kind
	Owner       string     `json:"owner"`
	Description string     `json:"description"`
	Ladder      []RungInfo `json:"ladder"`
}

// RungInfo is a step of a policy's ladder.
type RungInfo struct {
	At     float64       `json:"at"`             // points
	Nats   float64       `json:"nats,omitempty"` // evidence that a calibrated score needs besides
	Action sundew.Action `json:"action"`
	TTL    time.Duration `json:"ttl"` // nanoseconds
}

// ListInfo is what a person wants to know of a list.
type ListInfo struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Title   string `json:"title"`
	Owner   string `json:"owner"`
	Purpose string `json:"purpose"` // allow or tag
	Entries int    `json:"entries"` // expired ones included
}
