package rules

import (
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// A scanner tells in one pass over a text which of many patterns can match it at all: those of which at least one needed
// literal occurs. It is the filter of RE2's FilteredRE2 with the automaton of Aho and Corasick ("Efficient string
// matching", 1975) as its index. The automaton folds ASCII case, so what it finds is a superset; a text with bytes
// beyond ASCII, where folding has exceptions, passes for every pattern.
type scanner struct {
	patterns []*regexp.Regexp
	needs    [][]string // by pattern, lower case; nil where nothing is known to be needed

	classes [256]uint8 // of a byte; class 0 are the bytes that no literal holds
	width   int
	next    []int32    // state*width + class
	found   [][]uint64 // by state: the patterns whose literal ends there; nil for none
	always  []uint64   // patterns without a needed literal
	all     []uint64
}

// add takes a pattern in and returns its number; an equal pattern is taken in once.
func (s *scanner) add(re *regexp.Regexp) int {
	for i, known := range s.patterns {
		if known.String() == re.String() {
			return i
		}
	}
	s.patterns = append(s.patterns, re)
	s.needs = append(s.needs, neededLiterals(re.String()))
	return len(s.patterns) - 1
}

// words is how many words a set of patterns takes.
func (s *scanner) words() int { return (len(s.patterns) + 63) / 64 }

func setBit(bits []uint64, i int) { bits[i/64] |= 1 << (i % 64) }

// build makes the automaton. It is called once, after the last add.
func (s *scanner) build() {
	s.always, s.all = make([]uint64, s.words()), make([]uint64, s.words())
	for i, literals := range s.needs {
		setBit(s.all, i)
		if literals == nil {
			setBit(s.always, i)
		}
	}
	s.classify()
	s.grow()
	s.link()
}

func (s *scanner) classify() {
	s.width = 1
	for _, literals := range s.needs {
		for _, literal := range literals {
			for _, b := range []byte(literal) {
				if s.classes[b] == 0 {
					s.classes[b] = uint8(s.width)
					s.width++
				}
			}
		}
	}
	for b := byte('A'); b <= 'Z'; b++ {
		s.classes[b] = s.classes[lower(b)]
	}
}

// grow makes the tree of literals; 0 is the root and stands for "no edge" until link has run.
func (s *scanner) grow() {
	s.addState()
	for pattern, literals := range s.needs {
		for _, literal := range literals {
			state := int32(0)
			for _, b := range []byte(literal) {
				edge := int(state)*s.width + int(s.classes[b])
				if s.next[edge] == 0 {
					s.next[edge] = s.addState()
				}
				state = s.next[edge]
			}
			if s.found[state] == nil {
				s.found[state] = make([]uint64, s.words())
			}
			setBit(s.found[state], pattern)
		}
	}
}

func (s *scanner) addState() int32 {
	s.next = append(s.next, make([]int32, s.width)...)
	s.found = append(s.found, nil)
	return int32(len(s.found) - 1)
}

// link turns the tree into an automaton, breadth first: a missing edge leads where the longest proper suffix leads.
func (s *scanner) link() {
	suffix := make([]int32, len(s.found))
	var queue []int32
	for class := range s.width {
		if child := s.next[class]; child != 0 {
			queue = append(queue, child)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		s.found[state] = union(s.found[state], s.found[suffix[state]])
		for class := range s.width {
			edge, fallback := int(state)*s.width+class, s.next[int(suffix[state])*s.width+class]
			child := s.next[edge]
			if child == 0 {
				s.next[edge] = fallback
				continue
			}
			suffix[child] = fallback
			queue = append(queue, child)
		}
	}
}

func union(a, b []uint64) []uint64 {
	if b == nil {
		return a
	}
	sum := slices.Clone(b)
	for i := range a {
		sum[i] |= a[i]
	}
	return sum
}

// scan sets the bits of the patterns that may match the text.
func (s *scanner) scan(text string, bits []uint64) {
	copy(bits, s.always)
	state := int32(0)
	for i := range len(text) {
		b := text[i]
		if b >= utf8.RuneSelf {
			copy(bits, s.all)
			return
		}
		state = s.next[int(state)*s.width+int(s.classes[b])]
		if found := s.found[state]; found != nil {
			for w := range bits {
				bits[w] |= found[w]
			}
		}
	}
}

// Bounds on the literals of one pattern.
const (
	maxExact   = 128 // strings that a part may stand for before it counts as unknown
	maxLiteral = 8   // bytes: more would make the automaton larger, not the filter better
)

// neededLiterals returns strings of which every text that the pattern matches holds at least one, up to ASCII case, and
// nil where there is no such choice. Of several choices it takes the one that ordinary text holds least.
func neededLiterals(pattern string) []string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	choice := literalsOf(tree.Simplify())
	best := rarest(choice.need, choice.exact)
	slices.Sort(best)
	return slices.Compact(best)
}

// literals is what is known of a part of a pattern: exact is every string that it can match, need a set of which each of
// its matches holds one; nil means unknown.
type literals struct{ exact, need []string }

func literalsOf(re *syntax.Regexp) literals {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return literals{exact: []string{""}}
	case syntax.OpLiteral:
		return exactly(strings.ToLower(string(re.Rune)))
	case syntax.OpCharClass:
		return classLiterals(re.Rune)
	case syntax.OpCapture:
		return literalsOf(re.Sub[0])
	case syntax.OpPlus:
		inner := literalsOf(re.Sub[0])
		return literals{need: rarest(inner.need, inner.exact)}
	case syntax.OpQuest:
		if inner := literalsOf(re.Sub[0]); inner.exact != nil {
			return literals{exact: append([]string{""}, inner.exact...)}
		}
	case syntax.OpConcat:
		return concatLiterals(re.Sub)
	case syntax.OpAlternate:
		return alternateLiterals(re.Sub)
	}
	return literals{}
}

func exactly(text string) literals {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return literals{}
		}
	}
	return literals{exact: []string{text}}
}

// classLiterals spells out a small class of ASCII characters.
func classLiterals(ranges []rune) literals {
	var exact []string
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if r >= utf8.RuneSelf {
				// The folded forms of k and s are the only ones beyond ASCII; texts that hold them skip the filter.
				if r == '\u017f' || r == '\u212a' {
					continue
				}
				return literals{}
			}
			exact = append(exact, strings.ToLower(string(r)))
			if len(exact) > 16 {
				return literals{}
			}
		}
	}
	slices.Sort(exact)
	return literals{exact: slices.Compact(exact)}
}

// concatLiterals multiplies neighbours out as long as they stay few, and keeps the rarest of what it meets on the way.
func concatLiterals(parts []*syntax.Regexp) literals {
	run := []string{""}
	whole := true
	var best []string
	for _, part := range parts {
		p := literalsOf(part)
		if part.Op == syntax.OpPlus {
			// What comes before meets the first repetition, what comes after the last.
			if once := literalsOf(part.Sub[0]).exact; once != nil && len(run)*len(once) <= maxExact {
				best = rarest(best, product(run, once))
				run, whole = once, false
				continue
			}
		}
		if p.exact != nil && len(run)*len(p.exact) <= maxExact {
			run = product(run, p.exact)
			continue
		}
		best = rarest(best, run)
		best = rarest(best, p.need)
		whole = false
		run = []string{""}
		if p.exact != nil {
			run = p.exact
		}
	}
	if whole {
		return literals{exact: run}
	}
	return literals{need: rarest(best, run)}
}

func product(heads, tails []string) []string {
	all := make([]string, 0, len(heads)*len(tails))
	for _, head := range heads {
		for _, tail := range tails {
			all = append(all, head+tail)
		}
	}
	return all
}

func alternateLiterals(parts []*syntax.Regexp) literals {
	var sum literals
	sum.exact, sum.need = []string{}, []string{}
	for _, part := range parts {
		p := literalsOf(part)
		sum.exact = join(sum.exact, p.exact)
		sum.need = join(sum.need, rarest(p.need, p.exact))
	}
	if len(sum.exact) > maxExact {
		sum.exact = nil
	}
	return sum
}

// join is the union of two choices, unknown where one of them is.
func join(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	return append(a, b...)
}

// rarest returns the choice that ordinary text holds less often. The empty string is everywhere, so a choice with it is
// as good as none.
func rarest(a, b []string) []string {
	switch {
	case b == nil || slices.Contains(b, ""):
		if a != nil && slices.Contains(a, "") {
			return nil
		}
		return a
	case a == nil || slices.Contains(a, ""):
		return cut(b)
	case frequency(b) < frequency(a):
		return cut(b)
	}
	return a
}

func cut(all []string) []string {
	short := make([]string, len(all))
	for i, text := range all {
		short[i] = text[:min(len(text), maxLiteral)]
	}
	return short
}

// frequency estimates how often one of the strings begins at a place of an ordinary path or user agent. The figures are
// orders of magnitude: they choose between filters and have no say in what matches.
func frequency(all []string) float64 {
	sum := 0.0
	for _, text := range all {
		p := 1.0
		for i := range len(text) {
			switch c := text[i]; {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
				p /= 20
			case c == '/' || c == '.' || c == '-' || c == '_' || c == '=' || c == ' ':
				p /= 15
			default:
				p /= 2000
			}
		}
		sum += p
	}
	return math.Min(sum, 1)
}
