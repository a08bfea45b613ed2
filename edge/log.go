package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sundew"
)

// Bounds on one decision of the list.
const (
	maxAnd      = 8         // entities that it may be narrowed by
	maxDecision = 256 << 10 // bytes of its JSON record
)

// LogConfig bounds a Log.
type LogConfig struct {
	Epoch     string           `yaml:"epoch"`      // lower-case letters and digits; empty: the time of the start
	Retain    int              `yaml:"retain"`     // changes kept for edges that fall behind
	MaxActive int              `yaml:"max_active"` // decisions in force at once
	Allow     []sundew.Entity  `yaml:"allow"`      // entities that no decision reaches
	Now       func() time.Time `yaml:"-"`          // the clock; nil: time.Now
}

// DefaultLogConfig keeps 100,000 changes and a million decisions.
func DefaultLogConfig() LogConfig { return LogConfig{Retain: 100_000, MaxActive: 1_000_000} }

var epochForm = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// Validate reports the first setting that cannot be used.
func (c LogConfig) Validate() error {
	if c.Epoch != "" && !epochForm.MatchString(c.Epoch) {
		return fmt.Errorf("epoch %q: want up to 32 lower-case letters and digits, or nothing", c.Epoch)
	}
	if c.Retain < 1 {
		return fmt.Errorf("retain %d: want at least 1 change", c.Retain)
	}
	if c.MaxActive < 1 {
		return fmt.Errorf("max_active %d: want at least 1 decision", c.MaxActive)
	}
	for _, entity := range c.Allow {
		if _, err := canonicalEntity(entity); err != nil {
			return fmt.Errorf("allow: %w", err)
		}
	}
	return nil
}

func (c LogConfig) withDefaults() LogConfig {
	d := DefaultLogConfig()
	if c.Retain < 1 {
		c.Retain = d.Retain
	}
	if c.MaxActive < 1 {
		c.MaxActive = d.MaxActive
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if !epochForm.MatchString(c.Epoch) {
		c.Epoch = strconv.FormatInt(c.Now().UnixMicro(), 36)
	}
	return c
}

// A Log numbers the changes of the list of decisions in force: tarpits, challenges and blocks. It lives in memory; what
// makes it survive a crash is that the topic of decisions is published to it again at the next start, under a new
// epoch. It may be used from many goroutines.
//
// Per Decision.Key the highest version holds, in whatever order versions arrive. A version that is remembered only to
// refuse older ones is kept until none of the versions seen could be in force any more.
type Log struct {
	epoch  string
	retain int
	max    int
	now    func() time.Time
	allow  *allowList
	ready  atomic.Bool

	mu       sync.Mutex
	seq      uint64
	changes  []change // the last ones, up to seq
	records  map[string]*record
	standing queue // records in force, by expiry
	retired  queue // versions remembered, by the time they can be forgotten
	index    index
	changed  chan struct{} // closed at the next change
	earlier  chan struct{} // tells Run that the next expiry has moved

	listMu sync.Mutex
	last   *list
	lastAt time.Time

	metrics logMetrics
}

var _ sundew.Publisher = (*Log)(nil)

// A record is the highest version seen for one key.
type record struct {
	key     string
	version int64
	until   time.Time // the latest expiry of all versions seen
	item    *item     // nil once retired
	due     time.Time // when its queue acts on it
	place   int       // in its queue
}

// A change is one step of the log, with its decision as it is sent.
type change struct {
	seq   uint64
	op    sundew.Op
	key   string
	item  *item
	again bool // an add for an entity that another decision stood for already
}

type logMetrics struct {
	outcomes *prometheus.CounterVec
	changes  *prometheus.CounterVec
	active   *prometheus.GaugeVec
}

// NewLog returns an empty log that is not ready. Settings that are not valid take their defaults.
func NewLog(c LogConfig, reg prometheus.Registerer) *Log {
	c = c.withDefaults()
	f := promauto.With(reg)
	return &Log{
		epoch: c.Epoch, retain: c.Retain, max: c.MaxActive, now: c.Now, allow: newAllowList(c.Allow),
		records: make(map[string]*record),
		index:   newIndex(),
		changed: make(chan struct{}),
		earlier: make(chan struct{}, 1),
		metrics: logMetrics{
			outcomes: f.NewCounterVec(prometheus.CounterOpts{
				Name: "sundew_edge_list_published_total",
				Help: "Decisions handed to the list, by what became of them.",
			}, []string{"outcome"}),
			changes: f.NewCounterVec(prometheus.CounterOpts{
				Name: "sundew_edge_list_changes_total",
				Help: "Changes of the list.",
			}, []string{"op"}),
			active: f.NewGaugeVec(prometheus.GaugeOpts{
				Name: "sundew_edge_list_decisions",
				Help: "Decisions in force.",
			}, []string{"action"}),
		},
	}
}

// MarkReady says that the list is complete: everything in the topic of decisions has been published. Until then the
// feed answers 503. The CrowdSec view does too, but CrowdSec's own clients never poll again after an error on their
// first call, so its listener should be opened only after MarkReady.
func (l *Log) MarkReady() { l.ready.Store(true) }

// Ready says whether MarkReady was called.
func (l *Log) Ready() bool { return l.ready.Load() }

// errNotReady is what clients read while the list is being loaded.
var errNotReady = errors.New("the list is being loaded: ask again in a moment")

// What became of a published decision: the values of the metric's label.
const (
	outcomeAdded    = "added"
	outcomeReplaced = "replaced"
	outcomeStale    = "stale"   // an equal or higher version is known
	outcomeShadow   = "shadow"  // never enforced
	outcomeObserve  = "observe" // nothing to enforce; ends an earlier version
	outcomeExpired  = "expired" // on arrival; ends an earlier version
	outcomeAllowed  = "allowed" // the entity is on the allow-list
	outcomeInvalid  = "invalid"
	outcomeFull     = "full" // the list is full of decisions that expire later
)

// Publish puts the decisions that edges enforce on the list. A decision takes effect if its version is higher than any
// seen for its Key; one that does not enforce, or has expired, then ends what stood there. A decision that names
// something on the allow-list, or that could not be sent, is counted and dropped. When the list is full, the decision
// that would expire first gives way to one that expires later. The error is always nil.
func (l *Log) Publish(_ context.Context, ds []sundew.Decision) error {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.seq
	for i := range ds {
		l.metrics.outcomes.WithLabelValues(l.accept(ds[i], now)).Inc()
	}
	l.announce(before)
	return nil
}

func (l *Log) accept(d sundew.Decision, now time.Time) (outcome string) {
	if err := canonicalize(&d); err != nil {
		return outcomeInvalid
	}
	if d.Shadow {
		return outcomeShadow
	}
	r := l.records[d.Key()]
	if r != nil && d.Version <= r.version {
		return outcomeStale
	}
	switch {
	case l.allow.covers(d.Entity):
		return outcomeAllowed
	case !d.Action.Enforces():
		l.supersede(r, &d, now)
		return outcomeObserve
	case !d.InForce(now):
		l.supersede(r, &d, now)
		return outcomeExpired
	}
	line, err := json.Marshal(d)
	if err != nil || len(line) > maxDecision {
		return outcomeInvalid
	}
	if r != nil && r.item != nil {
		l.replace(r, &item{d, line})
		return outcomeReplaced
	}
	if !l.makeRoom(d.Expires, now) {
		return outcomeFull
	}
	l.add(r, &item{d, line})
	return outcomeAdded
}

func (l *Log) add(r *record, it *item) {
	if r == nil {
		r = &record{key: it.decision.Key()}
		l.records[r.key] = r
	} else {
		l.retired.remove(r)
	}
	again := len(l.index.of(it.decision.Entity)) > 0
	l.stand(r, it, again)
}

// replace keeps the key in force with another decision. A different action is a deletion first, because views that have
// a list for each action must hear of both.
func (l *Log) replace(r *record, it *item) {
	old := r.item
	l.takeDown(r)
	if old.decision.Action != it.decision.Action {
		l.append(change{op: sundew.OpDelete, key: r.key, item: old})
	}
	l.stand(r, it, true)
}

func (l *Log) stand(r *record, it *item, again bool) {
	d := &it.decision
	r.version, r.item, r.due = d.Version, it, d.Expires
	if d.Expires.After(r.until) {
		r.until = d.Expires
	}
	l.standing.push(r)
	l.index.add(it)
	l.metrics.active.WithLabelValues(d.Action.String()).Inc()
	l.append(change{op: sundew.OpAdd, key: r.key, item: it, again: again})
	if l.standing.first() == r {
		select {
		case l.earlier <- struct{}{}:
		default:
		}
	}
}

func (l *Log) takeDown(r *record) {
	l.standing.remove(r)
	l.index.remove(r.item)
	l.metrics.active.WithLabelValues(r.item.decision.Action.String()).Dec()
}

// supersede ends what stands for d's key and remembers that d's version did so.
func (l *Log) supersede(r *record, d *sundew.Decision, now time.Time) {
	if r == nil {
		return
	}
	r.version = d.Version
	if d.Expires.After(r.until) {
		r.until = d.Expires
	}
	if r.item != nil {
		l.retire(r, now)
	}
}

// retire ends a standing record. Its version is remembered while an older one could still be in force.
func (l *Log) retire(r *record, now time.Time) {
	l.takeDown(r)
	l.append(change{op: sundew.OpDelete, key: r.key, item: r.item})
	r.item = nil
	if !now.Before(r.until) {
		delete(l.records, r.key)
		return
	}
	if l.retired.len() >= l.max {
		l.forget(l.retired.first())
	}
	r.due = r.until
	l.retired.push(r)
}

func (l *Log) forget(r *record) {
	l.retired.remove(r)
	delete(l.records, r.key)
}

// makeRoom says whether a decision that expires at the given time may enter.
func (l *Log) makeRoom(expires, now time.Time) bool {
	if l.standing.len() < l.max {
		return true
	}
	first := l.standing.first()
	if !first.due.Before(expires) {
		return false
	}
	l.retire(first, now)
	return true
}

func (l *Log) append(c change) {
	l.seq++
	c.seq = l.seq
	if len(l.changes) >= 2*l.retain {
		kept := make([]change, l.retain, 2*l.retain)
		copy(kept, l.changes[len(l.changes)-l.retain:])
		l.changes = kept
	}
	l.changes = append(l.changes, c)
	l.metrics.changes.WithLabelValues(string(c.op)).Inc()
}

// announce wakes who waits, once for all changes since before.
func (l *Log) announce(before uint64) {
	if l.seq == before {
		return
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Withdraw ends the decision of the given rule, with or without its version, for the given entity, and says whether
// there was one. The version that was withdrawn cannot come back.
func (l *Log) Withdraw(entity sundew.Entity, rule string) bool {
	entity, err := canonicalEntity(entity)
	if err != nil {
		return false
	}
	d := sundew.Decision{Entity: entity, Rule: rule}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.records[d.Key()]
	if r == nil || r.item == nil {
		return false
	}
	before := l.seq
	l.retire(r, now)
	l.announce(before)
	return true
}

// Expire ends what has expired at now and returns how many decisions that were.
func (l *Log) Expire(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.seq
	n := 0
	for r := l.standing.first(); r != nil && !now.Before(r.due); r = l.standing.first() {
		l.retire(r, now)
		n++
	}
	for r := l.retired.first(); r != nil && !now.Before(r.due); r = l.retired.first() {
		l.forget(r)
	}
	l.announce(before)
	return n
}

// Run expires decisions as their time comes, until ctx ends. It returns nil.
func (l *Log) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.earlier:
		case <-timer.C:
		}
		l.Expire(l.now())
		timer.Reset(l.untilNextExpiry())
	}
}

// untilNextExpiry is at most a minute, so that a clock that was set back is noticed.
func (l *Log) untilNextExpiry() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := time.Minute
	for _, r := range []*record{l.standing.first(), l.retired.first()} {
		if r != nil {
			wait = min(wait, r.due.Sub(l.now()))
		}
	}
	return max(wait, 0)
}
