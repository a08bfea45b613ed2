package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"go.yaml.in/yaml/v3"

	"sundew"
)

// Status says what a rule is allowed to do.
const (
	StatusDraft    = "draft"    // loaded and tested, not run
	StatusShadow   = "shadow"   // run; its decisions are written down and never enforced
	StatusCanary   = "canary"   // run; its points count for a share of the entities, for the others it is in the shadow
	StatusActive   = "active"   // run; its points count
	StatusDisabled = "disabled" // loaded, not run
)

// A rule is one compiled Rule file. It is immutable and holds no state of an entity.
type rule struct {
	RuleInfo
	kind   sundew.Kind
	name   string  // id@version
	path   string  // of the file
	body   string  // see Body
	order  int     // place among the rules of the set, which are ordered by id
	place  int     // among those that run for its kind
	guards []guard // of its condition

	scope  scope
	vars   map[string]*variable
	params map[string]ref.Val // by full name: params.x
	when   *condition
	unless []*condition
	hold   time.Duration // how long the condition must have held

	points  points
	limit   sundew.Action // no rung above it because of this rule
	ladder  ladder        // instead of the policy's; empty for the policy's
	explain template
	tests   []ruleTest

	rollout   float64 // share of the entities on which a canary acts, 0 to 1
	guardrail guardrail
}

func (r *rule) runs() bool {
	return r.Status == StatusActive || r.Status == StatusCanary || r.Status == StatusShadow
}

var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// readRule reads the body of a Rule file. What depends on the whole, such as conditions on parameters, is read last.
func (f *file) readRule(n *yaml.Node, lists []string) *rule {
	r := &rule{
		RuleInfo: RuleInfo{ID: f.id, Version: f.version, Status: StatusDraft},
		name:     f.id + "@" + f.version,
		path:     f.path,
		body:     f.body,
		limit:    sundew.ActionBlock,
		params:   map[string]ref.Val{},
		points:   defaultPoints(),

		guardrail: ruleGuardrail(),
	}
	var kind sundew.Kind
	var when, explain *yaml.Node
	var unless, tests []*yaml.Node
	percent := -1.0
	f.object(n, "rule", append(f.head(&r.ID),
		required("title", f.text(&r.Title)),
		required("owner", f.text(&r.Owner)),
		required("severity", f.word(&r.Severity, "low", "medium", "high", "critical")),
		required("status", f.word(&r.Status, StatusDraft, StatusShadow, StatusCanary, StatusActive, StatusDisabled)),
		optional("rollout", func(n *yaml.Node) { f.object(n, "rollout", required("percent", f.number(&percent, 0, 100))) }),
		required("description", f.text(&r.Description)),
		optional("false_positives", f.texts("false_positives", &r.FalsePositives)),
		optional("references", func(n *yaml.Node) { f.readReferences(n, r) }),
		required("entity", f.entityKind(&kind)),
		optional("scope", func(n *yaml.Node) { f.readScope(n, &r.scope) }),
		optional("params", func(n *yaml.Node) { f.readParams(n, r) }),
		required("when", f.keepText(&when)),
		optional("unless", f.sequence("unless", func(n *yaml.Node) {
			var u *yaml.Node
			f.keepText(&u)(n)
			unless = append(unless, u)
		})),
		optional("for", f.duration(&r.hold, 0, day)),
		required("score", func(n *yaml.Node) { f.readPoints(n, &r.points) }),
		optional("action", func(n *yaml.Node) { f.readAction(n, r) }),
		optional("explain", f.keepText(&explain)),
		optional("tests", f.sequence("tests", func(n *yaml.Node) {
			if n == nil {
				f.readTest(nil, r, nil)
			}
			tests = append(tests, n)
		})),
	)...)
	if f.proposal != nil && f.proposal.Status != "" && r.Status != "" {
		r.Status = f.proposal.Status
	}
	r.rollout = max(0, percent/100)
	if r.Status == StatusCanary && percent < 0 {
		f.note(n, "write rollout: { percent: 5 }", "a canary needs the share of entities that it acts on")
	}
	if kind == sundew.KindNone || n == nil {
		return r
	}
	r.kind, r.Kind = kind, kind.String()
	dialect, err := newDialect(kind, r.params, lists)
	if err != nil {
		f.note(n, "", "%v", err)
		return r
	}
	r.vars = dialect.vars
	r.when = f.condition(when, dialect)
	for _, u := range unless {
		if c := f.condition(u, dialect); c != nil {
			r.unless = append(r.unless, c)
		}
	}
	r.explain = f.template(explain, dialect, r.params)
	for _, t := range tests {
		f.readTest(t, r, dialect)
	}
	return r
}

// keepScalar keeps a number or a text of which more must be known before it is read.
func (f *file) keepScalar(dst **yaml.Node) reader {
	return func(n *yaml.Node) {
		f.form = scalarForm
		*dst = n
	}
}

func (f *file) readReferences(n *yaml.Node, r *rule) {
	var links []string
	f.object(n, "references",
		optional("owasp_api", f.threats("owasp_api", &r.OWASPAPI)),
		optional("owasp_oat", f.threats("owasp_oat", &r.OWASPOAT)),
		optional("runbook", func(n *yaml.Node) {
			var link string
			f.text(&link)(n)
			links = append(links, link)
		}),
		optional("links", f.texts("links", &links)),
	)
	r.References = slices.Concat(r.OWASPAPI, r.OWASPOAT, links)
}

// threats reads rows of the OWASP lists; a misspelled one would be missing from the coverage.
func (f *file) threats(what string, dst *[]string) reader {
	return f.sequence(what, func(n *yaml.Node) {
		var id string
		if f.word(&id, threatIDs()...)(n); id != "" {
			*dst = append(*dst, id)
		}
	})
}

// readParams reads the numbers and words that an analyst turns, each inside its own limits.
func (f *file) readParams(n *yaml.Node, r *rule) {
	f.pairs(n, "params", func(key, value *yaml.Node) {
		if key != nil && !identifier.MatchString(key.Value) {
			f.note(key, "use lower-case letters, digits and _", "params: name %q", key.Value)
			return
		}
		var kind, help string
		var at, low, high *yaml.Node
		f.object(value, "param",
			required("type", f.word(&kind, "int", "double", "string")),
			required("value", f.keepScalar(&at)),
			optional("min", f.keepScalar(&low)),
			optional("max", f.keepScalar(&high)),
			optional("help", f.text(&help)),
		)
		if kind == "" || at == nil {
			return
		}
		if f.proposal != nil {
			if text, proposed := f.proposal.Params[key.Value]; proposed {
				other := *at
				other.Value = text
				at = &other
			}
		}
		if v := f.paramValue(kind, at, low, high); v != nil {
			r.params["params."+key.Value] = v
			r.Params = append(r.Params, Param{key.Value, at.Value, help})
		}
	})
}

func (f *file) paramValue(kind string, at, low, high *yaml.Node) ref.Val {
	if kind == "string" {
		var text string
		f.text(&text)(at)
		return types.String(text)
	}
	v, err := strconv.ParseFloat(at.Value, 64)
	if err != nil || (kind == "int" && v != float64(int64(v))) {
		f.note(at, "", "want %s, have %s", map[string]string{"int": "a whole number", "double": "a number"}[kind], shape(at))
		return nil
	}
	for _, bound := range []struct {
		node *yaml.Node
		word string
		sign float64
	}{{low, "below the least", 1}, {high, "above the greatest", -1}} {
		if bound.node == nil {
			continue
		}
		limit, err := strconv.ParseFloat(bound.node.Value, 64)
		if err != nil {
			f.note(bound.node, "", "want a number, have %s", shape(bound.node))
			return nil
		}
		if (v-limit)*bound.sign < 0 {
			f.note(at, "", "%s is %s allowed, %s", at.Value, bound.word, bound.node.Value)
			return nil
		}
	}
	if kind == "int" {
		return types.Int(v)
	}
	return types.Double(v)
}

func (f *file) readAction(n *yaml.Node, r *rule) {
	f.object(n, "action",
		optional("max", f.action(&r.limit)),
		optional("ladder", func(n *yaml.Node) { r.ladder = f.readLadder(n) }),
		optional("guardrail", f.guardrail(&r.guardrail, StatusShadow)),
	)
}

// close makes closures of the rule's conditions where their shape allows it.
func (r *rule) close(s *scanner) {
	for _, c := range append([]*condition{r.when}, r.unless...) {
		closer := closer{c.ast, r.vars, r.params, s}
		c.fast = closer.test(c.ast.Expr())
		if c == r.when {
			r.guards = closer.guards(c.ast.Expr())
		}
	}
}

// exemptBy returns the text of the first exemption that holds.
func (r *rule) exemptBy(v *view) (text string, err error) {
	for _, u := range r.unless {
		holds, err := u.holds(v)
		if err != nil {
			return "", fmt.Errorf("unless %s: %w", u.text, err)
		}
		if holds {
			return u.text, nil
		}
	}
	return "", nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
