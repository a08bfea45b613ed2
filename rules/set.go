package rules

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sundew"
)

// Set is what a directory of rule files says. It is immutable and may be shared.
type Set struct {
	rules    []*rule   // by id
	policies []*policy // by id
	lists    map[string]*list
	allow    []*list // the lists of purpose allow, by id

	running [sundew.NumKinds]lineup // active, canary and shadow rules of a kind
	policy  [sundew.NumKinds]*policy
	lengths map[string]*policy // of networks, by the bits of their prefixes
	scanner scanner            // of the patterns of all rules
}

// arrange orders what the files gave and builds the indexes.
func (s *Set) arrange() {
	slices.SortFunc(s.rules, func(a, b *rule) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.policies, func(a, b *policy) int { return cmp.Compare(a.ID, b.ID) })
	for i, r := range s.rules {
		r.order = i
		r.close(&s.scanner)
		if r.runs() {
			s.running[r.kind].add(r)
		}
	}
	for kind := range s.running {
		s.running[kind].arrange()
	}
	s.scanner.build()
	s.lengths = map[string]*policy{}
	for i, p := range s.policies {
		p.order = i
		if p.Length > 0 {
			s.lengths[strconv.Itoa(p.Length)] = p
			continue
		}
		s.policy[p.kind] = p
	}
	for _, name := range sortedKeys(s.lists) {
		if l := s.lists[name]; l.Purpose == purposeAllow {
			s.allow = append(s.allow, l)
		}
	}
}

// policyOf returns the policy of an entity, nil without one.
func (s *Set) policyOf(e sundew.Entity) *policy {
	if e.Kind == sundew.KindPrefix && len(s.lengths) > 0 {
		if p := s.lengths[e.Key[strings.LastIndexByte(e.Key, '/')+1:]]; p != nil {
			return p
		}
	}
	return s.policy[e.Kind]
}

// Rules describes the rules, ordered by id.
func (s *Set) Rules() []RuleInfo {
	infos := make([]RuleInfo, len(s.rules))
	for i, r := range s.rules {
		infos[i] = r.RuleInfo
	}
	return infos
}

// Policies describes the policies, ordered by id.
func (s *Set) Policies() []PolicyInfo {
	infos := make([]PolicyInfo, len(s.policies))
	for i, p := range s.policies {
		infos[i] = p.PolicyInfo
	}
	return infos
}

// Lists describes the lists, ordered by id.
func (s *Set) Lists() []ListInfo {
	infos := make([]ListInfo, 0, len(s.lists))
	for _, name := range sortedKeys(s.lists) {
		infos = append(infos, s.lists[name].ListInfo)
	}
	return infos
}

// ListsOf returns the names of the lists that have an entity of one of the kinds, ordered.
func (s *Set) ListsOf(kinds ...sundew.Kind) []string {
	var names []string
	for _, name := range sortedKeys(s.lists) {
		if slices.ContainsFunc(s.lists[name].entries, func(e listEntry) bool { return slices.Contains(kinds, e.entity.Kind) }) {
			names = append(names, name)
		}
	}
	return names
}

// AllowList returns the entities of all lists of purpose allow whose entry has not ended at the given time, each once,
// ordered by kind and key. Edges leave them alone whatever a decision says.
func (s *Set) AllowList(at time.Time) []sundew.Entity {
	var entities []sundew.Entity
	for _, l := range s.allow {
		for _, e := range l.entries {
			if at.Before(e.expires) {
				entities = append(entities, e.entity)
			}
		}
	}
	slices.SortFunc(entities, compareEntities)
	return slices.Compact(entities)
}

// Allowed says whether a list of purpose allow protects the entity at a time: it is named, its address lies in a named
// network, or it is a network that overlaps a named address or network.
func (s *Set) Allowed(e sundew.Entity, at time.Time) bool {
	for _, l := range s.allow {
		if l.covers(e, at) {
			return true
		}
	}
	return false
}

func (s *Set) allowed(e sundew.Entity, event *sundew.Event, at time.Time) bool {
	for _, l := range s.allow {
		if l.names(e, event, at) {
			return true
		}
	}
	return false
}

// names is covers with what the request adds: an address belongs to the autonomous system that the request came from.
func (l *list) names(e sundew.Entity, event *sundew.Event, at time.Time) bool {
	if l.covers(e, at) {
		return true
	}
	if (e.Kind != sundew.KindIP && e.Kind != sundew.KindPrefix) || event.ASN == 0 {
		return false
	}
	return at.Before(l.entities[sundew.Entity{Kind: sundew.KindASN, Key: strconv.FormatUint(uint64(event.ASN), 10)}])
}
