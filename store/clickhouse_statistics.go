package store

import (
	"context"
	"strings"

	"sundew"
)

var _ Statistics = (*ClickHouse)(nil)

// RuleStatistics sums up decisions by rule. See Statistics.
func (c *ClickHouse) RuleStatistics(ctx context.Context, r sundew.Range) ([]RuleStatistic, error) {
	return inquire(ctx, c, "decisions by rule", `
		SELECT toString(rule) AS name, uniqExact(entity_kind, entity_key), countIf(shadow),
			countIf(NOT shadow AND action = 'observe'), countIf(NOT shadow AND action = 'tarpit'),
			countIf(NOT shadow AND action = 'challenge'), countIf(NOT shadow AND action = 'block'), min(time), max(time)
		FROM decisions FINAL WHERE `+inRange+` GROUP BY name ORDER BY count() DESC, name LIMIT {limit:UInt32}`,
		func(r row) (s RuleStatistic, err error) {
			var n [6]uint64
			err = r.Scan(&s.Rule, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &s.First, &s.Last)
			s.Entities, s.Shadow, s.Observed = int64(n[0]), int64(n[1]), int64(n[2])
			s.Tarpitted, s.Challenged, s.Blocked = int64(n[3]), int64(n[4]), int64(n[5])
			s.First, s.Last = s.First.UTC(), s.Last.UTC()
			return s, err
		}, rangeArgs(r, limitArg(MaxRows))...)
}

// ChannelStatistics sums up evidence by channel. See Statistics.
func (c *ClickHouse) ChannelStatistics(ctx context.Context, r sundew.Range) ([]ChannelStatistic, error) {
	return inquire(ctx, c, "evidence by channel", `
		WITH arrayJoin(JSONExtractArrayRaw(evidence)) AS said, JSONExtractFloat(said, 'nats') AS nats
		SELECT JSONExtractString(said, 'channel') AS channel, count(), uniqExact(entity_kind, entity_key), quantileExactInclusive(0.5)(nats), max(nats)
		FROM scores WHERE `+inRange+` GROUP BY channel ORDER BY count() DESC, channel LIMIT {limit:UInt32}`,
		func(r row) (s ChannelStatistic, err error) {
			var scores, entities uint64
			err = r.Scan(&s.Channel, &scores, &entities, &s.Median, &s.Most)
			s.Scores, s.Entities = int64(scores), int64(entities)
			return s, err
		}, rangeArgs(r, limitArg(MaxRows))...)
}

// FieldCoverage counts the requests that carry each field. See Statistics.
func (c *ClickHouse) FieldCoverage(ctx context.Context, r sundew.Range) ([]FieldCoverage, error) {
	counts := make([]string, len(coveredFields))
	for i, f := range coveredFields {
		counts[i] = "countIf(" + strings.Replace(f.carried, "IS NOT NULL", "<> ''", 1) + ")" // absent text is empty here
	}
	found, err := inquire(ctx, c, "fields of requests", `SELECT count(), [`+strings.Join(counts, ", ")+`] FROM events WHERE `+inRange,
		func(r row) ([]FieldCoverage, error) {
			var all uint64
			var carried []uint64
			if err := r.Scan(&all, &carried); err != nil {
				return nil, err
			}
			coverage := make([]FieldCoverage, len(coveredFields))
			for i := range coverage {
				coverage[i] = FieldCoverage{Field: coveredFields[i].field, Requests: int64(carried[i]), Of: int64(all)}
			}
			return coverage, nil
		}, rangeArgs(r)...)
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// FeaturePercentiles has nothing to describe, since evaluations are not kept here. See Statistics.
func (c *ClickHouse) FeaturePercentiles(context.Context, sundew.Range, sundew.Kind) ([]FeaturePercentiles, error) {
	return nil, nil
}
