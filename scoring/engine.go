package scoring

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"sundew"
	"sundew/scoring/law"
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
	// Quota is what one entity may send in a day.
	Quota Quota `yaml:"quota"`
	// Reputation is what others say of addresses; nil without lists. It is not part of the state.
	Reputation *Reputation `yaml:"-"`
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
	case c.Quota.negative():
		return fmt.Errorf("scoring.quota is %+v: want no number below 0", c.Quota)
	case !(c.Prior > 0 && c.Prior < .5):
		return fmt.Errorf("scoring.prior is %v: want more than 0 and less than 0.5", c.Prior)
	}
	return nil
}

// cells is the number of parts that the entities are divided into. It is fixed, so that limits and evictions do not
// depend on the number of workers, and part of the layout of snapshots.
const cells = 64

// crowdCells are the last cells. They hold the groups alone and are played after the others, so that a group can see what
// became of the address of each request.
const crowdCells = 8

// Engine scores batches. One goroutine may use it at a time.
type Engine struct {
	config Config
	hash   hasher
	cells  [cells]cell
	outage outage

	population population

	trials []trial         // of the stretch in hand
	scores []sundew.Score  // of the batch in hand
	ids    []sundew.Entity // of the event in hand
	places [places]place
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
		e.cells[i] = cell{number: uint8(i), table: newTable(e.config.Entities / cells), volumes: newVolumeVotes()}
	}
	e.population = newPopulation()
	for i := range e.cells {
		e.cells[i].table.believed = &e.population.believed
	}
	e.places = [places]place{}
}

// Entities is the number of entities that are kept.
func (e *Engine) Entities() (n int) {
	for i := range e.cells {
		n += e.cells[i].table.used
	}
	return n
}

// Epoch is the UTC day, since 1970, that the population's knowledge is in force for.
func (e *Engine) Epoch() int { return int(e.population.day.Now) }

// turn is one entity's part of one event.
type turn struct {
	hash  uint64
	event int32 // index in the stretch
	score int32 // index of the score to fill
	kind  sundew.Kind
}

// cell is a part of the entities. Only one worker touches it during a batch, so it needs no lock.
type cell struct {
	number uint8
	table  *table
	turns  []turn
	// client is what the last address in this cell was found to be: its networks follow it and look.
	client uint8

	votes   [segments]pool                       // of client-days that closed in this epoch
	weather [sundew.NumKinds][numWeathered]votes // of this minute
	high    []castVote                           // those of high evidence
	steps   *flows                               // from route to route, of this epoch; nil where there were none
	rates   rateVotes
	heard   heard
	volumes volumeVotes // on the requests for routes, of this epoch
	warmth  uint64      // see table.warm; not part of the state
}

// together is how many turns wait for memory at a time.
const together = 32

// Score folds the batch, its labels among its events, into the state and returns the scores, ordered by event and then as
// Event.AppendEntities orders them. Autonomous systems are scored for requests that say something of one; an entity that
// the table does not admit gets 0 points. The slice holds until the next call.
func (e *Engine) Score(b sundew.Batch) []sundew.Score {
	before, first, labels := e.scores, 0, b.Labels
	e.scores = e.scores[:0]
	for i := range b.Events {
		for ; len(labels) > 0 && labels[0].Before <= i; labels = labels[1:] {
			e.score(b.Events[first:i])
			first = i
			e.label(&labels[0])
		}
		second := secondOf(b.Events[i].Time)
		passes, turns := e.population.minute.moves(minuteOf(second)), e.population.day.moves(uint32(dayOf(second)))
		if !passes && !turns {
			continue
		}
		e.score(b.Events[first:i])
		first = i
		if passes {
			e.pass()
		}
		if turns {
			e.turn()
		}
	}
	e.score(b.Events[first:])
	for i := range labels {
		e.label(&labels[i])
	}
	if n := len(e.scores); n < len(before) {
		clear(before[n:]) // or they would keep an old batch's events alive
	}
	return e.scores
}

// stretch is how many events are dealt at a time: their scores fit a processor's cache until they are filled in.
const stretch = 512

// score takes events of one minute.
func (e *Engine) score(events []sundew.Event) {
	for some := range slices.Chunk(events, stretch) {
		e.deal(some)
		e.eachCell(e.cells[:cells-crowdCells], e.play)
		e.eachCell(e.cells[cells-crowdCells:], e.play)
	}
}

// eachCell lets the workers go through some of the cells, each of which one of them has to itself.
func (e *Engine) eachCell(part []cell, do func(*cell)) {
	n := min(e.config.Workers, len(part))
	if n == 1 {
		for i := range part {
			do(&part[i])
		}
		return
	}
	var workers sync.WaitGroup
	for w := range n {
		workers.Go(func() {
			for i := w; i < len(part); i += n {
				do(&part[i])
			}
		})
	}
	workers.Wait()
}

// deal gives every entity of every event its turn in its cell. An address and its networks share a cell, so that a
// network can see what became of the address.
func (e *Engine) deal(events []sundew.Event) {
	e.trials = slices.Grow(e.trials[:0], len(events))[:len(events)]
	for i := range events {
		event, t := &events[i], &e.trials[i]
		t.read(event, e.hash)
		t.climate, t.ways, t.volumes, t.quota = &e.population.climate, &e.population.ways, e.population.volumes, e.config.Quota
		t.repute = e.config.Reputation.of(event)
		at := e.place(event.Client)
		for j, entity := range at.entities[:at.n] {
			e.seat(i, event, entity, at.hashes[j], at.home)
		}
		e.ids = event.AppendIDs(e.ids[:0])
		for _, entity := range e.ids {
			var hash uint64
			if entity.Kind == sundew.KindASN && !t.concernsGroups() {
				continue
			}
			if entity.Kind == sundew.KindDevice {
				hash = keyOf(sundew.KindDevice, t.device)
			} else {
				hash = e.hash.key(entity.Kind, entity.Key)
			}
			if entity.Kind == sundew.KindFingerprint && t.authAttempt {
				t.outage = e.outage.add(hash, t.second, t.authFailure)
			}
			e.seat(i, event, entity, hash, cellOf(entity.Kind, hash))
		}
	}
}

func (e *Engine) seat(i int, event *sundew.Event, entity sundew.Entity, hash uint64, in int) {
	e.cells[in].turns = append(e.cells[in].turns, turn{hash, int32(i), int32(len(e.scores)), entity.Kind})
	e.scores = slices.Grow(e.scores, 1)[:len(e.scores)+1]
	s := &e.scores[len(e.scores)-1] // with what an earlier batch left in it
	s.Time, s.Entity, s.Event = event.Time, entity, event
	s.Points, s.Nats, s.Evidence = 0, 0, nil
}

// cellOf spreads entities evenly over the cells of their kind by the upper half of their hash.
func cellOf(kind sundew.Kind, hash uint64) int {
	if isGroup(kind) {
		return cells - crowdCells + int(hash>>32*crowdCells>>32)
	}
	return int(hash >> 32 * (cells - crowdCells) >> 32)
}

// isGroup is true for kinds behind which there are many clients in many networks. They learn from what nobody narrower
// answers for.
func isGroup(kind sundew.Kind) bool { return kind == sundew.KindFingerprint || kind == sundew.KindASN }

func (e *Engine) play(c *cell) {
	for turns := range slices.Chunk(c.turns, together) {
		var found [together]*hot
		c.warmth += c.table.warm(turns, &found)
		for i, turn := range turns {
			e.take(c, found[i], &e.trials[turn.event], &e.scores[turn.score], turn)
		}
	}
	c.turns = c.turns[:0]
}

// take is one entity's turn: its state takes the event, and the score says how the entity stands after it. Its state is
// the one found before, unless it was not there or a turn since has given its place away.
func (e *Engine) take(c *cell, h *hot, t *trial, score *sundew.Score, turn turn) {
	if turn.kind == sundew.KindIP {
		c.client = 0
	}
	if h == nil || h.Hash != turn.hash {
		if h = c.table.admit(turn.hash, turn.kind, t.second); h == nil {
			score.Features = sundew.Features{}
			return
		}
	}
	s := c.table.open(h)
	e.fill(c, s, t, score)
	c.table.keep(s)
}

// fill lets the state take the event and fills in the score.
func (e *Engine) fill(c *cell, s *state, t *trial, score *sundew.Score) {
	kind := sundew.Kind(s.Kind)
	s.advance(t.second)
	e.close(c, s, dayOf(s.Last))
	s.count(t)
	if e.population.lessons.verdict(s.Hash) != sundew.VerdictAbuse {
		c.tell(s, t)
		c.pace(s, t)
	}
	if !answered(kind, c, t) {
		said := s.volumePart.Most
		s.judge(t)
		c.volumes.hear(s, said)
	}
	evidence := s.evidence(&e.population.lessons.Weights)
	if kind == sundew.KindIP {
		evidence *= t.repute.ratio
	}
	s.DayMost = max(s.DayMost, float32(min(evidence, math.MaxFloat32)))
	evidence = e.population.maps[segmentOf(s)].apply(evidence)
	score.Points = e.population.lessons.held(e.points(evidence))
	s.Points = uint8(score.Points)
	s.DayPoints = max(s.DayPoints, s.Points)
	if kind == sundew.KindIP {
		c.client = s.Points
		t.answered = s.Points >= convicted || s.spoken(t)
	}
	s.features(&score.Features, t.climate)
	if score.Points >= explainFrom {
		score.Nats, score.Evidence = law.Log(evidence), s.explain()
		if kind == sundew.KindIP {
			score.Evidence = append(score.Evidence, t.repute.explain()...)
		}
	}
}

// points is the probability of abuse, in per cent, after evidence that is an e-value.
func (e *Engine) points(evidence float64) float64 {
	odds := evidence * e.config.Prior / (1 - e.config.Prior)
	return min(100*odds/(1+odds), 100)
}

// answered says that somebody narrower answers for the event already, or has spoken, so that it says nothing about the
// group. A tenured device answers for itself: it speaks against no group. In an outage nobody speaks against one.
func answered(kind sundew.Kind, c *cell, t *trial) bool {
	switch kind {
	case sundew.KindPrefix:
		return c.client >= convicted || t.outage
	case sundew.KindFingerprint, sundew.KindASN:
		return t.answered || t.tenured != 0 || t.outage
	default:
		return false
	}
}

// spoken says that an address has had its say about its groups today. However loud, it gives them no more than its first
// trials, so that a few addresses cannot convict software that many people use, nor a network.
func (s *state) spoken(t *trial) bool {
	switch {
	case t.authAttempt:
		return s.trials(chAuth) > voice
	case t.write && !t.proofs.forged:
		return s.trials(chWrites) > voice
	}
	return s.trials(chForged) > voice
}

const (
	// voice is how many trials of a day an address gives a group.
	voice = 2
	// convicted is where an address answers for itself: from here on its requests no longer speak against its network nor
	// against a group.
	convicted = 50
	// explainFrom is the score from which the evidence is put into words.
	explainFrom = 10
)

var errState = errors.New("scoring state cannot be read")
