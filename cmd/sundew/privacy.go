package main

import (
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

// reveal returns decisions for the edges, which see real addresses. The addresses are nowhere but in the feed's memory and
// at the edges. A decision whose key is gone is left out.
func reveal(names *sundew.Pseudonyms, ds []sundew.Decision) []sundew.Decision {
	if names == nil {
		return ds
	}
	revealed := make([]sundew.Decision, 0, len(ds))
	for _, d := range ds {
		var ok bool
		if d.Entity, ok = names.Reveal(d.Entity, d.Time); !ok {
			continue
		}
		d.And = slices.Clone(d.And)
		for i := range d.And {
			var known bool
			d.And[i], known = names.Reveal(d.And[i], d.Time)
			ok = ok && known
		}
		if ok {
			revealed = append(revealed, d)
		}
	}
	return revealed
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
