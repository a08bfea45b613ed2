package scoring

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gaissmai/bart"

	"sundew"
	"sundew/scoring/law"
)

// Reputation is a set of networks and autonomous systems that abuse has come from, each by the name of the list that says
// so. It is made before the engine, which reads it from many goroutines, and not changed after.
type Reputation struct {
	networks bart.Table[uint16]
	systems  map[uint32]uint16
	lists    []string
}

// How many are on a list. Lists go stale, and people share addresses with machines that are rented out or taken over, so
// one legitimate client-day in twenty is taken to come from a listed address, against three in ten of the abusers'. Being
// listed is then worth less than two nats and convicts nobody; not being listed is a small thing in somebody's favour,
// without which the bound on false positives would not hold.
const (
	listedHonest  = .05
	listedAbusers = .3

	listedRatio   = listedAbusers / listedHonest
	unlistedRatio = (1 - listedAbusers) / (1 - listedHonest)
)

const maxReputationLists = 1 << 16

// NewReputation returns an empty set.
func NewReputation() *Reputation { return &Reputation{systems: map[uint32]uint16{}} }

// Len is the number of networks and autonomous systems.
func (r *Reputation) Len() int { return r.networks.Size() + len(r.systems) }

// List begins a list; Add and AddSystem put into it what follows. There may be 65,536.
func (r *Reputation) List(name string) error {
	if len(r.lists) == maxReputationLists {
		return fmt.Errorf("more than %d lists of reputation", maxReputationLists)
	}
	r.lists = append(r.lists, name)
	return nil
}

// Add puts a network into the list. Of equal networks the last list's stays.
func (r *Reputation) Add(network netip.Prefix) {
	r.networks.Insert(network.Masked(), uint16(len(r.lists)-1))
}

// AddSystem puts an autonomous system into the list.
func (r *Reputation) AddSystem(number uint32) { r.systems[number] = uint16(len(r.lists) - 1) }

// find returns the name of a list that the event's client is on.
func (r *Reputation) find(e *sundew.Event) (list string, ok bool) {
	if at, found := r.networks.Lookup(e.Client); found {
		return r.lists[at], true
	}
	if at, found := r.systems[e.ASN]; found && e.ASN != 0 {
		return r.lists[at], true
	}
	return "", false
}

// repute says what being on a list, or on none, is worth against an address. Unlike the channels it is known before the
// first request, so it weighs the evidence as it stands and needs no ledger.
type repute struct {
	ratio float64 // 1 without lists
	list  string  // that the address is on
}

func (r *Reputation) of(e *sundew.Event) repute {
	if r == nil {
		return repute{ratio: 1}
	}
	if list, listed := r.find(e); listed {
		return repute{listedRatio, list}
	}
	return repute{ratio: unlistedRatio}
}

// reputationName is how evidence spells it.
const reputationName = "reputation"

// explain returns the evidence, nil where there is none.
func (r repute) explain() []sundew.Evidence {
	if r.list == "" {
		return nil
	}
	return []sundew.Evidence{{
		Channel: reputationName, Nats: law.Log(r.ratio), Observed: 1, Expected: listedHonest, Window: 24 * time.Hour,
		Sentence: fmt.Sprintf("the address is on the list %s, as %.0f %% of legitimate ones are taken to be", r.list, 100*listedHonest),
	}}
}
