package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sundew"
	"sundew/edge"
	"sundew/ingest"
	"sundew/rules"
)

// openPrivacy reads what is hidden. Lists and repute name real addresses and accounts, which under pseudonyms would fit
// the wrong ones or nobody, so they are refused together.
func openPrivacy(c Config, set *rules.Set) (*ingest.Privacy, error) {
	p, err := ingest.LoadPrivacy(c.Ingest.Privacy)
	if err != nil {
		return nil, err
	}
	var kinds []sundew.Kind
	if p.Addresses() != nil {
		kinds = append(kinds, sundew.KindIP, sundew.KindPrefix)
		if len(c.Reputation.Lists) > 0 {
			return nil, fmt.Errorf("reputation.lists name real addresses: they cannot be used while client.address has pseudonyms")
		}
	}
	if p.Names() {
		kinds = append(kinds, sundew.KindAccount)
	}
	if names := set.ListsOf(kinds...); len(names) > 0 {
		return nil, fmt.Errorf("the lists %s name real addresses or accounts: they cannot be used while those have pseudonyms", strings.Join(names, ", "))
	}
	return p, nil
}

// mark returns the publisher for decisions of a pipeline whose events p has treated.
func mark(next sundew.Publisher, p *ingest.Privacy) sundew.Publisher {
	if p.Addresses() == nil {
		return next
	}
	return marked{next}
}

// marked publishes decisions on pseudonyms as such. Those from before the pseudonyms, which the topic may still hold, name
// real addresses.
type marked struct{ next sundew.Publisher }

func (m marked) Publish(ctx context.Context, ds []sundew.Decision) error {
	ds = slices.Clone(ds)
	for i := range ds {
		ds[i].Pseudonyms = true
	}
	return m.next.Publish(ctx, ds)
}

// reveal returns decisions for the edges, which see real addresses. These are nowhere but in the feed's memory and at the
// edges. A decision whose key is gone is left out: on the pseudonym itself it would meet somebody else.
func reveal(names *sundew.Pseudonyms, ds []sundew.Decision) []sundew.Decision {
	revealed := make([]sundew.Decision, 0, len(ds))
	for _, d := range ds {
		if !d.Pseudonyms || revealOne(names, &d) {
			revealed = append(revealed, d)
		}
	}
	return revealed
}

func revealOne(names *sundew.Pseudonyms, d *sundew.Decision) (ok bool) {
	if names == nil {
		return false
	}
	if d.Entity, ok = names.Reveal(d.Entity, d.Time); !ok {
		return false
	}
	d.And = slices.Clone(d.And)
	for i := range d.And {
		if d.And[i], ok = names.Reveal(d.And[i], d.Time); !ok {
			return false
		}
	}
	d.Pseudonyms = false
	return true
}

// newLists makes the list that edges get and the one that the console shows, which are the same where addresses have no
// pseudonyms.
func (s *server) newLists(c edge.LogConfig) {
	s.changes = edge.NewLog(c, s.registry)
	s.shown = s.changes
	if s.privacy.Addresses() != nil {
		s.shown = edge.NewLog(edge.LogConfig{}, nil)
	}
}
