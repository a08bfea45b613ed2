package quality

import (
	"slices"
	"time"

	"sundew"
)

// force knows the decisions in force while events go by in order.
type force struct {
	waiting []sundew.Decision // made by the batch in hand, in order of time
	held    map[sundew.Entity][]sundew.Decision
	names   []sundew.Entity // scratch
}

func newForce() *force { return &force{held: map[sundew.Entity][]sundew.Decision{}} }

// hit is what the decisions in force did to a request: the hardest action, over all and by kind of reason.
type hit struct {
	any, score, points sundew.Action
	rule               string // that the hardest action comes from
}

// expect takes the decisions of the next batch. Each holds for the events after the one that made it.
func (f *force) expect(ds []sundew.Decision) {
	for i := range ds {
		if !ds[i].Shadow {
			f.waiting = append(f.waiting, ds[i])
		}
	}
}

// on returns what is done to the request.
func (f *force) on(e *sundew.Event) hit {
	for len(f.waiting) > 0 && f.waiting[0].Time.Before(e.Time) {
		f.hold(f.waiting[0])
		f.waiting = f.waiting[1:]
	}
	var h hit
	f.names = e.AppendEntities(f.names[:0])
	for _, entity := range f.names {
		for i := range f.held[entity] {
			if d := &f.held[entity][i]; d.InForce(e.Time) && carries(f.names, d.And) {
				h.add(d)
			}
		}
	}
	return h
}

func (h *hit) add(d *sundew.Decision) {
	if d.Action > h.any {
		h.any, h.rule = d.Action, d.RuleID()
	}
	switch d.Basis {
	case sundew.BasisScore:
		h.score = max(h.score, d.Action)
	case sundew.BasisPoints, sundew.BasisManual:
		h.points = max(h.points, d.Action)
	}
}

// hold replaces the decision of the same entity and rule, and drops those that have expired.
func (f *force) hold(d sundew.Decision) {
	list := slices.DeleteFunc(f.held[d.Entity], func(old sundew.Decision) bool {
		return !old.InForce(d.Time) || old.RuleID() == d.RuleID()
	})
	d.Evidence = nil
	f.held[d.Entity] = append(list, d)
}

// carries says whether every one of the wanted is named.
func carries(names, wanted []sundew.Entity) bool {
	for _, w := range wanted {
		if !slices.Contains(names, w) {
			return false
		}
	}
	return true
}

// clientDay is a client on one UTC day, counted from 1970.
type clientDay struct {
	client sundew.Entity
	day    int64
}

func dayOf(e *sundew.Event) clientDay {
	return clientDay{clientOf(e), e.Time.Unix() / int64(day/time.Second)}
}

// clientOf returns who sent the request: the device, else the account, else the API key, else the address.
func clientOf(e *sundew.Event) sundew.Entity {
	switch {
	case e.Device != "":
		return sundew.Entity{Kind: sundew.KindDevice, Key: e.Device}
	case e.Account != "":
		return sundew.Entity{Kind: sundew.KindAccount, Key: e.Account}
	case e.APIKey != "":
		return sundew.Entity{Kind: sundew.KindAPIKey, Key: e.APIKey}
	}
	return sundew.Entity{Kind: sundew.KindIP, Key: e.Client.String()}
}
