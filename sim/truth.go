package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"sundew"
)

// Truth is what really happens in the traffic, from its first to its last request.
type Truth struct {
	Campaigns []Campaign   `json:"campaigns"` // ordered by Start, then by the order of the configuration
	Segments  []Segment    `json:"segments"`
	Incidents []Disruption `json:"incidents"` // ordered by kind, then by the order of the configuration
}

// Campaign is one carrying-out of an attack.
type Campaign struct {
	Name      string    `json:"name"`   // unique: the attack's name and a number
	Attack    string    `json:"attack"` // name in the catalogue
	OWASP     []string  `json:"owasp"`
	Start     time.Time `json:"start"` // of its first request
	End       time.Time `json:"end"`   // after its last
	Intensity float64   `json:"intensity"`
	// Entities are those that are the attacker's alone and that it holds all through; every request of the campaign names
	// one of them or more. What it makes up on the way, such as a new device for each request, is not listed: LabelOf
	// tells those.
	Entities []sundew.Entity `json:"entities"`
}

// Segment is a kind of legitimate client.
type Segment struct {
	Name     string `json:"name"`
	Sentence string `json:"sentence"`
	Clients  int    `json:"clients"`
	// Shared are the addresses and home networks in which several of these clients sit: acting on one of them hits all.
	Shared []sundew.Entity `json:"shared"`
}

// Disruption is an incident as it happens. Its requests are labelled as those of the segments that send them.
type Disruption struct {
	Name      string    `json:"name"`     // unique: the incident's name and a number
	Incident  string    `json:"incident"` // name in the list of incidents
	Sentence  string    `json:"sentence"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	UserAgent string    `json:"user_agent,omitempty"` // of the release that is at fault, where one is
}

// Truth returns the truth about the whole traffic, however much of it has been taken.
func (t *Traffic) Truth() Truth {
	truth := Truth{Campaigns: []Campaign{}, Segments: t.population.truth(), Incidents: []Disruption{}}
	for i := range t.incidents {
		truth.Incidents = append(truth.Incidents, t.incidents[i].truth(t.config.Start))
	}
	plan := newSchedule(t.methods, t.config.Duration)
	for {
		l, ok := plan.next()
		if !ok {
			return truth
		}
		truth.Campaigns = append(truth.Campaigns, t.campaign(l).truth(t.config.Start))
		plan.advance()
	}
}

// WriteJSON writes the truth as one indented JSON object.
func (truth Truth) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(truth); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}
