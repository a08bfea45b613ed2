package rules

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// A ruleTest is one case of a rule's own tests: a score, the lists in force, and what must follow.
type ruleTest struct {
	name     string
	line     int
	column   int
	features []testValue
	evidence []sundew.Evidence
	lists    map[string]*list
	expect   expectation
}

type testValue struct {
	variable *variable
	text     string
}

type expectation struct {
	match    *bool
	score    float64 // points after the match; below 0 not asked for
	exemptBy string
}

// TestResult is the outcome of one case.
type TestResult struct {
	Rule   string `json:"rule"`
	Name   string `json:"name"`
	Path   string `json:"path"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail,omitempty"` // what came instead
}

func (f *file) readTest(n *yaml.Node, r *rule, d *dialect) {
	t := ruleTest{lists: map[string]*list{}, expect: expectation{score: -1}}
	f.object(n, "test",
		required("name", f.text(&t.name)),
		required("features", func(n *yaml.Node) { f.readTestValues(n, &t, d) }),
		optional("lists", func(n *yaml.Node) { f.readTestLists(n, &t) }),
		required("expect", func(n *yaml.Node) {
			f.object(n, "expect",
				required("match", f.truth(&t.expect.match)),
				optional("score", f.number(&t.expect.score, 0, 100)),
				optional("exempt_by", f.text(&t.expect.exemptBy)),
			)
		}),
	)
	if n == nil {
		return
	}
	t.line, t.column = n.Line, n.Column
	t.expect.exemptBy = strings.TrimSpace(t.expect.exemptBy)
	r.tests = append(r.tests, t)
}

// readTestValues reads variables by name; evidence.rate stands for the nats of channel rate.
func (f *file) readTestValues(n *yaml.Node, t *ruleTest, d *dialect) {
	scratch := testScore(sundew.KindIP)
	f.pairs(n, "features", func(key, value *yaml.Node) {
		if key == nil {
			f.form = scalarForm
			return
		}
		if channel, isEvidence := strings.CutPrefix(key.Value, "evidence."); isEvidence {
			var nats float64
			f.number(&nats, -math.MaxFloat64, math.MaxFloat64)(value)
			t.evidence = append(t.evidence, sundew.Evidence{Channel: channel, Nats: nats})
			return
		}
		v, known := d.vars[key.Value]
		if !known {
			f.note(key, nearest(key.Value, sortedKeys(d.vars)), "features: unknown name %q", key.Value)
			return
		}
		var text string
		f.text(&text)(value)
		if err := v.set(&scratch, text); err != nil {
			f.note(value, "", "features: %s: %v", key.Value, err)
			return
		}
		t.features = append(t.features, testValue{v, text})
	})
}

func (f *file) readTestLists(n *yaml.Node, t *ruleTest) {
	f.pairs(n, "lists", func(key, value *yaml.Node) {
		l := &list{}
		f.sequence("lists", func(n *yaml.Node) {
			if n == nil {
				f.form = textForm
				return
			}
			entity, err := sundew.ParseEntity(n.Value)
			if err != nil {
				f.note(n, "", "%v", err)
				return
			}
			network, _ := networkOf(entity)
			l.entries = append(l.entries, listEntry{entity, testTime.Add(day), network})
		})(value)
		if key == nil {
			return
		}
		l.ID = key.Value
		l.index()
		t.lists[l.ID] = l
	})
}

// testTime is when the tests of rules play.
var testTime = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// testScore is the score of somebody of whom nothing is known.
func testScore(kind sundew.Kind) sundew.Score {
	event := sundew.NewEvent()
	event.Time = testTime
	event.Client = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	return sundew.Score{Time: testTime, Entity: sundew.Entity{Kind: kind, Key: "test"}, Event: &event}
}

// Test runs the tests that the rules bring, drafts and disabled ones included, ordered by rule and then as written. A
// test sees the lists that it brings and no other.
func (s *Set) Test() []TestResult {
	var results []TestResult
	for _, r := range s.rules {
		for i := range r.tests {
			results = append(results, s.runTest(r, &r.tests[i]))
		}
	}
	return results
}

func (s *Set) runTest(r *rule, t *ruleTest) TestResult {
	score := testScore(r.kind)
	for _, v := range t.features {
		_ = v.variable.set(&score, v.text) // the same text was set without an error when the file was read
	}
	score.Evidence = t.evidence
	match, exemption, err := s.tryRule(r, &score, t.lists)
	detail := t.expect.differs(match, exemption, r.points.add)
	if err != nil {
		detail = err.Error()
	}
	return TestResult{Rule: r.name, Name: t.name, Path: r.path, Line: t.line, Column: t.column, Passed: detail == "", Detail: detail}
}

// tryRule evaluates one rule on one score with the given lists in the place of the set's.
func (s *Set) tryRule(r *rule, score *sundew.Score, lists map[string]*list) (match bool, exemption string, err error) {
	v := newView(s)
	for name, bound := range v.lists {
		bound.list = lists[strings.TrimPrefix(name, "lists.")]
		if bound.list == nil {
			bound.list = &list{}
		}
	}
	v.look(score)
	v.at(r)
	if !r.scope.includes(score.Event) {
		return false, "", nil
	}
	match, err = r.when.holds(v)
	if err != nil || !match {
		return false, "", err
	}
	exemption, err = r.exemptBy(v)
	return exemption == "" && err == nil, exemption, err
}

// differs returns what is not as expected, "" where everything is.
func (x *expectation) differs(match bool, exemption string, points float64) string {
	switch {
	case x.match != nil && *x.match != match && exemption != "":
		return fmt.Sprintf("exempt by %s", exemption)
	case x.match != nil && *x.match != match:
		return fmt.Sprintf("match is %t", match)
	case x.exemptBy != exemption && (x.exemptBy != "" || exemption != ""):
		return fmt.Sprintf("exempt by %q, not by %q", exemption, x.exemptBy)
	case x.score >= 0 && match && x.score != points:
		return fmt.Sprintf("score is %s", shortNumber(points))
	}
	return ""
}
