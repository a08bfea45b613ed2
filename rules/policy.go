package rules

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// A policy is one compiled Policy file: what points mean for one kind of entity.
type policy struct {
	PolicyInfo
	name       string // id@version
	kind       sundew.Kind
	ladder     ladder
	hysteresis float64 // a rung is left only this many points below its entry

	minEvents int // requests in the last hour before a rung above tarpit
	minRules  int // different rules behind a block that rests on points

	caps   []listCap
	shared sharedCap

	guardrail guardrail // of all its rules together
	order     int       // place among the policies of the set, which are ordered by id
}

// A sharedCap is the hardest action on an entity that many people share.
type sharedCap struct {
	devices float64 // tenured devices behind it, from which it is shared; 0 for no cap
	max     sundew.Action
}

func (c sharedCap) holds(s *sundew.Score) bool {
	return c.devices > 0 && s.Features[sundew.TenuredDevices24h] >= c.devices
}

// A listCap is the hardest action on those whom a list names.
type listCap struct {
	list string
	max  sundew.Action
}

func (f *file) readPolicy(n *yaml.Node, lists []string) *policy {
	p := &policy{PolicyInfo: PolicyInfo{ID: f.id, Version: f.version}, name: f.id + "@" + f.version, minRules: 1, guardrail: policyGuardrail()}
	var combine string
	f.object(n, "policy", append(f.head(&p.ID),
		optional("title", f.text(&p.Title)),
		optional("owner", f.text(&p.Owner)),
		optional("description", f.text(&p.Description)),
		required("entity", f.entityKind(&p.kind)),
		optional("length", f.length(p)),
		optional("combine", f.word(&combine, "noisy_or")),
		required("ladder", func(n *yaml.Node) { p.ladder = f.readLadder(n) }),
		optional("hysteresis", f.number(&p.hysteresis, 0, 50)),
		optional("min_evidence", func(n *yaml.Node) {
			f.object(n, "min_evidence",
				optional("events", f.count(&p.minEvents, 0, 1_000_000)),
				optional("distinct_rules_for_block", f.count(&p.minRules, 1, 100)),
			)
		}),
		optional("guardrail", f.guardrail(&p.guardrail, "freeze")),
		optional("never_above", func(n *yaml.Node) { f.readCaps(n, p, lists) }),
		optional("shared", func(n *yaml.Node) {
			f.object(n, "shared",
				required("devices", f.number(&p.shared.devices, 1, 200)),
				required("max", f.action(&p.shared.max)),
			)
		}),
	)...)
	p.Kind = p.kind.String()
	for _, r := range p.ladder {
		p.Ladder = append(p.Ladder, RungInfo{At: r.at, Nats: r.nats, Action: r.do, TTL: r.ttl})
	}
	return p
}

// length reads the bits of the networks' prefixes.
func (f *file) length(p *policy) func(n *yaml.Node) {
	return func(n *yaml.Node) {
		f.count(&p.Length, 1, 128)(n)
		if n != nil && p.kind != sundew.KindPrefix {
			f.note(n, "leave it out, or write entity: prefix before it", "length: only networks have one")
		}
	}
}

// readCaps reads {lists.x: observe}.
func (f *file) readCaps(n *yaml.Node, p *policy, lists []string) {
	f.pairs(n, "never_above", func(key, value *yaml.Node) {
		c := listCap{}
		if key == nil {
			f.action(&c.max)(nil)
			return
		}
		name, found := strings.CutPrefix(key.Value, "lists.")
		if !found || !slices.Contains(lists, name) {
			f.note(key, nearest(name, lists), "never_above: no list %q", key.Value)
			return
		}
		c.list = name
		f.action(&c.max)(value)
		p.caps = append(p.caps, c)
	})
}

// cap returns the hardest action that the lists, and the people who share the entity, leave for it after the request at
// hand.
func (p *policy) cap(set *Set, s *sundew.Score) sundew.Action {
	e, event, now := s.Entity, s.Event, s.Time
	hardest := sundew.ActionBlock
	if p.shared.holds(s) {
		hardest = p.shared.max
	}
	for _, c := range p.caps {
		if c.max < hardest && set.lists[c.list].names(e, event, now) {
			hardest = c.max
		}
	}
	if hardest > sundew.ActionObserve && set.allowed(e, event, now) {
		hardest = sundew.ActionObserve
	}
	return hardest
}
