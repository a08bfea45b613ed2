package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"

	"sundew"
)

// scoreColumns is what scanScore reads.
const scoreColumns = `time, points, nats, coalesce(evidence, '')`

// choice is what becomes of the scores of one Record.
type choice struct {
	kept            []*sundew.Score
	below, repeated int
}

// chooseScores drops scores that are stored already or too low, and moves the resume points of scores in reached. A score
// without an Event has no place in the log: it is kept whenever it comes.
func chooseScores(scores []sundew.Score, minPoints float64, stored, reached map[int32]position) choice {
	var chosen choice
	for i := range scores {
		score := &scores[i]
		if event := score.Event; event != nil {
			if event.Offset < stored[event.Partition].scoresNext {
				chosen.repeated++
				continue
			}
			p := reached[event.Partition]
			p.scoresNext = max(p.scoresNext, event.Offset+1)
			reached[event.Partition] = p
		}
		if score.Points < minPoints || math.IsNaN(score.Points) {
			chosen.below++
			continue
		}
		chosen.kept = append(chosen.kept, score)
	}
	return chosen
}

// appendScore appends the values of a row of the table scores.
func appendScore(values []driver.Value, s *sundew.Score) ([]driver.Value, error) {
	evidence, err := evidenceText(s.Evidence)
	if err != nil {
		return nil, fmt.Errorf("score of %s: %w", s.Entity, err)
	}
	return append(values, s.Time.UTC(), s.Entity.Kind.String(), required(s.Entity.Key), s.Points, s.Nats, evidence), nil
}

func scanScore(r row) (sundew.ScorePoint, error) {
	var (
		p        sundew.ScorePoint
		evidence string
	)
	if err := r.Scan(&p.Time, &p.Points, &p.Nats, &evidence); err != nil {
		return p, err
	}
	var err error
	p.Evidence, err = evidenceOf(evidence)
	return p, err
}

// required is text for a column that is never NULL.
func required(s string) driver.Value {
	if s == "" {
		return []byte{}
	}
	return text(s)
}

// evidenceText is the JSON of the contract. JSON has no infinity: what lies beyond a float64 becomes its largest value,
// and what is no number becomes 0.
func evidenceText(evidence []sundew.Evidence) (driver.Value, error) {
	if len(evidence) == 0 {
		return nil, nil
	}
	written := make([]sundew.Evidence, len(evidence))
	for i, e := range evidence {
		e.Nats, e.Observed, e.Expected = finite(e.Nats), finite(e.Observed), finite(e.Expected)
		written[i] = e
	}
	return json.Marshal(written)
}

func finite(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return max(-math.MaxFloat64, min(x, math.MaxFloat64))
}

func evidenceOf(text string) ([]sundew.Evidence, error) {
	if text == "" {
		return nil, nil
	}
	var evidence []sundew.Evidence
	if err := json.Unmarshal([]byte(text), &evidence); err != nil {
		return nil, fmt.Errorf("stored evidence: %w", err)
	}
	return evidence, nil
}
