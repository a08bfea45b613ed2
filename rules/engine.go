package rules

import (
	"math/bits"
	"strings"
	"time"

	"sundew"
)

// Engine turns scores into decisions. It belongs to one goroutine; all it knows beside its Set is the table of entities
// that have points or a decision, which is bounded by Config.
type Engine struct {
	set   *Set
	view  *view
	table table
	brake brake
	fired []*rule // rules that matched the score at hand

	candidates []uint64 // rules that the score at hand may match, by their places
	out        []sundew.Decision
	stats      Stats
}

var (
	_ sundew.Policy   = (*Engine)(nil)
	_ sundew.Stateful = (*Engine)(nil)
)

// Stats counts what an engine has done since it was made. The numbers are not part of the state.
type Stats struct {
	Scores      uint64 // scores looked at
	Evaluations uint64 // conditions run
	Matches     uint64 // rules that matched, exemptions taken off
	Exempted    uint64 // rules that matched but for an exemption
	Errors      uint64 // conditions that could not be evaluated, such as a division by zero; counted as no match
	Capped      uint64 // decisions made milder by a list, or because the entity is shared
	Trips       uint64 // guardrails that were crossed
	Forgotten   uint64 // entities dropped because the table was full
	Entities    int    // entities that have points or a decision
}

// NewEngine returns an engine without any state. Limits that are not set are those of DefaultConfig.
func NewEngine(set *Set, limits Config) *Engine {
	if limits.MaxEntities < 1 {
		limits.MaxEntities = DefaultConfig().MaxEntities
	}
	return &Engine{set: set, view: newView(set), table: newTable(limits.MaxEntities), brake: newBrake(set)}
}

// Set returns what the engine runs.
func (e *Engine) Set() *Set { return e.set }

// Allowed is Set.Allowed.
func (e *Engine) Allowed(entity sundew.Entity, at time.Time) bool { return e.set.Allowed(entity, at) }

// Stats returns the counts so far. It must not run beside Decide.
func (e *Engine) Stats() Stats {
	stats := e.stats
	stats.Entities = e.table.len()
	stats.Forgotten = e.table.forgotten
	return stats
}

// Decide returns the decisions that the scores give, in their order. The result is the caller's.
func (e *Engine) Decide(scores []sundew.Score) []sundew.Decision {
	e.out = nil
	e.view.forget()
	for i := range scores {
		e.decide(&scores[i])
	}
	return e.out
}

// decide is one score's way: which rules match, what points the entity has then, which rung that is, and whether the
// rung is news.
func (e *Engine) decide(s *sundew.Score) {
	e.stats.Scores++
	p := e.set.policyOf(s.Entity)
	if p == nil {
		return
	}
	e.view.look(s)
	s = e.view.score
	e.brake.see(s)
	rec := e.table.find(s.Entity)
	e.fired = e.fired[:0]
	if !p.shared.holds(s) || !s.Event.Tenured() {
		rec = e.evaluate(s, rec)
	}
	if rec == nil && !p.reachedBy(s) {
		return
	}
	if rec == nil {
		rec = e.table.add(s.Entity)
	}
	e.table.touch(rec)
	e.countRequest(p, s, rec)
	e.act(p, s, rec)
	for _, r := range e.fired {
		if !e.acts(rec.contribution(r)) {
			e.actInShadow(p, s, rec, r)
		}
	}
	e.table.sweep(s.Time)
}

// evaluate runs the rules of the entity's kind that it may match and adds their points. It returns the entity's record,
// which it makes for the first match. It is not asked about a shared entity for what a tenured device does, which answers
// for itself.
func (e *Engine) evaluate(s *sundew.Score, rec *record) *record {
	running := &e.set.running[s.Entity.Kind]
	e.candidates = running.candidates(e.candidates, s)
	if rec != nil {
		e.noteOthers(s, rec)
	}
	for i, word := range e.candidates {
		for ; word != 0; word &= word - 1 {
			r := running.rules[i*64+bits.TrailingZeros64(word)]
			if r.scope.narrow && !r.scope.includes(s.Event) {
				continue
			}
			matched := e.matches(r)
			if !matched && rec == nil {
				continue
			}
			if rec == nil {
				rec = e.table.add(s.Entity)
			}
			if rec.note(r, matched, s.Time) {
				e.fired = append(e.fired, r)
			}
		}
	}
	return rec
}

// noteOthers notes that the rules that have matched before and are no candidates do not match now.
func (e *Engine) noteOthers(s *sundew.Score, rec *record) {
	for i := range rec.contributions {
		r := rec.contributions[i].rule
		candidate := e.candidates[r.place/64]>>(r.place%64)&1 == 1
		if !candidate && (!r.scope.narrow || r.scope.includes(s.Event)) {
			rec.note(r, false, s.Time)
		}
	}
}

// matches evaluates a rule. What cannot be evaluated does not match.
func (e *Engine) matches(r *rule) bool {
	e.stats.Evaluations++
	if r.when.fast != nil && !r.when.fast(e.view) {
		return false
	}
	e.view.at(r)
	matched, err := r.when.holds(e.view)
	if matched && len(r.unless) > 0 {
		exemption, unlessErr := r.exemptBy(e.view)
		if exemption != "" {
			e.stats.Exempted++
			return false
		}
		err = unlessErr
	}
	if err != nil {
		e.stats.Errors++
		return false
	}
	if matched {
		e.stats.Matches++
	}
	return matched
}

// act finds the action that the entity has earned and publishes it where it is news, unless the brake holds it back:
// then what is left without the rule, or the rules, that tripped.
func (e *Engine) act(p *policy, s *sundew.Score, rec *record) {
	for {
		c := e.allowed(p, s, rec)
		if c.rung == nil || !rec.standing.news(c, s.Time) {
			return
		}
		if e.holds(p, s, rec, c) {
			continue
		}
		e.count(p, s, rec, c, e.emit(s, rec, c, &rec.standing, false))
		return
	}
}

// allowed is what the entity has earned, as far as lists and those who share it let it.
func (e *Engine) allowed(p *policy, s *sundew.Score, rec *record) step {
	c := e.earned(p, s, rec, sundew.ActionBlock)
	if c.action() <= sundew.ActionObserve {
		return c
	}
	ceiling := p.cap(e.set, s)
	if ceiling >= c.action() {
		return c
	}
	e.stats.Capped++
	return e.earned(p, s, rec, ceiling)
}

// earned returns the hardest step, up to a ceiling, that one of the reasons reaches on its own: the calibrated score,
// the points of rules together, or a rule that has a ladder to itself. Of equal actions the longer delay wins, then the
// score.
func (e *Engine) earned(p *policy, s *sundew.Score, rec *record, ceiling sundew.Action) step {
	best := p.byScore(s, rec, ceiling)
	if e.brake.frozen[p.order] != nil {
		return best
	}
	if c := e.byPoints(p, s, rec, nil, ceiling); best.weakerThan(c) {
		best = c
	}
	for i := range rec.contributions {
		c := &rec.contributions[i]
		if len(c.rule.ladder) == 0 || !e.acts(c) {
			continue
		}
		if own := p.byRule(s, rec, c, ceiling); best.weakerThan(own) {
			best = own
		}
	}
	return best
}

// actInShadow writes down what would follow if a rule that has just matched acted on the entity.
func (e *Engine) actInShadow(p *policy, s *sundew.Score, rec *record, r *rule) {
	c := e.byPoints(p, s, rec, r, p.cap(e.set, s))
	if len(r.ladder) > 0 {
		c = p.byRule(s, rec, rec.contribution(r), p.cap(e.set, s))
	}
	if c.rung == nil {
		return
	}
	c.rule = r
	if st := rec.shadowOf(r); st.news(c, s.Time) {
		e.emit(s, rec, c, st, true)
	}
}

// emit publishes a step, remembers it, and returns when it ends.
func (e *Engine) emit(s *sundew.Score, rec *record, c step, st *standing, shadow bool) (expires time.Time) {
	rec.version = max(s.Time.UnixMicro(), rec.version+1)
	d := sundew.Decision{
		Time:     s.Time,
		Entity:   s.Entity,
		Action:   c.action(),
		Score:    c.level,
		Rule:     c.name,
		Evidence: e.evidence(s, rec, c),
		Expires:  s.Time.Add(st.enter(c, s.Time)),
		Shadow:   shadow,
		Version:  rec.version,
		Basis:    c.basis,
		Sentence: e.sentence(s, c),
	}
	if c.rule != nil {
		d.Rule = c.rule.name
	}
	d.ID = sundew.DecisionID(d.Rule, d.Entity, d.Version)
	d.Delay = vary(c.delay(), c.rung.jitter, d.ID)
	e.out = append(e.out, d)
	return d.Expires
}

// evidence is the score's, and for a decision on points one line per rule that has points, before the score's.
func (e *Engine) evidence(s *sundew.Score, rec *record, c step) []sundew.Evidence {
	var all []sundew.Evidence
	if c.basis == sundew.BasisPoints {
		for i := range rec.contributions {
			con := &rec.contributions[i]
			value := con.at(s.Time)
			if value < leastPoints || (con.rule != c.rule && !e.acts(con)) {
				continue
			}
			all = append(all, sundew.Evidence{
				Channel: "rule:" + con.rule.ID, Observed: value,
				Window: con.rule.points.halfLife, Sentence: e.explain(con.rule),
			})
		}
	}
	return append(all, s.Evidence...)
}

// explain renders a rule's explanation where it matched the score at hand; the values of an older match are gone, its
// title says what it was.
func (e *Engine) explain(r *rule) string {
	for _, fired := range e.fired {
		if fired == r && len(r.explain.parts) > 0 {
			return r.explain.render(e.view)
		}
	}
	return r.Title
}

const sentencesKept = 3

// sentence says why, in the words of the strongest rule or of the strongest evidence.
func (e *Engine) sentence(s *sundew.Score, c step) string {
	if c.rule != nil {
		return e.explain(c.rule)
	}
	var said []string
	for _, ev := range s.Evidence {
		if ev.Sentence != "" && len(said) < sentencesKept {
			said = append(said, ev.Sentence)
		}
	}
	if len(said) == 0 {
		return formatNumber(s.Points) + " of 100 points by its behaviour"
	}
	return clip(strings.Join(said, "; "), maxExplain)
}
