package sundew

import "time"

// Range is a span of event time, From included, To not.
type Range struct{ From, To time.Time }

// OverviewPoint counts what happened in one step of a Range.
type OverviewPoint struct {
	Time         time.Time `json:"time"`
	Requests     int64     `json:"requests"`
	ClientErrors int64     `json:"client_errors"` // status 400 to 499
	ServerErrors int64     `json:"server_errors"` // status 500 to 599
	Observed     int64     `json:"observed"`      // decisions made in the step, by action
	Tarpitted    int64     `json:"tarpitted"`
	Challenged   int64     `json:"challenged"`
	Blocked      int64     `json:"blocked"`
}

// EntityActivity is one row of a list of entities.
type EntityActivity struct {
	Entity    Entity    `json:"entity"`
	Requests  int64     `json:"requests"`
	Points    float64   `json:"points"`    // highest score in the range
	Decisions int64     `json:"decisions"` // in the range
	Action    Action    `json:"action"`    // hardest action in the range
	Rule      string    `json:"rule"`      // of the last decision
	Sentence  string    `json:"sentence"`  // of the last decision
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

// ScorePoint is a score as the store keeps it.
type ScorePoint struct {
	Time     time.Time  `json:"time"`
	Points   float64    `json:"points"`
	Nats     float64    `json:"nats"`
	Evidence []Evidence `json:"evidence"`
}

// Timeline is what is known of one entity in a range, each part in time order.
type Timeline struct {
	Entity    Entity
	Requests  int64 // in the range; Events may hold fewer
	Events    []Event
	Scores    []ScorePoint
	Decisions []Decision
	Related   []EntityActivity // entities seen in the same requests, most requests first
}
