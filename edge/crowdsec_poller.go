package edge

import (
	linked "container/list"
	"maps"
	"sync"
	"time"
)

const (
	// maxPollers bounds the clients whose place is remembered. The one that polled longest ago is forgotten first, and
	// gets the whole list when it comes back.
	maxPollers = 4096

	// announceHold is how long CrowdSec's clients ignore a second announcement of the same value and type: their
	// cache_retention_duration of 10 s, and one second for clocks and the way.
	announceHold = 11 * time.Second

	// maxHeld bounds the announcements to one client that are remembered or put off for the hold. Beyond it they are made
	// at once, so that an extension can be lost until the decision's own end. What meets a deletion is always put off;
	// the retained log bounds that.
	maxHeld = 50_000
)

// A pollerID is who CrowdSec's protocol takes for one client.
type pollerID struct{ key, address string }

// A poller is what one client has seen. It is replaced as a whole, never changed, after a complete answer.
type poller struct {
	placed    bool   // seq says something
	seq       uint64 // changes up to it have been told
	listed    time.Time
	announced map[target]time.Time // within announceHold
	owed      map[target]struct{}  // announcements put off
}

// begin returns a copy whose maps may be changed, without what no longer matters at now.
func (p poller) begin(now time.Time) poller {
	recent := make(map[target]time.Time, len(p.announced))
	for t, at := range p.announced {
		if now.Sub(at) < announceHold {
			recent[t] = at
		}
	}
	p.announced = recent
	p.owed = maps.Clone(p.owed)
	if p.owed == nil {
		p.owed = make(map[target]struct{})
	}
	return p
}

// ignores says whether the client would skip an announcement of t at now.
func (p poller) ignores(t target, again bool, now time.Time) bool {
	if _, ok := p.announced[t]; ok {
		return true
	}
	return again && now.Sub(p.listed) < announceHold
}

// pollers remembers the place of each client.
type pollers struct {
	mu    sync.Mutex
	all   map[pollerID]*linked.Element // of *polling
	order linked.List                  // the client that polled last is in front
}

type polling struct {
	id         pollerID
	state      poller
	generation uint64 // rises with every answer
	agent      string
	connection string // of the last poll
	before     string // of the poll before it
}

func newPollers() *pollers { return &pollers{all: make(map[pollerID]*linked.Element)} }

// arrive returns the client's state and a number to hand to leave. shared is true when the polls look like two clients
// taking turns: another user agent, or a connection that comes back after another.
func (p *pollers) arrive(id pollerID, agent, connection string) (state poller, generation uint64, shared bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.all[id]
	if !ok {
		if len(p.all) >= maxPollers {
			oldest := p.order.Back()
			delete(p.all, p.order.Remove(oldest).(*polling).id)
		}
		e = p.order.PushFront(&polling{id: id, agent: agent, connection: connection})
		p.all[id] = e
		return poller{}, 0, false
	}
	p.order.MoveToFront(e)
	c := e.Value.(*polling)
	shared = c.agent != agent || (c.connection != connection && c.before == connection)
	if c.connection != connection {
		c.before, c.connection = c.connection, connection
	}
	c.agent = agent
	return c.state, c.generation, shared
}

// leave keeps the state after a complete answer, unless another answer to the same client came in between: then it is
// not known which of the two was read last, and telling changes twice does no harm.
func (p *pollers) leave(id pollerID, state poller, generation uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.all[id]
	if !ok {
		return
	}
	c := e.Value.(*polling)
	if c.generation != generation {
		return
	}
	c.state = state
	c.generation++
}
