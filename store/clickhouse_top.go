package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"

	"sundew"
)

// TopEntities lists entities with decisions first, then by highest points, then by requests. See Store.
func (c *ClickHouse) TopEntities(ctx context.Context, r sundew.Range, kind sundew.Kind, limit int) ([]sundew.EntityActivity, error) {
	limit = bounded(limit)
	top, err := c.suspects(ctx, r, kind, limit+ties)
	if err != nil {
		return nil, err
	}
	if err := c.countEach(ctx, r, top); err != nil {
		return nil, err
	}
	if len(top) < limit {
		known := make(map[sundew.Entity]bool, len(top))
		for _, s := range top {
			known[s.Entity] = true
		}
		for _, g := range gatherings(kind) {
			busiest, err := c.busiest(ctx, g, condition{sql: "true"}, r, limit+len(known))
			if err != nil {
				return nil, err
			}
			for _, b := range busiest {
				if !known[b.Entity] {
					top = append(top, b)
				}
			}
		}
	}
	slices.SortFunc(top, worstFirst)
	return top[:min(limit, len(top))], nil
}

// suspects lists entities with decisions or scores in the range; requests are not counted yet. Points are those of the
// scores, where there are any.
func (c *ClickHouse) suspects(ctx context.Context, r sundew.Range, kind sundew.Kind, limit int) ([]sundew.EntityActivity, error) {
	const ofKind = ` AND ({kind:String} = '' OR entity_kind = {kind:String})`
	return inquire(ctx, c, "entities with decisions or scores", `
		SELECT toString(entity_kind) AS kind, entity_key, if(countIf(NOT acted) > 0, maxIf(points, NOT acted), max(points)) AS highest, countIf(acted) AS decisions,
			max(strength), argMaxIf(rule, (time, version), acted), argMaxIf(sentence, (time, version), acted), min(time), max(time)
		FROM (
			SELECT entity_kind, entity_key, true AS acted, score AS points, time, version, toString(rule) AS rule, sentence,
				indexOf(['observe', 'tarpit', 'challenge', 'block'], `+effectiveAction+`) AS strength
			FROM decisions FINAL WHERE `+inRange+ofKind+`
			UNION ALL
			SELECT entity_kind, entity_key, false, points, time, toInt64(0), '', '', toUInt64(0) FROM scores WHERE `+inRange+ofKind+`
		)
		GROUP BY entity_kind, entity_key ORDER BY decisions > 0 DESC, highest DESC, kind, entity_key LIMIT {limit:UInt32}`,
		scanSuspectRow, rangeArgs(r, clickhouse.Named("kind", kind.String()), clickhouse.Named("limit", limit))...)
}

func scanSuspectRow(r row) (sundew.EntityActivity, error) {
	var (
		a                   sundew.EntityActivity
		kind                string
		decisions, strength uint64
	)
	err := r.Scan(&kind, &a.Entity.Key, &a.Points, &decisions, &strength, &a.Rule, &a.Sentence, &a.FirstSeen, &a.LastSeen)
	a.Entity.Kind = kindOf(kind)
	a.Decisions = int64(decisions)
	a.Action = []sundew.Action{0, sundew.ActionObserve, sundew.ActionTarpit, sundew.ActionChallenge, sundew.ActionBlock}[strength]
	a.FirstSeen, a.LastSeen = a.FirstSeen.UTC(), a.LastSeen.UTC()
	return a, err
}

// busiest lists the entities of a gathering with the most requests among the events that a condition admits.
func (c *ClickHouse) busiest(ctx context.Context, g gathering, where condition, r sundew.Range, limit int) ([]sundew.EntityActivity, error) {
	return inquire(ctx, c, "entities by requests", `
		SELECT `+g.address+` AS address, `+g.key+` AS entity_key, count() AS requests, min(time), max(time)
		FROM events WHERE `+inRange+` AND `+where.sql+` AND `+g.where+`
		GROUP BY address, entity_key ORDER BY requests DESC, address, entity_key LIMIT {limit:UInt32}`,
		g.scan, rangeArgs(r, append(slices.Clone(where.args), clickhouse.Named("limit", limit))...)...)
}

func (g *gathering) scan(r row) (sundew.EntityActivity, error) {
	var (
		a        sundew.EntityActivity
		at       spot
		requests uint64
	)
	err := r.Scan(&at.address, &at.key, &requests, &a.FirstSeen, &a.LastSeen)
	if err != nil {
		return a, err
	}
	a.Entity, a.Requests = g.entity(at), int64(requests)
	a.FirstSeen, a.LastSeen = a.FirstSeen.UTC(), a.LastSeen.UTC()
	return a, nil
}

// spotsPerQuery bounds the arguments of one query, which over HTTP travel in the address of the request.
const spotsPerQuery = 500

// countEach fills in the requests of each entity, by one query per gathering and spotsPerQuery entities.
func (c *ClickHouse) countEach(ctx context.Context, r sundew.Range, activities []sundew.EntityActivity) error {
	wanted := map[gathering][]spot{}
	index := make(map[sundew.Entity]*sundew.EntityActivity, len(activities))
	for i := range activities {
		g, at, err := gatheringOf(activities[i].Entity)
		if err != nil {
			continue // a key that no event can have: it stays at 0 requests
		}
		wanted[g] = append(wanted[g], at)
		index[g.entity(at)] = &activities[i]
	}
	for g, spots := range wanted {
		for some := range slices.Chunk(spots, spotsPerQuery) {
			counted, err := c.countAt(ctx, g, some, r)
			if err != nil {
				return err
			}
			for _, found := range counted {
				a, asked := index[found.Entity]
				if !asked {
					return fmt.Errorf("count requests of %s: it was not asked for", found.Entity)
				}
				a.Requests = found.Requests
				a.FirstSeen = earlier(a.FirstSeen, found.FirstSeen)
				a.LastSeen = later(a.LastSeen, found.LastSeen)
			}
		}
	}
	return nil
}

func (c *ClickHouse) countAt(ctx context.Context, g gathering, spots []spot, r sundew.Range) ([]sundew.EntityActivity, error) {
	addresses, keys := make([]string, len(spots)), make([]string, len(spots))
	for i, at := range spots {
		addresses[i], keys[i] = mapped(at.address), at.key
	}
	return inquire(ctx, c, "requests of entities", `
		SELECT `+g.address+` AS address, `+g.key+` AS entity_key, count(), min(time), max(time)
		FROM events WHERE `+inRange+` AND `+g.where+` AND address IN (SELECT toIPv6(arrayJoin({addresses:Array(String)})))
			AND entity_key IN (SELECT arrayJoin({keys:Array(String)}))
		GROUP BY address, entity_key`,
		g.scan, rangeArgs(r, clickhouse.Named("addresses", addresses), clickhouse.Named("keys", keys))...)
}
