package scoring

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"

	"sundew"
)

// Config sizes the engine.
type Config struct {
	// Entities is the most entities that are kept exactly, over all kinds.
	Entities int `yaml:"entities"`
	// Workers is the number of goroutines that score a batch; 0 means one per processor. It changes no score.
	Workers int `yaml:"workers"`
	// Prior is the share of client-days that abuse, before any evidence. With it, a legitimate client-day reaches s points
	// with probability at most Prior/(1-Prior) x (100-s)/s.
	Prior float64 `yaml:"prior"`
	// Seed keys the hashes. Who does not know it cannot choose identifiers that collide. It is part of the state.
	Seed uint64 `yaml:"-"`
}

// DefaultConfig keeps up to 262,144 entities.
func DefaultConfig() Config { return Config{Entities: 1 << 18, Prior: 1e-4} }

// Validate reports the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Entities < cells || c.Entities > 1<<26:
		return fmt.Errorf("scoring.entities is %d: want %d to %d", c.Entities, cells, 1<<26)
	case c.Workers < 0 || c.Workers > 1024:
		return fmt.Errorf("scoring.workers is %d: want 0 (one per processor) to 1024", c.Workers)
	case !(c.Prior > 0 && c.Prior < .5):
		return fmt.Errorf("scoring.prior is %v: want more than 0 and less than 0.5", c.Prior)
	}
	return nil
}

// cells is the number of parts that the entities are divided into. It is fixed, so that limits and evictions do not
// depend on the number of workers, and part of the layout of snapshots.
const cells = 64

// crowdCells are the last cells. They hold the fingerprints alone and are played after the others, so that a fingerprint
// can see what became of the address of each request.
const crowdCells = 8

// Engine scores batches. One goroutine may use it at a time.
type Engine struct {
	config Config
	hash   hasher
	cells  [cells]cell
	outage outage

	trials []trial // of the batch in hand
	scores []sundew.Score
}

var (
	_ sundew.Scorer   = (*Engine)(nil)
	_ sundew.Stateful = (*Engine)(nil)
)

// New returns an engine without any past.
func New(c Config) (*Engine, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	e := &Engine{config: c, hash: hasher(c.Seed)}
	e.reset()
	return e, nil
}

func (e *Engine) reset() {
	e.outage = outage{}
	for i := range e.cells {
		e.cells[i] = cell{table: newTable(e.config.Entities / cells)}
	}
}

// Entities is the number of entities that are kept.
func (e *Engine) Entities() (n int) {
	for i := range e.cells {
		n += len(e.cells[i].table.arena)
	}
	return n
}

// turn is one entity's part of one event.
type turn struct {
	event int // index in the batch
	score int // index of the score to fill
	hash  uint64
}

// cell is a part of the entities. Only one worker touches it during a batch, so it needs no lock.
type cell struct {
	table *table
	turns []turn
	// client is what the last address in this cell was found to be: its networks follow it and look.
	client uint8
}

// Score folds the batch into the state and returns the scores, ordered by event and then as Event.AppendEntities orders
// them. Autonomous systems are not scored; an entity that the table does not admit gets 0 points.
func (e *Engine) Score(b sundew.Batch) []sundew.Score {
	e.deal(b.Events)
	e.playAll(e.cells[:cells-crowdCells])
	e.playAll(e.cells[cells-crowdCells:])
	scores := e.scores
	e.scores = nil
	return scores
}

func (e *Engine) playAll(part []cell) {
	var workers sync.WaitGroup
	n := min(e.config.Workers, len(part))
	for w := range n {
		workers.Go(func() {
			for i := w; i < len(part); i += n {
				e.play(&part[i])
			}
		})
	}
	workers.Wait()
}

// deal gives every entity of every event its turn in its cell. An address and its networks share a cell, so that a
// network can see what became of the address.
func (e *Engine) deal(events []sundew.Event) {
	e.trials = e.trials[:0]
	var entities []sundew.Entity
	for i := range events {
		event := &events[i]
		e.trials = append(e.trials, newTrial(event, e.hash))
		home := e.home(event.Client)
		entities = event.AppendEntities(entities[:0])
		for _, entity := range entities {
			if !scored(entity.Kind) {
				continue
			}
			hash, in := e.hash.key(entity.Kind, entity.Key), home
			if entity.Kind != sundew.KindIP && entity.Kind != sundew.KindPrefix {
				in = cellOf(entity.Kind, hash)
			}
			if entity.Kind == sundew.KindFingerprint && e.trials[i].authAttempt {
				e.trials[i].outage = e.outage.add(hash, e.trials[i].second, e.trials[i].authFailure)
			}
			e.cells[in].turns = append(e.cells[in].turns, turn{i, len(e.scores), hash})
			e.scores = append(e.scores, sundew.Score{Time: event.Time, Entity: entity, Event: event})
		}
	}
}

// home is the cell of an address and of its networks.
func (e *Engine) home(client netip.Addr) int {
	prefixes, n := sundew.Prefixes(client)
	return cellOf(sundew.KindPrefix, e.hash.prefix(sundew.KindPrefix, prefixes[n-1]))
}

// cellOf spreads entities evenly over the cells of their kind by the upper half of their hash.
func cellOf(kind sundew.Kind, hash uint64) int {
	if kind == sundew.KindFingerprint {
		return cells - crowdCells + int(hash>>32*crowdCells>>32)
	}
	return int(hash >> 32 * (cells - crowdCells) >> 32)
}

// scored leaves out autonomous systems: a network operator's crowd is too wide to act on.
func scored(kind sundew.Kind) bool { return kind != sundew.KindASN }

func (e *Engine) play(c *cell) {
	for _, turn := range c.turns {
		e.take(c, &e.trials[turn.event], &e.scores[turn.score], turn.hash)
	}
	c.turns = c.turns[:0]
}

// take is one entity's turn: its state takes the event, and the score says how the entity stands after it.
func (e *Engine) take(c *cell, t *trial, score *sundew.Score, hash uint64) {
	kind := score.Entity.Kind
	s := c.table.admit(hash, kind, t.second)
	if s == nil {
		return
	}
	s.advance(t.second)
	s.count(t)
	if !answered(kind, c, t) {
		s.judge(t)
	}
	odds := s.evidence() * e.config.Prior / (1 - e.config.Prior)
	score.Points = min(100*odds/(1+odds), 100)
	s.Points = uint8(score.Points)
	s.DayPoints = max(s.DayPoints, s.Points)
	if kind == sundew.KindIP {
		c.client = s.Points
		t.answered = s.Points >= convicted || s.spoken(t)
	}
	s.features(&score.Features)
	if score.Points >= explainFrom {
		score.Nats, score.Evidence = s.explain()
	}
}

// answered says that somebody narrower answers for the event already, or has spoken, so that it says nothing about the
// group. A tenured device answers for itself: it speaks against no fingerprint.
// In an outage nobody speaks against a group.
func answered(kind sundew.Kind, c *cell, t *trial) bool {
	switch kind {
	case sundew.KindPrefix:
		return c.client >= convicted || t.outage
	case sundew.KindFingerprint:
		return t.answered || t.tenured != 0 || t.outage
	default:
		return false
	}
}

// spoken says that an address has had its say about its fingerprint today. However loud, it gives it no more than its
// first trials, so that a few addresses cannot convict software that many people use.
func (s *state) spoken(t *trial) bool {
	if t.authAttempt {
		return s.Duels[chAuth].Trials > voice
	}
	return s.Duels[chForged].Trials > voice
}

const (
	// voice is how many trials of a day an address gives its fingerprint.
	voice = 2
	// convicted is where an address answers for itself: from here on its requests no longer speak against its network nor
	// against its fingerprint.
	convicted = 50
	// explainFrom is the score from which the evidence is put into words.
	explainFrom = 10
)

var errState = errors.New("scoring state cannot be read")
