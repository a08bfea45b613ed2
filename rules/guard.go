package rules

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"sundew"
)

// A guard is a clause that must hold for a condition to hold: a count of the entity is at least so much. A condition with
// several guards needs one of them.
type guard struct {
	feature sundew.Feature
	limit   float64
}

// guards returns what the condition cannot do without, none where it may hold whatever the counts are.
func (c *closer) guards(e ast.Expr) []guard {
	if e.Kind() != ast.CallKind {
		return nil
	}
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalAnd:
		if left := c.guards(args[0]); left != nil {
			return left
		}
		return c.guards(args[1])
	case operators.LogicalOr:
		left, right := c.guards(args[0]), c.guards(args[1])
		if left == nil || right == nil {
			return nil
		}
		return append(left, right...)
	case operators.Greater, operators.GreaterEquals:
		if args[0].Kind() != ast.IdentKind {
			return nil
		}
		variable := c.vars[args[0].AsIdent()]
		limit, known := c.constant(args[1])
		if variable == nil || !variable.counts || !known {
			return nil
		}
		return []guard{{variable.feature, limit}}
	}
	return nil
}

// lineup is the rules that run for a kind of entity. An ordinary request is below the limits of nearly all of them, and
// is not held against the conditions of those that it is below.
type lineup struct {
	rules  []*rule  // by id
	always []uint64 // a bit for each of the rules without guards
	gates  []gate   // by feature
}

// A gate lets the rules through whose limits a feature reaches. A rule may stand behind several.
type gate struct {
	feature sundew.Feature
	limits  []float64 // rising
	rules   []int     // at the same places
}

func (l *lineup) add(r *rule) {
	r.place = len(l.rules)
	l.rules = append(l.rules, r)
}

// arrange builds the gates.
func (l *lineup) arrange() {
	l.always, l.gates = make([]uint64, (len(l.rules)+63)/64), nil
	behind := map[sundew.Feature][]int{}
	limits := map[sundew.Feature][]float64{}
	for place, r := range l.rules {
		if len(r.guards) == 0 {
			l.always[place/64] |= 1 << (place % 64)
		}
		for _, g := range r.guards {
			at, _ := slices.BinarySearch(limits[g.feature], g.limit)
			limits[g.feature] = slices.Insert(limits[g.feature], at, g.limit)
			behind[g.feature] = slices.Insert(behind[g.feature], at, place)
		}
	}
	for f := range sundew.Feature(sundew.NumFeatures) {
		if len(behind[f]) > 0 {
			l.gates = append(l.gates, gate{f, limits[f], behind[f]})
		}
	}
}

// candidates are the rules that the score may match, as bits by their places.
func (l *lineup) candidates(dst []uint64, s *sundew.Score) []uint64 {
	dst = append(dst[:0], l.always...)
	for i := range l.gates {
		g := &l.gates[i]
		value := s.Features[g.feature]
		for at, limit := range g.limits {
			if !(limit <= value) {
				break
			}
			dst[g.rules[at]/64] |= 1 << (g.rules[at] % 64)
		}
	}
	return dst
}
