package store

import (
	"context"
	"time"

	"sundew"
)

// scoreRow is a row of the table scores.
type scoreRow struct {
	*sundew.Score
	partition int32
	offset    int64
	evidence  string
}

var scoresTable = []columnOf[scoreRow]{
	values("log_partition", func(s scoreRow) int32 { return s.partition }),
	int64s("log_offset", func(s scoreRow) int64 { return s.offset }),
	times("time", func(s scoreRow) time.Time { return s.Time }),
	words("entity_kind", func(s scoreRow) string { return s.Entity.Kind.String() }),
	texts("entity_key", func(s scoreRow) string { return s.Entity.Key }),
	values("points", func(s scoreRow) float64 { return s.Points }),
	values("nats", func(s scoreRow) float64 { return s.Nats }),
	texts("evidence", func(s scoreRow) string { return s.evidence }),
}

// recordScores inserts the scores that are worth keeping and whose event was not scored before.
func (c *ClickHouse) recordScores(ctx context.Context, scores []sundew.Score) error {
	if len(scores) == 0 {
		return nil
	}
	stored, err := c.scorePositions(ctx)
	if err != nil {
		return err
	}
	chosen := chooseScores(scores, c.config.MinPoints, stored, map[int32]position{})
	rows, err := newScoreRows(chosen.kept)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		newest := rows[0].Time
		for _, r := range rows {
			newest = later(newest, r.Time)
		}
		columns := append([]columnOf[scoreRow]{constant[scoreRow]("log_day", dayOf(newest))}, scoresTable...)
		if err := insert(ctx, c, "scores", "", rows, columns); err != nil {
			return err
		}
	}
	c.metrics.rows.WithLabelValues("scores").Add(float64(len(rows)))
	c.metrics.repeated.WithLabelValues("scores").Add(float64(chosen.repeated))
	c.metrics.below.Add(float64(chosen.below))
	return nil
}

// scorePositions are the resume points of scores: one insert is one part, so what the table holds has no holes.
func (c *ClickHouse) scorePositions(ctx context.Context) (map[int32]position, error) {
	stored := map[int32]position{}
	_, err := gather(ctx, c, `SELECT log_partition, max(log_offset) + 1 FROM scores GROUP BY log_partition`, func(r row) (none struct{}, err error) {
		var partition int32
		var next int64
		err = r.Scan(&partition, &next)
		stored[partition] = position{scoresNext: next}
		return none, err
	})
	return stored, err
}

func newScoreRows(scores []*sundew.Score) ([]scoreRow, error) {
	rows := make([]scoreRow, len(scores))
	for i, s := range scores {
		rows[i] = scoreRow{Score: s, offset: -1}
		if s.Event != nil {
			rows[i].partition, rows[i].offset = s.Event.Partition, s.Event.Offset
		}
		var err error
		if rows[i].evidence, err = evidenceJSON(s.Evidence); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func evidenceJSON(evidence []sundew.Evidence) (string, error) {
	value, err := evidenceText(evidence)
	text, _ := value.([]byte)
	return string(text), err
}
