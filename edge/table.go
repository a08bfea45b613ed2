package edge

import (
	"iter"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"sundew"
)

// softDelay is how long a stale block or challenge without a delay of its own holds a request instead.
const softDelay = 2 * time.Second

// cloneAbove is the number of changes from which copying all networks at once is cheaper than the paths to each: 63 us
// for a change, 1.1 s for a million networks.
const cloneAbove = 10_000

// A Table answers which decision acts on a request. Lookup may be called from many goroutines at any time; it takes no
// lock and allocates nothing. Replace and Apply may be called from any goroutine, one waits for the other.
type Table struct {
	current atomic.Pointer[contents]
	freshTo atomic.Int64 // nanoseconds since 1970; 0: for ever

	writing sync.Mutex
}

// contents are the decisions at one moment. They are immutable: changes make a copy that shares most of them.
type contents struct {
	cursor    sundew.Cursor
	count     int
	allow     *allowList
	addresses shardedMap[netip.Addr, *entry]
	prefixes  *bart.Table[*entry]
	owned     bool // no reader sees prefixes yet
	others    shardedMap[sundew.Entity, *entry]
}

// An entry is a decision and the others for the same entity. It is immutable.
type entry struct {
	decision sundew.Decision
	next     *entry
}

// NewTable returns a table without decisions.
func NewTable() *Table {
	t := new(Table)
	t.current.Store(newContents(sundew.Cursor{}, newAllowList(nil)))
	return t
}

func newContents(cursor sundew.Cursor, allow *allowList) *contents {
	return &contents{
		cursor: cursor, allow: allow, prefixes: new(bart.Table[*entry]), owned: true,
		addresses: newShardedMap[netip.Addr, *entry](), others: newShardedMap[sundew.Entity, *entry](),
	}
}

// Lookup returns the decision that acts on a request at the given time: of those in force for the address, a network
// around it, the device, the account or the API key, whose narrowing entities the request carries too, the one with the
// hardest action, then the longest delay. ok is false when none does, which includes an address on the allow-list. What
// the request does not say is the empty string.
//
// Once the table is stale, what is harder than a tarpit is returned as a tarpit.
func (t *Table) Lookup(client netip.Addr, device, account, apiKey string, now time.Time) (d sundew.Decision, ok bool) {
	c := t.current.Load()
	r := request{plainAddr(client), device, account, apiKey}
	if c.allow.contains(r.client) {
		return sundew.Decision{}, false
	}
	best := r.hardest(nil, c.addresses.get(r.client), now)
	if r.client.IsValid() {
		for _, e := range c.prefixes.Supernets(netip.PrefixFrom(r.client, r.client.BitLen())) {
			best = r.hardest(best, e, now)
		}
	}
	for _, identity := range [...]sundew.Entity{
		{Kind: sundew.KindDevice, Key: device},
		{Kind: sundew.KindAccount, Key: account},
		{Kind: sundew.KindAPIKey, Key: apiKey},
	} {
		if identity.Key != "" {
			best = r.hardest(best, c.others.get(identity), now)
		}
	}
	if best == nil {
		return sundew.Decision{}, false
	}
	return t.softened(best.decision, now), true
}

// softened turns what refuses requests into a delay where the list has gone stale.
func (t *Table) softened(d sundew.Decision, now time.Time) sundew.Decision {
	freshTo := t.freshTo.Load()
	if freshTo == 0 || now.UnixNano() <= freshTo || d.Action <= sundew.ActionTarpit {
		return d
	}
	d.Action = sundew.ActionTarpit
	if d.Delay <= 0 {
		d.Delay = softDelay
	}
	return d
}

// A request is what a decision can be about.
type request struct {
	client                  netip.Addr
	device, account, apiKey string
}

// hardest returns the hardest of best and what e leads to that acts on the request.
func (r *request) hardest(best, e *entry, now time.Time) *entry {
	for ; e != nil; e = e.next {
		d := &e.decision
		if d.InForce(now) && r.carries(d.And) && (best == nil || harder(d, &best.decision)) {
			best = e
		}
	}
	return best
}

// carries says whether the request names each of the entities. An entity of a kind that a request does not show here,
// such as a fingerprint, is not carried.
func (r *request) carries(entities []sundew.Entity) bool {
	for _, e := range entities {
		if !r.names(e) {
			return false
		}
	}
	return true
}

func (r *request) names(e sundew.Entity) bool {
	switch e.Kind {
	case sundew.KindIP, sundew.KindPrefix:
		network, ok := networkOf(e)
		return ok && network.Contains(r.client)
	case sundew.KindDevice:
		return e.Key == r.device
	case sundew.KindAccount:
		return e.Key == r.account
	case sundew.KindAPIKey:
		return e.Key == r.apiKey
	default:
		return false
	}
}

// Cursor returns the position in the log that the table stands at, the zero Cursor before the first list.
func (t *Table) Cursor() sundew.Cursor { return t.current.Load().cursor }

// Len returns the number of decisions, expired ones included until the log deletes them.
func (t *Table) Len() int { return t.current.Load().count }

// SetStale says when the list goes stale unless SetStale is called again; the zero time means never.
func (t *Table) SetStale(at time.Time) {
	if at.IsZero() {
		t.freshTo.Store(0)
		return
	}
	t.freshTo.Store(at.UnixNano())
}

// Replace swaps the whole list and the allow-list. Shadow decisions and such as do not enforce may be among them and do
// nothing. The table keeps no evidence and no sentences.
func (t *Table) Replace(list sundew.Blocklist, allow []sundew.Entity) {
	t.writing.Lock()
	defer t.writing.Unlock()
	c := newContents(list.Cursor, newAllowList(allow))
	for i := range list.Decisions {
		c.put(list.Decisions[i])
	}
	t.current.Store(c)
}

// Apply carries changes over and moves the cursor to next. Readers see all of them or none. It copies what it touches,
// about a thousandth of the table for each change, and no more than all of it.
func (t *Table) Apply(changes []sundew.Change, next sundew.Cursor) {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.current.Store(t.current.Load().with(changes, next))
}

// ApplyStates is Apply for changes that say all that stands for an entity: what stood for it before, of whatever rule, stands
// no longer. The allow-list is replaced.
func (t *Table) ApplyStates(changes []sundew.Change, allow []sundew.Entity, next sundew.Cursor) {
	t.writing.Lock()
	defer t.writing.Unlock()
	c := t.current.Load().shared()
	for i := range changes {
		d := &changes[i].Decision
		for e := c.get(d.Entity); e != nil; e = e.next {
			c.count--
		}
		c.set(d.Entity, nil)
		if changes[i].Op == sundew.OpAdd {
			c.put(*d)
		}
	}
	c.allow, c.cursor = newAllowList(allow), next
	t.current.Store(c)
}

// with returns the contents after changes.
func (c *contents) with(changes []sundew.Change, next sundew.Cursor) *contents {
	c = c.shared()
	if len(changes) > cloneAbove {
		c.prefixes, c.owned = c.prefixes.Clone(), true
	}
	for i := range changes {
		d := &changes[i].Decision
		c.remove(d)
		if changes[i].Op == sundew.OpAdd {
			c.put(*d)
		}
	}
	c.cursor = next
	return c
}

// shared returns a copy whose parts are copied when they are changed.
func (c *contents) shared() *contents {
	copied := *c
	copied.owned = false
	copied.addresses = c.addresses.shared()
	copied.others = c.others.shared()
	return &copied
}

func (c *contents) put(d sundew.Decision) {
	if !d.Action.Enforces() || d.Shadow {
		return
	}
	d.Evidence, d.Sentence = nil, ""
	c.count++
	c.set(d.Entity, &entry{d, c.get(d.Entity)})
}

// remove takes out the decision that d's Key names, if there is one.
func (c *contents) remove(d *sundew.Decision) {
	var kept []sundew.Decision
	found := false
	for e := c.get(d.Entity); e != nil; e = e.next {
		if e.decision.RuleID() == d.RuleID() {
			found = true
			continue
		}
		kept = append(kept, e.decision)
	}
	if !found {
		return
	}
	c.count--
	var chain *entry
	for _, other := range slices.Backward(kept) {
		chain = &entry{other, chain}
	}
	c.set(d.Entity, chain)
}

func (c *contents) get(e sundew.Entity) *entry {
	if e.Kind == sundew.KindIP {
		return c.addresses.get(addressOf(e))
	}
	if network, ok := networkOf(e); ok {
		chain, _ := c.prefixes.Get(network)
		return chain
	}
	return c.others.get(e)
}

// set replaces what stands for e; nil removes it.
func (c *contents) set(e sundew.Entity, chain *entry) {
	if e.Kind == sundew.KindIP {
		c.addresses.set(addressOf(e), chain)
		return
	}
	network, ok := networkOf(e)
	switch {
	case !ok:
		c.others.set(e, chain)
	case c.owned && chain == nil:
		c.prefixes.Delete(network)
	case c.owned:
		c.prefixes.Insert(network, chain)
	case chain == nil:
		c.prefixes = c.prefixes.DeletePersist(network)
	default:
		c.prefixes = c.prefixes.InsertPersist(network, chain)
	}
}

func addressOf(e sundew.Entity) netip.Addr {
	addr, _ := netip.ParseAddr(e.Key) // canonical
	return addr
}

// all yields every decision, in no order.
func (c *contents) all() iter.Seq[*sundew.Decision] {
	return func(yield func(*sundew.Decision) bool) {
		chain := func(e *entry) bool {
			for ; e != nil; e = e.next {
				if !yield(&e.decision) {
					return false
				}
			}
			return true
		}
		for e := range c.addresses.values {
			if !chain(e) {
				return
			}
		}
		for e := range c.others.values {
			if !chain(e) {
				return
			}
		}
		for _, e := range c.prefixes.All() {
			if !chain(e) {
				return
			}
		}
	}
}

// sorted returns every decision in the order of a Blocklist.
func (c *contents) sorted() []*sundew.Decision {
	ds := slices.AppendSeq(make([]*sundew.Decision, 0, c.count), c.all())
	slices.SortFunc(ds, inOrder)
	return ds
}

// sum is the checksum that the feed gives of the same list.
func (c *contents) sum() string { return sumOfPointers(c.sorted()) }
