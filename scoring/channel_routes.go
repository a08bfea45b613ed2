package scoring

import (
	"math/bits"

	"sundew"
)

// flow counts how often one route follows another among entities of a kind that were known the day before. Routes are
// hashed into 64 classes; a pair that is rare for two of them is rare for those that share them.
type flow [64][64]float32

// flows are those of the kinds that the routes channel hears.
type flows [numFlows]flow

const (
	flowOfDevices = iota
	flowOfAccounts
	numFlows
)

func flowOf(kind uint8) (of int, ok bool) {
	switch sundew.Kind(kind) {
	case sundew.KindDevice:
		return flowOfDevices, true
	case sundew.KindAccount:
		return flowOfAccounts, true
	}
	return 0, false
}

const (
	routeTrials   = 20   // steps that are looked at in a day
	routeShare    = .25  // of them rare is another way to use the API
	rareStep      = .002 // of the steps from a route go where few go
	knownFrom     = 1000 // steps from a route, below which nothing is called rare
	flowVoices    = 64   // steps of a day that an entity has a vote with
	routesAbusers = .3
)

// routesPrior has one legitimate entity in thirty use the API in a way of its own: a new release, a rare feature.
var routesPrior = priorOf{
	sundew.KindDevice:  {.03, .87},
	sundew.KindAccount: {.03, .87},
}

// routesChannel sees an entity go from route to route as hardly anybody does: straight to the till, never past the shelves.
// It listens from the day's first such step on. A release that goes other ways makes many unusual at once, so the channel speaks once a day and can convict nobody.
func routesChannel() channel {
	return channel{
		name:    "sequence_routes",
		kinds:   kinds(sundew.KindDevice, sundew.KindAccount),
		step:    routesStep,
		explain: outcomeExplain(chRoutes, &routesPrior, "%d of %d steps from route to route were ones that hardly anybody takes, %.1f expected"),
	}
}

func routesStep(s *state, t *trial) (ratio, start float64, tried bool) {
	if t.route == 0 {
		return 1, 0, false
	}
	before := s.members(routeBefore)
	s.setMembers(routeBefore, t.route)
	of, ok := flowOf(s.Kind)
	if before == 0 || !ok || s.trials(chRoutes) >= routeTrials {
		return 1, 0, false
	}
	w := &t.ways[of]
	rare := w.rare[bits.TrailingZeros64(before)]&t.route != 0
	if w.known&before == 0 || (!rare && s.trials(chRoutes) == 0) {
		return 1, 0, false
	}
	return settled(s, chRoutes, routeTrials, routeShare, &routesPrior, rare, routesAbusers)
}

// ways are what a flow says of each step, worked out once for an epoch.
type ways struct {
	known uint64     // routes from which enough steps were seen to tell
	rare  [64]uint64 // from each route the routes that hardly anybody goes on to
}

func (f *flow) ways() (w ways) {
	for from := range f {
		var all float32
		for _, n := range f[from] {
			all += n
		}
		if all < knownFrom {
			continue
		}
		w.known |= 1 << from
		for to, n := range f[from] {
			if n < float32(rareStep*all) {
				w.rare[from] |= 1 << to
			}
		}
	}
	return w
}

// pace lets the entity vote on what follows what. Strangers and suspects have no vote.
func (c *cell) pace(s *state, t *trial) {
	of, ok := flowOf(s.Kind)
	before := s.members(routeBefore)
	if !ok || before == 0 || t.route == 0 || s.Trials >= flowVoices || s.Points > 0 || (dayOf(s.First) >= s.Day && t.tenured == 0) {
		return
	}
	if c.steps == nil {
		c.steps = new(flows)
	}
	c.steps[of][bits.TrailingZeros64(before)][bits.TrailingZeros64(t.route)]++
}

// valid says whether every number of steps can have been counted.
func (f *flows) valid() bool {
	for of := range f {
		for from := range f[of] {
			for _, n := range f[of][from] {
				if !isCount(n) {
					return false
				}
			}
		}
	}
	return true
}

// steps are the votes of the epoch on what follows what. Which cell holds a vote changes nothing.
func (e *Engine) steps() *flows {
	sum := new(flows)
	for i := range e.cells {
		if e.cells[i].steps == nil {
			continue
		}
		for of := range sum {
			for from := range sum[of] {
				for to, n := range e.cells[i].steps[of][from] {
					sum[of][from][to] += n
				}
			}
		}
	}
	return sum
}

// turnFlows ends an epoch of the flows: old steps are forgotten in part, those of the epoch join them.
func (e *Engine) turnFlows() {
	p, steps := &e.population, e.steps()
	for of := range p.flows {
		for from := range p.flows[of] {
			for to := range p.flows[of][from] {
				p.flows[of][from][to] = float32(p.flows[of][from][to]*remembered) + steps[of][from][to]
			}
		}
		p.ways[of] = p.flows[of].ways()
	}
	for i := range e.cells {
		e.cells[i].steps = nil
	}
}
