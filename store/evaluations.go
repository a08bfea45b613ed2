package store

import (
	"context"
	"fmt"
	"time"

	"sundew"
)

// Evaluation is what rules saw of one entity at one event: a Score, kept so that a changed rule can be tried on it.
type Evaluation struct {
	Time   time.Time
	Entity sundew.Entity
	Points float64
	Nats   float64
	// Features that the store did not keep, because they were invented later, are NaN.
	Features sundew.Features
	Evidence []sundew.Evidence
	// Weight is how many evaluations it stands for, at least 1: the inverse of the chance that it had to be kept.
	Weight float64
	// Fired are the rules and policies, as id@version, whose decisions it led to; shadow decisions too.
	Fired []string
	// Event is the request. When it is read back it may be a part of it: see EvaluationQuery.
	Event *sundew.Event
}

// EvaluationRecorder keeps evaluations.
type EvaluationRecorder interface {
	// RecordEvaluations keeps evaluations in one transaction: all of them, or none and an error. Each has an Event with its
	// place in the log. Those of events before the partition's resume point of evaluations are skipped, so that
	// a batch that comes again counts once: all evaluations of an event come in one call.
	RecordEvaluations(ctx context.Context, evaluations []Evaluation) error
}

// EvaluationStore is a store that keeps evaluations. Its methods may be called at once from many goroutines.
type EvaluationStore interface {
	EvaluationRecorder
	// ScanEvaluations calls each with consecutive chunks in the order of time, then of the log. The chunk and its slices
	// hold until each returns, which ends the scan by an error. The time limit of questions holds for the store's
	// part of the work alone.
	ScanEvaluations(ctx context.Context, q EvaluationQuery, each func(c *EvaluationChunk) error) error
}

// EvaluationQuery says which evaluations are wanted, and what of them.
type EvaluationQuery struct {
	Range    sundew.Range
	Kind     sundew.Kind      // KindNone for all
	Features []sundew.Feature // columns of the answer
	Where    []FeatureBound   // all must hold; may name features that are not among the columns
	Evidence bool             // whether the answer has it
	Requests RequestDetail
}

// FeatureBound holds where Min <= feature <= Max, and for evaluations that are older than the feature. Use infinities for
// what has no bound.
type FeatureBound struct {
	Feature  sundew.Feature
	Min, Max float64
}

// RequestDetail says how much of the requests a scan brings along.
type RequestDetail uint8

// The details. RequestLine costs little; RequestWhole looks every request up.
const (
	RequestNone  RequestDetail = iota
	RequestLine                // time, place in the log, method, host, path, route, status
	RequestWhole               // all that the store knows; no more than RequestLine where the request is no longer stored
)

// EvaluationChunk is a run of evaluations, column by column: index i of every slice belongs to evaluation i.
type EvaluationChunk struct {
	Time     []int64 // microseconds since 1970, UTC
	Entity   []sundew.Entity
	Points   []float64
	Nats     []float64
	Weight   []float64
	Fired    [][]string
	Evidence [][]sundew.Evidence // empty unless asked for
	Features [][]float64         // one column for each of EvaluationQuery.Features; NaN where it was not recorded
	Events   []sundew.Event      // empty for RequestNone
}

// Len is the number of evaluations.
func (c *EvaluationChunk) Len() int { return len(c.Time) }

// EvaluationSampling says which evaluations are kept. An evaluation that led to a decision always is. Of the others, an
// entity is kept for a window of ten minutes or not at all, so that what it did there can be followed; and the more requests it
// makes in the window, the fewer of them are kept. What is kept depends on nothing but the log and the seed.
type EvaluationSampling struct {
	Rate   int     `yaml:"rate"`   // one of so many windows of entities below Points; 1 keeps all, 0 keeps no evaluations
	Points float64 `yaml:"points"` // from so many points on, every window of an entity is kept
	Seed   uint64  `yaml:"-"`      // secret, so that nobody can choose identifiers that are always, or never, kept
}

// DefaultEvaluationSampling keeps about one evaluation in a hundred of those that nobody suspects.
func DefaultEvaluationSampling() EvaluationSampling { return EvaluationSampling{Rate: 100, Points: 20} }

// Validate names the first setting that cannot be used.
func (s EvaluationSampling) Validate() error {
	switch {
	case s.Rate < 0:
		return fmt.Errorf("evaluations.rate: %d is negative: want 1 to keep all, 100 to keep one in a hundred, or 0 for none", s.Rate)
	case !(s.Points >= 0 && s.Points <= 100):
		return fmt.Errorf("evaluations.points: %g is not between 0 and 100", s.Points)
	}
	return nil
}

const (
	samplingWindow = 10 * time.Minute
	// Evaluations of one entity in one window that are kept before they are thinned out, by Points.
	plainPerWindow   = 8
	suspectPerWindow = 64
)

// Sample returns the evaluations to keep of a batch's scores and of the decisions that they led to, both in the order of
// sundew.Policy. Scores without an event are passed over.
func (s EvaluationSampling) Sample(scores []sundew.Score, ds []sundew.Decision) []Evaluation {
	if s.Rate == 0 {
		return nil
	}
	var kept []Evaluation
	for i := range scores {
		score := &scores[i]
		var fired []string
		for len(ds) > 0 && ds[0].Entity == score.Entity && ds[0].Time.Equal(score.Time) {
			fired, ds = append(fired, ds[0].Rule), ds[1:]
		}
		if score.Event == nil {
			continue
		}
		weight := 1.0
		if len(fired) == 0 {
			weight = s.weight(score)
		}
		if weight > 0 {
			kept = append(kept, Evaluation{score.Time, score.Entity, score.Points, score.Nats, score.Features, score.Evidence, weight, fired, score.Event})
		}
	}
	return kept
}

// weight is 0 for an evaluation that is not kept.
func (s EvaluationSampling) weight(score *sundew.Score) float64 {
	rate, perWindow := float64(s.Rate), float64(plainPerWindow)
	if score.Points >= s.Points {
		rate, perWindow = 1, suspectPerWindow
	}
	window := score.Time.UnixMicro() / samplingWindow.Microseconds()
	who := s.hash(score.Entity, window)
	thinning := max(1, score.Features[sundew.Requests10m]/perWindow)
	if !chosen(who, rate) || !chosen(mix(who^uint64(score.Event.Offset)), thinning) {
		return 0
	}
	return rate * thinning
}

// chosen is true for one hash in so many.
func chosen(hash uint64, oneIn float64) bool { return float64(hash>>11)*oneIn < 1<<53 }

// hash is FNV-1a (RFC 9923) of the entity and the window, mixed with the seed.
func (s EvaluationSampling) hash(e sundew.Entity, window int64) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(e.Key) {
		h = (h ^ uint64(e.Key[i])) * 0x100000001b3
	}
	return mix(mix(h^s.Seed) + uint64(e.Kind) + uint64(window)<<8)
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
