package ingest

import (
	"hash/fnv"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"sundew"
)

// Bounds of the routes that are made of paths, for one stream or listener. Anybody can make up paths: without bounds,
// what is kept for each route would grow with them.
const (
	freeRoutes      = 256  // of a generation that are let in at first sight
	learnedRoutes   = 2048 // of a generation in all
	routeNetworks   = 3    // that must ask for a route before it is let in beyond the free ones
	routeCandidates = 4096 // that wait for that; when there are more, all begin anew
)

// routeMemory says which routes made of paths there are: those that were let in during this generation of offsets or the
// one before. Who sprays paths fills the free places; beyond them a route must be asked for from several networks, and
// there is an end to that, too. Every other path has the route /{other}.
//
// What it knows is a function of the events since the start of the generation before the current one, as with repeats: a
// partition that is read again from there has the same routes. Any number of goroutines may use it; the nil *routeMemory
// lets every route in.
type routeMemory struct {
	free, most, waiting int // the bounds, which tests lower

	mu            sync.Mutex
	current       int64 // the generation
	events        int64 // where no offsets say which it is
	before, since map[string]bool
	candidates    map[string][]uint32 // hashes of the networks that asked
	other         prometheus.Counter
}

func newRouteMemory(reg prometheus.Registerer) *routeMemory {
	return &routeMemory{
		free: freeRoutes, most: learnedRoutes, waiting: routeCandidates,
		before: map[string]bool{}, since: map[string]bool{}, candidates: map[string][]uint32{}, other: otherRoutes(reg),
	}
}

// otherRoutes counts, for templates and for learned routes alike.
func otherRoutes(reg prometheus.Registerer) prometheus.Counter {
	return register(reg, prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sundew_ingest_other_routes_total", Help: "Requests whose route is /{other}: no template fits, or there are too many routes already.",
	}))
}

// at goes to the generation of an offset, for streams that have offsets. Offsets rise from call to call.
func (m *routeMemory) at(offset int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = offset
	m.turn(offset / generation)
}

// bound replaces the route that was made of an event's path where it may not be one.
func (m *routeMemory) bound(e *sundew.Event) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.admits(e) {
		e.Route = otherRoute
		m.other.Inc()
	}
	m.events++
	m.turn(m.events / generation)
}

func (m *routeMemory) admits(e *sundew.Event) bool {
	if len(e.Route) > maxTemplate {
		return false
	}
	if !m.since[e.Route] && m.lets(e) {
		m.since[e.Route] = true
		delete(m.candidates, e.Route)
	}
	return m.since[e.Route] || m.before[e.Route]
}

// lets says whether a route may come in. It does not look at the generation before, so that one knows nothing of all those
// in front of it.
func (m *routeMemory) lets(e *sundew.Event) bool {
	return len(m.since) < m.free || len(m.since) < m.most && m.known(e)
}

// known says whether enough networks have asked for a route, this one included.
func (m *routeMemory) known(e *sundew.Event) bool {
	network := fnv.New32a()
	_, _ = network.Write(sundew.AppendPartitionKey(nil, e.Client))
	asked, waiting := m.candidates[e.Route]
	if !slices.Contains(asked, network.Sum32()) {
		asked = append(asked, network.Sum32())
	}
	if len(asked) >= routeNetworks {
		return true
	}
	if !waiting && len(m.candidates) >= m.waiting {
		clear(m.candidates)
	}
	m.candidates[e.Route] = asked
	return false
}

// turn forgets what is two generations old.
func (m *routeMemory) turn(now int64) {
	if now == m.current {
		return
	}
	m.before = map[string]bool{}
	if now == m.current+1 {
		m.before = m.since
	}
	m.current, m.since = now, map[string]bool{}
	clear(m.candidates)
}
