package rules

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.yaml.in/yaml/v3"

	"sundew"
)

// brakeInterval is the stretch of event time in which a guardrail counts. Stretches begin at multiples of it.
const brakeInterval = 10 * time.Minute

// A guardrail bounds what one rule, or the rules of one policy together, may do in an interval to the entities of a
// kind. It counts before anything is published, so that the decision that crosses it reaches no edge.
//
// By default there is no cap on the share of requests: a flood is most of the traffic, and it is what rules are for.
type guardrail struct {
	entities     int     // acted on; 0 for any number
	entityShare  float64 // of the entities that were seen in this interval or in the last, whichever is more; 1 for any
	trafficShare float64 // of their requests; 1 for any
	least        int     // so many entities may be acted on whatever the shares
}

func ruleGuardrail() guardrail   { return guardrail{entityShare: 0.33, trafficShare: 1, least: 15} }
func policyGuardrail() guardrail { return guardrail{entityShare: 0.5, trafficShare: 1, least: 100} }

// guardrail reads what differs from the default. trip is what follows from crossing it.
func (f *file) guardrail(g *guardrail, trip string) reader {
	return func(n *yaml.Node) {
		f.object(n, "guardrail",
			optional("entities_per_10m", f.count(&g.entities, 1, 1_000_000)),
			optional("entity_share", f.share(&g.entityShare)),
			optional("traffic_share", f.share(&g.trafficShare)),
			optional("least", f.count(&g.least, 0, 1_000_000)),
			optional("on_trip", f.word(new(string), trip)),
		)
	}
}

// A tally is who was acted on or seen in an interval, and how often they asked.
type tally struct{ entities, requests int }

// crossed says in words which bound is crossed, "" for none.
func (g *guardrail) crossed(acted, seen tally) string {
	switch {
	case g.entities > 0 && acted.entities > g.entities:
		return fmt.Sprintf("more than %d entities in 10 minutes", g.entities)
	case acted.entities <= g.least:
		return ""
	case g.entityShare < 1 && float64(acted.entities) > g.entityShare*float64(seen.entities):
		return fmt.Sprintf("more than %s%% of the entities in 10 minutes", shortNumber(g.entityShare*100))
	case g.trafficShare < 1 && float64(acted.requests) > g.trafficShare*float64(seen.requests):
		return fmt.Sprintf("more than %s%% of the requests in 10 minutes", shortNumber(g.trafficShare*100))
	}
	return ""
}

// Trip is a brake that has worked: a rule that crossed its guardrail acts no longer, and what it did is withdrawn. The
// version of the rule stays in the shadow until its file is changed; a policy's rules act again in the next interval.
type Trip struct {
	Time      time.Time `json:"time"`
	Name      string    `json:"name"`      // of the rule or policy, id@version
	Reason    string    `json:"reason"`    // the bound that was crossed
	Entities  int       `json:"entities"`  // acted on in the interval, the one that was held back included
	Seen      int       `json:"seen"`      // entities of the kind in the interval or in the one before, estimated
	Withdrawn int       `json:"withdrawn"` // decisions taken back
}

// censusBits gives estimates within a few per cent up to 50,000 entities in an interval. Beyond 150,000 the estimate
// stays behind the truth, and guardrails are the tighter for it.
const censusBits = 1 << 14

// A census counts the entities of one kind that an interval has seen, by linear counting (Whang et al. 1990).
type census struct {
	bits     [censusBits / 64]uint64
	ones     int
	requests int
	before   tally // of the interval before
}

func (c *census) see(key string) {
	c.requests++
	at := xxhash.Sum64String(key) % censusBits
	if bit := uint64(1) << (at % 64); c.bits[at/64]&bit == 0 {
		c.bits[at/64] |= bit
		c.ones++
	}
}

func (c *census) estimate() int {
	zeros := max(1, censusBits-c.ones)
	return int(math.Round(-censusBits * math.Log(float64(zeros)/censusBits)))
}

// tally is the more of this interval and the one before, so that the first entities of an interval are no large share.
func (c *census) tally() tally {
	return tally{max(c.estimate(), c.before.entities), max(c.requests, c.before.requests)}
}

// turn begins an interval.
func (c *census) turn(follows bool) {
	before := tally{}
	if follows {
		before = tally{c.estimate(), c.requests}
	}
	*c = census{before: before}
}

// A brake keeps the counts of the interval at hand.
type brake struct {
	interval int64
	seen     [sundew.NumKinds]census
	rules    []tally // acted on, by the order of rules
	policies []tally // acted on because of any rule, by the order of policies
	tripped  []*Trip // by the order of rules; nil for those that may act
	frozen   []*Trip // by the order of policies, until the interval ends
}

func newBrake(set *Set) brake {
	return brake{
		rules: make([]tally, len(set.rules)), tripped: make([]*Trip, len(set.rules)),
		policies: make([]tally, len(set.policies)), frozen: make([]*Trip, len(set.policies)),
	}
}

// see counts a score. One that is older than the interval counts in it.
func (b *brake) see(s *sundew.Score) {
	if interval := s.Time.UnixNano() / int64(brakeInterval); interval > b.interval {
		for kind := range b.seen {
			b.seen[kind].turn(interval == b.interval+1)
		}
		clear(b.rules)
		clear(b.policies)
		clear(b.frozen)
		b.interval = interval
	}
	b.seen[s.Entity.Kind].see(s.Entity.Key)
}

// acts says whether a rule's points count for the entity of the contribution.
func (e *Engine) acts(c *contribution) bool {
	switch {
	case e.brake.tripped[c.rule.order] != nil:
		return false
	case c.rule.Status == StatusCanary:
		return float64(c.lot) < c.rule.rollout*lots
	}
	return c.rule.Status == StatusActive
}

// lots is how finely a canary's share is cut.
const lots = 10_000

// lotOf is the entity's place in the rollout of a rule, below lots. It never changes, so a growing share keeps those
// whom it had.
func lotOf(rule string, e sundew.Entity) uint16 {
	var h xxhash.Digest
	h.Reset()
	_, _ = h.WriteString(rule)
	_, _ = h.WriteString("\x00")
	_, _ = h.WriteString(e.String())
	return uint16(h.Sum64() % lots)
}

// parts calls each for the contributions that a step on points rests on.
func (e *Engine) parts(c step, rec *record, now time.Time, each func(*contribution)) {
	for i := range rec.contributions {
		con := &rec.contributions[i]
		own := len(c.rule.ladder) > 0
		if con.rule == c.rule || (!own && con.mayLead(c.action(), now) && e.acts(con)) {
			each(con)
		}
	}
}

// holds says whether the brake forbids a step. What it trips is out of the count when the next step is looked for.
// Calibrated scores are not braked: they carry their own bound on false positives, and whoever could bring enough
// addresses to trip their brake would be rid of them. For the same reason an entity whose score climbs the ladder by
// itself does not count against a rule: two reasons that know nothing of each other agree.
func (e *Engine) holds(p *policy, s *sundew.Score, rec *record, c step) bool {
	if c.basis != sundew.BasisPoints || !c.action().Enforces() || p.reachedBy(s) {
		return false
	}
	var over *rule
	var trip Trip
	seen := e.brake.seen[s.Entity.Kind].tally()
	e.parts(c, rec, s.Time, func(con *contribution) {
		acted := e.brake.rules[con.rule.order]
		if con.counted != e.brake.interval {
			acted.entities++
		}
		if reason := con.rule.guardrail.crossed(acted, seen); reason != "" && over == nil {
			over = con.rule
			trip = Trip{Time: s.Time, Name: over.name, Reason: reason, Entities: acted.entities, Seen: seen.entities}
		}
	})
	if over != nil {
		e.trip(over, trip)
		return true
	}
	acted := e.brake.policies[p.order]
	if rec.counted != e.brake.interval {
		acted.entities++
	}
	reason := p.guardrail.crossed(acted, seen)
	if reason != "" {
		e.brake.frozen[p.order] = &Trip{Time: s.Time, Name: p.name, Reason: reason, Entities: acted.entities, Seen: seen.entities}
		e.stats.Trips++
	}
	return reason != ""
}

// count remembers an enforced step on points, which stands until expires.
func (e *Engine) count(p *policy, s *sundew.Score, rec *record, c step, expires time.Time) {
	if c.basis != sundew.BasisPoints || !c.action().Enforces() {
		return
	}
	agreed := p.reachedBy(s)
	e.parts(c, rec, s.Time, func(con *contribution) {
		if con.counted != e.brake.interval && !agreed {
			con.counted = e.brake.interval
			e.brake.rules[con.rule.order].entities++
		}
		con.acted = later(con.acted, expires)
	})
	named := rec.contribution(c.rule)
	named.named = later(named.named, expires)
	if rec.counted != e.brake.interval && !agreed {
		rec.counted = e.brake.interval
		e.brake.policies[p.order].entities++
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// countRequest counts the request of an entity for the rules that act on it.
func (e *Engine) countRequest(p *policy, s *sundew.Score, rec *record) {
	if p.reachedBy(s) {
		return
	}
	acted := false
	for i := range rec.contributions {
		c := &rec.contributions[i]
		if !s.Time.Before(c.acted) {
			continue
		}
		acted = true
		t := &e.brake.rules[c.rule.order]
		t.requests++
		seen := e.brake.seen[s.Entity.Kind].tally
		if g := &c.rule.guardrail; g.trafficShare < 1 && t.entities > g.least {
			if reason := g.crossed(*t, seen()); reason != "" {
				e.trip(c.rule, Trip{Time: s.Time, Name: c.rule.name, Reason: reason, Entities: t.entities, Seen: seen().entities})
			}
		}
	}
	if acted {
		e.brake.policies[p.order].requests++
	}
}

// trip sends a rule back to the shadow and withdraws the decisions that it took part in. What other reasons still
// justify is decided anew at the entity's next request.
func (e *Engine) trip(r *rule, t Trip) {
	for rec := e.table.oldest; rec != nil; rec = rec.newer {
		if c := rec.contribution(r); c != nil && t.Time.Before(c.acted) {
			t.Withdrawn += e.withdraw(rec, t)
		}
	}
	e.brake.tripped[r.order] = &t
	e.stats.Trips++
}

// withdraw ends the entity's decisions on points and returns how many there were. Observing under the name of a rule
// ends, at every edge, what stood under it.
func (e *Engine) withdraw(rec *record, t Trip) (n int) {
	for i := range rec.contributions {
		c := &rec.contributions[i]
		c.acted = time.Time{}
		if !t.Time.Before(c.named) {
			continue
		}
		c.named = time.Time{}
		rec.version = max(t.Time.UnixMicro(), rec.version+1)
		d := sundew.Decision{
			Time: t.Time, Entity: rec.entity, Action: sundew.ActionObserve, Rule: c.rule.name, Expires: t.Time.Add(time.Second),
			Version: rec.version, Basis: sundew.BasisPoints, Sentence: "withdrawn by the brake: " + t.Name + " acted on " + t.Reason,
		}
		d.ID = sundew.DecisionID(d.Rule, d.Entity, d.Version)
		e.out = append(e.out, d)
		n++
	}
	if rec.standing.basis == sundew.BasisPoints {
		rec.standing = standing{}
	}
	return n
}

// Trips returns the brakes that hold, of rules by id and then of policies by id.
func (e *Engine) Trips() []Trip {
	var trips []Trip
	for _, t := range slices.Concat(e.brake.tripped, e.brake.frozen) {
		if t != nil {
			trips = append(trips, *t)
		}
	}
	return trips
}
