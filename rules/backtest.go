package rules

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sundew"
)

// A Backtest plays the same scores against a set as it is and against the set with a proposed rule in force, by the
// engine that runs live, and compares who is acted on. It is a Policy that decides nothing itself, and belongs to one
// goroutine.
type Backtest struct {
	current, proposed *Engine
	rule              *rule // as proposed
	sweep             []sweepEngine
	labels            map[sundew.Entity]sundew.Verdict

	entities map[sundew.Entity]*tried
	missed   int // entities beyond maxTried
	hours    map[int64]*HourReport
	report   Report
}

var _ sundew.Policy = (*Backtest)(nil)

// maxTried bounds the entities that a backtest compares.
const maxTried = 1_000_000

// A tried is what the two sets did to one entity of the rule's kind.
type tried struct {
	current, proposed sundew.Action // the hardest
	rule              bool          // the rule took part in an enforced decision of the proposed set
	matched           []uint64      // rules that fired, a bit each, by their order
	sentence          string
	innocent          []string // signs that it is no abuser, at the proposed set's first action
	first             time.Time
}

type sweepEngine struct {
	param, value string
	engine       *Engine
	rule         *rule
	acted        map[sundew.Entity]bool
}

// BacktestConfig says what is tried out.
type BacktestConfig struct {
	Files    fs.FS    // the rules as they are
	Root     string   // where Files stand, for messages
	Proposal Proposal // Rule is needed; its Status is active whatever it says
	Sweep    string   // a parameter to vary; "" for none
	Values   []string // of the parameter
	Limits   Config
	Labels   []sundew.Label // the last one of an entity holds
}

// NewBacktest loads both sets, and one more for each value of the sweep.
func NewBacktest(c BacktestConfig) (*Backtest, error) {
	current, err := Load(c.Files, c.Root)
	if err != nil {
		return nil, err
	}
	c.Proposal.Status = StatusActive
	proposed, err := LoadWith(c.Files, c.Root, c.Proposal)
	if err != nil {
		return nil, err
	}
	b := &Backtest{
		current: NewEngine(current, c.Limits), proposed: NewEngine(proposed, c.Limits), rule: proposed.rule(c.Proposal.Rule),
		report: Report{Volume: VolumeReport{Decisions: DecisionCounts{}}},
		labels: map[sundew.Entity]sundew.Verdict{}, entities: map[sundew.Entity]*tried{}, hours: map[int64]*HourReport{},
	}
	if b.rule == nil {
		return nil, fmt.Errorf("backtest: there is no rule %q: sundew rules coverage names the rules there are", c.Proposal.Rule)
	}
	if proposed.policy[b.rule.kind] == nil && len(proposed.lengths) == 0 {
		return nil, fmt.Errorf("backtest: rule %s is about entities of kind %s, for which there is no policy", b.rule.ID, b.rule.Kind)
	}
	for _, l := range c.Labels {
		b.labels[l.Entity] = l.Verdict
	}
	b.report.Identity = Identity{Rule: b.rule.name, Body: b.rule.body, Mode: "full replay", Lists: "as of now"}
	if r := current.rule(b.rule.ID); r != nil {
		b.report.Identity.Against, b.report.Identity.AgainstStatus = r.name, r.Status
	}
	return b, b.addSweep(c)
}

func (s *Set) rule(id string) *rule {
	i, found := slices.BinarySearchFunc(s.rules, id, func(r *rule, id string) int { return cmp.Compare(r.ID, id) })
	if !found {
		return nil
	}
	return s.rules[i]
}

func (b *Backtest) addSweep(c BacktestConfig) error {
	if c.Sweep == "" {
		return nil
	}
	if !slices.ContainsFunc(b.rule.Params, func(p Param) bool { return p.Name == c.Sweep }) {
		return fmt.Errorf("backtest: rule %s has no parameter %q", b.rule.ID, c.Sweep)
	}
	for _, value := range c.Values {
		p := c.Proposal
		p.Params = maps.Clone(p.Params)
		if p.Params == nil {
			p.Params = map[string]string{}
		}
		p.Params[c.Sweep] = value
		set, err := LoadWith(c.Files, c.Root, p)
		if err != nil {
			return fmt.Errorf("backtest: %s=%s: %w", c.Sweep, value, err)
		}
		b.sweep = append(b.sweep, sweepEngine{c.Sweep, value, NewEngine(set, c.Limits), set.rule(b.rule.ID), map[sundew.Entity]bool{}})
	}
	return nil
}

// Decide plays the scores and returns nothing: a backtest acts on nobody.
func (b *Backtest) Decide(scores []sundew.Score) []sundew.Decision {
	for _, e := range b.engines() {
		e.out = nil
		e.view.forget()
	}
	for i := range scores {
		b.try(&scores[i])
	}
	return nil
}

func (b *Backtest) engines() []*Engine {
	engines := []*Engine{b.current, b.proposed}
	for i := range b.sweep {
		engines = append(engines, b.sweep[i].engine)
	}
	return engines
}

func (b *Backtest) try(s *sundew.Score) {
	ofKind := s.Entity.Kind == b.rule.kind
	hour := b.hour(s.Time)
	if ofKind {
		b.report.Volume.Evaluations++
		hour.Requests++
		b.countRequest(s)
	}
	before, after := b.current.play(s), b.proposed.play(s)
	for i := range b.sweep {
		v := &b.sweep[i]
		for _, d := range v.engine.play(s) {
			if d.Entity.Kind == b.rule.kind && restsOn(&d, v.rule) {
				v.acted[d.Entity] = true
			}
		}
	}
	if !ofKind {
		return
	}
	b.noteFired(s)
	for i := range before {
		if d := &before[i]; enforces(d) {
			hour.Current++
			if t := b.entity(d.Entity); t != nil {
				t.current = max(t.current, d.Action)
			}
		}
	}
	for i := range after {
		if d := &after[i]; enforces(d) {
			hour.Proposed++
			b.noteProposed(d, s)
		}
	}
}

// play decides one score and returns what follows from it.
func (e *Engine) play(s *sundew.Score) []sundew.Decision {
	e.out = e.out[:0]
	e.decide(s)
	return e.out
}

func enforces(d *sundew.Decision) bool { return !d.Shadow && d.Action.Enforces() }

// restsOn says whether a rule took part in an enforced decision.
func restsOn(d *sundew.Decision, r *rule) bool {
	return enforces(d) && d.Basis == sundew.BasisPoints && slices.ContainsFunc(d.Evidence, func(e sundew.Evidence) bool { return e.Channel == "rule:"+r.ID })
}

func (b *Backtest) noteFired(s *sundew.Score) {
	for _, r := range b.proposed.fired {
		if r.kind != s.Entity.Kind {
			continue
		}
		if r == b.rule {
			b.report.Volume.Matches++
		}
		if t := b.entity(s.Entity); t != nil {
			t.matched[r.order/64] |= 1 << (r.order % 64)
		}
	}
	b.proposed.fired = b.proposed.fired[:0]
}

func (b *Backtest) noteProposed(d *sundew.Decision, s *sundew.Score) {
	b.report.Volume.Decisions[d.Action.String()]++
	t := b.entity(d.Entity)
	if t == nil {
		return
	}
	if t.proposed == sundew.ActionNone {
		t.first, t.innocent = s.Time, innocence(s)
	}
	t.proposed = max(t.proposed, d.Action)
	if restsOn(d, b.rule) {
		t.rule = true
		t.sentence = d.Sentence
	}
}

// innocence lists what speaks for an entity when it is acted on.
func innocence(s *sundew.Score) []string {
	var signs []string
	f := &s.Features
	if n := f[sundew.TenuredDevices24h]; n > 0 {
		signs = append(signs, formatNumber(n)+" devices of some age behind it")
	}
	if f[sundew.AuthAttempts10m] > 0 && f[sundew.AuthFailures10m] == 0 {
		signs = append(signs, "its log-ins succeed")
	}
	if s.Event != nil && s.Event.Attestation == sundew.ProofValid {
		signs = append(signs, "the platform vouches for its app")
	}
	if age := time.Duration(f[sundew.AgeSeconds]) * time.Second; age >= day && s.Points < 5 {
		signs = append(signs, fmt.Sprintf("seen for %d days, score %s", age/day, formatNumber(s.Points)))
	}
	return signs
}

func (b *Backtest) entity(e sundew.Entity) *tried {
	t := b.entities[e]
	if t == nil {
		if len(b.entities) == maxTried {
			b.missed++
			return nil
		}
		t = &tried{matched: make([]uint64, len(b.proposed.set.rules)/64+1)}
		b.entities[e] = t
	}
	return t
}

func (b *Backtest) hour(at time.Time) *HourReport {
	n := at.Unix() / 3600
	h := b.hours[n]
	if h == nil {
		h = &HourReport{Time: time.Unix(n*3600, 0).UTC()}
		b.hours[n] = h
	}
	return h
}

// countRequest counts a request under what is in force for its entity before it.
func (b *Backtest) countRequest(s *sundew.Score) {
	if b.report.Identity.From.IsZero() {
		b.report.Identity.From = s.Time
	}
	b.report.Identity.To = later(b.report.Identity.To, s.Time)
	legitimate := b.labels[s.Entity] == sundew.VerdictLegitimate
	for _, side := range []struct {
		engine *Engine
		held   *HeldReport
	}{{b.current, &b.report.Held.Current}, {b.proposed, &b.report.Held.Proposed}} {
		rec := side.engine.table.find(s.Entity)
		if rec == nil || !rec.standing.action.Enforces() || !s.Time.Before(rec.standing.expires) {
			continue
		}
		side.held.Requests++
		if legitimate {
			side.held.Legitimate++
		}
	}
}

// Report returns what came out. It may be asked for once the scores are played.
func (b *Backtest) Report() Report {
	r := b.report
	r.Series = make([]HourReport, 0, len(b.hours))
	for _, n := range slices.Sorted(maps.Keys(b.hours)) {
		r.Series = append(r.Series, *b.hours[n])
	}
	order := slices.SortedFunc(maps.Keys(b.entities), compareEntities)
	for _, e := range order {
		b.reportEntity(&r, e, b.entities[e])
	}
	r.Quality = b.quality(func(e sundew.Entity) bool { return b.entities[e] != nil && b.entities[e].rule })
	r.Overlap = b.overlap()
	for _, v := range b.sweep {
		q := b.quality(func(e sundew.Entity) bool { return v.acted[e] })
		r.Sweep = append(r.Sweep, SweepReport{v.param, v.value, len(v.acted), q})
	}
	r.Brake = b.proposed.Trips()
	r.Coverage = append(r.Coverage, "counts begin with the log: windows that reach behind its start are not full")
	if b.missed > 0 {
		r.Coverage = append(r.Coverage, fmt.Sprintf("%d decisions on entities beyond the first %d are not compared", b.missed, maxTried))
	}
	if n := b.proposed.stats.Errors; n > 0 {
		r.Coverage = append(r.Coverage, fmt.Sprintf("%d conditions could not be evaluated", n))
	}
	return r
}

func (b *Backtest) reportEntity(r *Report, e sundew.Entity, t *tried) {
	if t.rule {
		r.Volume.Entities++
	}
	switch was, is := t.current.Enforces(), t.proposed.Enforces(); {
	case is && !was:
		r.Delta.New.add(e, t)
	case was && !is:
		r.Delta.Lost.add(e, t)
	case was && t.current != t.proposed:
		r.Delta.Changed.add(e, t)
	case was:
		r.Delta.Unchanged.add(e, t)
	}
	if t.rule && len(t.innocent) > 0 {
		r.ProbableFP.add(e, t)
	}
}

// quality counts labelled entities of the rule's kind. Of fewer than ten labels no ratio is worth its name.
func (b *Backtest) quality(acted func(sundew.Entity) bool) QualityReport {
	var q QualityReport
	for e, verdict := range b.labels {
		if e.Kind != b.rule.kind {
			continue
		}
		switch hit := acted(e); {
		case verdict == sundew.VerdictAbuse && hit:
			q.TruePositives++
		case verdict == sundew.VerdictAbuse:
			q.FalseNegatives++
		case hit:
			q.FalsePositives++
		default:
			q.TrueNegatives++
		}
	}
	if q.TruePositives+q.FalsePositives >= leastLabels {
		q.Precision = ratio(q.TruePositives, q.TruePositives+q.FalsePositives)
	}
	if q.TruePositives+q.FalseNegatives >= leastLabels {
		q.Recall = ratio(q.TruePositives, q.TruePositives+q.FalseNegatives)
	}
	return q
}

const leastLabels = 10

func ratio(part, whole int) *float64 {
	v := float64(part) / float64(whole)
	return &v
}

// overlap compares the entities that fired the rule with those of every other rule, the most alike first.
func (b *Backtest) overlap() []OverlapReport {
	rules := b.proposed.set.rules
	both, alone, mine := make([]int, len(rules)), make([]int, len(rules)), 0
	for _, t := range b.entities {
		fired := func(order int) bool { return t.matched[order/64]&(1<<(order%64)) != 0 }
		if fired(b.rule.order) {
			mine++
		}
		for _, r := range rules {
			switch {
			case !fired(r.order):
			case fired(b.rule.order):
				both[r.order]++
			default:
				alone[r.order]++
			}
		}
	}
	var reports []OverlapReport
	for _, r := range rules {
		if r != b.rule && both[r.order] > 0 {
			reports = append(reports, OverlapReport{r.ID, both[r.order], float64(both[r.order]) / float64(mine+alone[r.order])})
		}
	}
	slices.SortFunc(reports, func(x, y OverlapReport) int {
		return cmp.Or(cmp.Compare(y.Jaccard, x.Jaccard), cmp.Compare(x.Rule, y.Rule))
	})
	return reports
}

// ParseValues reads the values of a sweep: "1,2,5", or "10..50/10" for 10 to 50 in steps of 10.
func ParseValues(text string) ([]string, error) {
	values := splitValues(text)
	if low, rest, found := strings.Cut(text, ".."); found {
		high, step, _ := strings.Cut(rest, "/")
		values = stepValues(low, high, step)
	}
	if len(values) == 0 || len(values) > maxValues {
		return nil, fmt.Errorf("values %q: want 1 to %d, such as 10,20,50 or 10..50/10", text, maxValues)
	}
	return values, nil
}

const maxValues = 50

// stepValues returns none for numbers that lead nowhere or to too many.
func stepValues(low, high, each string) []string {
	from, err1 := strconv.ParseFloat(low, 64)
	to, err2 := strconv.ParseFloat(high, 64)
	step, err3 := strconv.ParseFloat(each, 64)
	if errors.Join(err1, err2, err3) != nil || !(step > 0) || !((to-from)/step < maxValues) {
		return nil
	}
	var values []string
	for i := range int((to-from)/step+1e-9) + 1 {
		values = append(values, shortNumber(from+float64(float64(i)*step)))
	}
	return values
}
