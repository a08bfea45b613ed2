package store

import (
	"context"
	"strings"

	"sundew"
)

var _ Statistics = (*DuckDB)(nil)

// duringRange holds within the range of a question; its two arguments are microseconds.
const duringRange = ` WHERE time >= make_timestamp(?) AND time < make_timestamp(?) `

// RuleStatistics sums up decisions by rule. See Statistics.
func (d *DuckDB) RuleStatistics(ctx context.Context, r sundew.Range) ([]RuleStatistic, error) {
	return ask(ctx, d, "decisions by rule", `
		SELECT coalesce(rule, ''), count(DISTINCT (entity_kind, entity_key)), count(*) FILTER (shadow),
			count(*) FILTER (NOT shadow AND action = 'observe'), count(*) FILTER (NOT shadow AND action = 'tarpit'),
			count(*) FILTER (NOT shadow AND action = 'challenge'), count(*) FILTER (NOT shadow AND action = 'block'), min(time), max(time)
		FROM decisions`+duringRange+`GROUP BY rule ORDER BY count(*) DESC, rule LIMIT ?`,
		func(r row) (s RuleStatistic, err error) {
			return s, r.Scan(&s.Rule, &s.Entities, &s.Shadow, &s.Observed, &s.Tarpitted, &s.Challenged, &s.Blocked, &s.First, &s.Last)
		}, r.From.UnixMicro(), r.To.UnixMicro(), MaxRows)
}

// ChannelStatistics sums up evidence by channel. See Statistics.
func (d *DuckDB) ChannelStatistics(ctx context.Context, r sundew.Range) ([]ChannelStatistic, error) {
	return ask(ctx, d, "evidence by channel", `
		WITH spoken AS (
			SELECT entity_kind, entity_key, unnest(from_json(evidence, '[{"channel":"VARCHAR","nats":"DOUBLE"}]')) AS said
			FROM scores`+duringRange+`AND evidence IS NOT NULL
		)
		SELECT said.channel AS channel, count(*), count(DISTINCT (entity_kind, entity_key)), median(said.nats), max(said.nats)
		FROM spoken GROUP BY channel ORDER BY count(*) DESC, channel LIMIT ?`,
		func(r row) (s ChannelStatistic, err error) {
			return s, r.Scan(&s.Channel, &s.Scores, &s.Entities, &s.Median, &s.Most)
		}, r.From.UnixMicro(), r.To.UnixMicro(), MaxRows)
}

// coveredFields are the optional fields of an event, with what holds for an event that carries one.
var coveredFields = [...]struct{ field, carried string }{
	{"client.forwarded", "forwarded IS NOT NULL"},
	{"http.route", "route IS NOT NULL"},
	{"http.response.status_code", "status > 0"},
	{"http.response.body.size", "response_bytes >= 0"},
	{"http.server.request.duration", "duration_ns >= 0"},
	{"user_agent.original", "user_agent IS NOT NULL"},
	{"device.id", "device IS NOT NULL"},
	{"user.id", "account IS NOT NULL"},
	{"api_key.id", "api_key IS NOT NULL"},
	{"session.id", "session IS NOT NULL"},
	{"tls.client.ja4", "ja4 IS NOT NULL"},
	{"geo.country_iso_code", "country IS NOT NULL"},
	{"client.as.number", "asn > 0"},
	{"auth.outcome", "auth <> ''"},
	{"auth.username", "auth_username IS NOT NULL"},
	{"object.id", "object IS NOT NULL"},
	{"attestation.status", "attestation <> ''"},
	{"signature.status", "signature <> ''"},
	{"captcha.score", "captcha_score >= 0"},
	{"device.age", "device_age_ns >= 0"},
	{"gateway.sequence", "gateway_sequence > 0"},
	{"edge.action", "edge_action <> ''"},
}

// FieldCoverage counts the requests that carry each field. See Statistics.
func (d *DuckDB) FieldCoverage(ctx context.Context, r sundew.Range) ([]FieldCoverage, error) {
	counts := make([]string, len(coveredFields))
	for i, f := range coveredFields {
		counts[i] = "count(*) FILTER (" + f.carried + ")"
	}
	found, err := ask(ctx, d, "fields of requests", `SELECT count(*), `+strings.Join(counts, ", ")+` FROM events`+duringRange,
		func(r row) ([]FieldCoverage, error) {
			var all int64
			coverage := make([]FieldCoverage, len(coveredFields))
			into := []any{&all}
			for i := range coverage {
				into = append(into, &coverage[i].Requests)
			}
			err := r.Scan(into...)
			for i := range coverage {
				coverage[i].Field, coverage[i].Of = coveredFields[i].field, all
			}
			return coverage, err
		}, r.From.UnixMicro(), r.To.UnixMicro())
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// FeaturePercentiles describes features by weight. See Statistics.
func (d *DuckDB) FeaturePercentiles(ctx context.Context, r sundew.Range, kind sundew.Kind) ([]FeaturePercentiles, error) {
	var all []FeaturePercentiles
	for f := range sundew.Feature(sundew.NumFeatures) {
		found, err := ask(ctx, d, "percentiles of features", `
			WITH counted AS (
				SELECT `+featureColumn(f)+` AS value, sum(weight) AS weight FROM evaluations`+duringRange+`
					AND entity_kind = CAST(? AS `+kindType+`) AND `+featureColumn(f)+` IS NOT NULL
				GROUP BY value
			), summed AS (
				SELECT value, sum(weight) OVER (ORDER BY value) AS reached, sum(weight) OVER () AS total FROM counted
			)
			SELECT max(total), min(value) FILTER (reached >= 0.5 * total), min(value) FILTER (reached >= 0.9 * total),
				min(value) FILTER (reached >= 0.99 * total), min(value) FILTER (reached >= 0.999 * total), max(value)
			FROM summed HAVING count(*) > 0`,
			func(r row) (p FeaturePercentiles, err error) {
				return p, r.Scan(&p.Evaluations, &p.P50, &p.P90, &p.P99, &p.P999, &p.Most)
			}, r.From.UnixMicro(), r.To.UnixMicro(), kind.String())
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			p.Feature = f
			all = append(all, p)
		}
	}
	return all, nil
}
