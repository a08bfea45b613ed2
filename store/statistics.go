package store

import (
	"context"
	"time"

	"sundew"
)

// Statistics is a store that can sum up what rules, channels and gateways did. Its methods may be called at once from many
// goroutines, and answer with at most MaxRows rows.
type Statistics interface {
	// RuleStatistics sums up the decisions of each rule and policy in each of its versions, most decisions first.
	RuleStatistics(ctx context.Context, r sundew.Range) ([]RuleStatistic, error)
	// ChannelStatistics sums up the evidence of the scores that are kept, by channel, most scores first.
	ChannelStatistics(ctx context.Context, r sundew.Range) ([]ChannelStatistic, error)
	// FieldCoverage counts the requests that carry each of the optional fields which channels and rules read, in
	// the order of the canonical event.
	FieldCoverage(ctx context.Context, r sundew.Range) ([]FieldCoverage, error)
	// FeaturePercentiles describes each feature over the evaluations of a kind of entity, by their weights, in
	// the order of the catalogue. A feature that was never recorded is left out.
	FeaturePercentiles(ctx context.Context, r sundew.Range, kind sundew.Kind) ([]FeaturePercentiles, error)
}

// RuleStatistic is what one version of a rule decided.
type RuleStatistic struct {
	Rule        string // id@version
	Entities    int64  // different ones
	Shadow      int64  // decisions in shadow, which the next four do not count
	Observed    int64
	Tarpitted   int64
	Challenged  int64
	Blocked     int64
	First, Last time.Time // of its decisions
}

// ChannelStatistic is what one channel of evidence spoke of.
type ChannelStatistic struct {
	Channel  string
	Scores   int64 // that name it
	Entities int64 // different ones
	Median   float64
	Most     float64 // nats
}

// FieldCoverage is how many requests carry a field.
type FieldCoverage struct {
	Field    string // key of the canonical event
	Requests int64  // with the field
	Of       int64
}

// FeaturePercentiles describes the distribution of a feature.
type FeaturePercentiles struct {
	Feature                   sundew.Feature
	Evaluations               float64 // sum of weights
	P50, P90, P99, P999, Most float64
}
