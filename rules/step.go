package rules

import (
	"time"

	"sundew"
)

// leastPoints is what a contribution needs to count as a reason of its own: below it, decay has made it noise.
const leastPoints = 1

// A step is a rung that a reason reaches. The zero step is none.
type step struct {
	rung  *rung
	level float64 // points
	basis sundew.Basis
	name  string // of the policy, id@version
	rule  *rule  // the strongest of those behind it; nil where the score is
}

func (c step) action() sundew.Action {
	if c.rung == nil {
		return sundew.ActionNone
	}
	return c.rung.do
}

func (c step) delay() time.Duration {
	if c.rung == nil {
		return 0
	}
	return c.rung.delayAt(c.level)
}

func (c step) weakerThan(other step) bool {
	return c.action() < other.action() || (c.action() == other.action() && c.delay() < other.delay())
}

// reachedBy says whether a score alone reaches a rung of the policy.
func (p *policy) reachedBy(s *sundew.Score) bool {
	return s.Points >= p.ladder[0].at && s.Nats >= p.ladder[0].nats
}

// byScore is how far the calibrated score climbs.
func (p *policy) byScore(s *sundew.Score, rec *record, ceiling sundew.Action) step {
	for i := len(p.ladder) - 1; i >= 0; i-- {
		r := &p.ladder[i]
		if r.do <= ceiling && s.Nats >= r.nats && s.Points >= p.entry(r, rec, sundew.BasisScore, s.Time) && p.enough(r, s) {
			return step{rung: r, level: s.Points, basis: sundew.BasisScore, name: p.name}
		}
	}
	return step{}
}

// byPoints is how far the points of the rules that act climb together, with those of one more rule where one is given. A rung
// counts only rules that may lead there.
func (e *Engine) byPoints(p *policy, s *sundew.Score, rec *record, extra *rule, ceiling sundew.Action) step {
	if len(rec.contributions) == 0 {
		return step{}
	}
	for i := len(p.ladder) - 1; i >= 0; i-- {
		r := &p.ladder[i]
		if r.do > ceiling || !p.enough(r, s) {
			continue
		}
		level, strongest, n := e.together(rec, r.do, extra, s.Time)
		if strongest == nil || level < p.entry(r, rec, sundew.BasisPoints, s.Time) || (r.do == sundew.ActionBlock && n < p.minRules) {
			continue
		}
		return step{rung: r, level: level, basis: sundew.BasisPoints, rule: strongest}
	}
	return step{}
}

// byRule is how far a rule climbs that has a ladder to itself. What the policy asks for besides points holds for it too.
func (p *policy) byRule(s *sundew.Score, rec *record, c *contribution, ceiling sundew.Action) step {
	level := c.at(s.Time)
	for i := len(c.rule.ladder) - 1; i >= 0; i-- {
		r := &c.rule.ladder[i]
		if r.do <= min(ceiling, c.rule.limit) && level >= p.entry(r, rec, sundew.BasisPoints, s.Time) && p.enough(r, s) {
			return step{rung: r, level: level, basis: sundew.BasisPoints, rule: c.rule}
		}
	}
	return step{}
}

// entry is the points that a rung takes: fewer for those who stand on it for the same kind of reason.
func (p *policy) entry(r *rung, rec *record, basis sundew.Basis, now time.Time) float64 {
	if st := &rec.standing; st.action == r.do && st.basis == basis && now.Before(st.expires) {
		return r.at - p.hysteresis
	}
	return r.at
}

// enough says whether enough was seen for the rung: one odd request is no ground for more than a tarpit.
func (p *policy) enough(r *rung, s *sundew.Score) bool {
	return r.do <= sundew.ActionTarpit || s.Features[sundew.Requests1h] >= float64(p.minEvents)
}

// A standing is what was last decided, so that only news is published.
type standing struct {
	action  sundew.Action
	basis   sundew.Basis
	delay   time.Duration // before jitter
	ttl     time.Duration
	expires time.Time

	stays    int       // earlier stays that lengthened this one
	remember time.Time // until when the stay counts against the next
}

// delayGrowth is how much longer a tarpit's delay must get to be news.
const delayGrowth = 1.25

// news says whether a step must be published: there is nothing in force, it is harder, its delay has grown by a
// quarter, or what is in force has lived through more than half of its time.
func (st *standing) news(c step, now time.Time) bool {
	switch {
	case !now.Before(st.expires) || c.action() > st.action:
		return true
	case c.action() < st.action:
		return false
	case st.delay > 0 && float64(c.delay()) >= delayGrowth*float64(st.delay):
		return true
	}
	return st.expires.Sub(now) < st.ttl/2
}

// enter moves to a step and returns how long it holds.
func (st *standing) enter(c step, now time.Time) time.Duration {
	stays := !now.Before(st.expires) || c.action() != st.action
	if e := c.rung.again; e.factor > 0 && stays {
		st.stays++
		if !now.Before(st.remember) {
			st.stays = 0
		}
	}
	st.action, st.basis, st.delay = c.action(), c.basis, c.delay()
	st.ttl = c.rung.ttlAfter(st.stays)
	st.expires = now.Add(st.ttl)
	if c.rung.again.factor > 0 {
		st.remember = st.expires.Add(c.rung.again.memory)
	}
	return st.ttl
}

// spent says whether nothing of it matters any more.
func (st *standing) spent(now time.Time) bool {
	return !now.Before(st.expires) && !now.Before(st.remember)
}
