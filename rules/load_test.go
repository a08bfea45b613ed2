package rules

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

const minimalRule = `apiVersion: sundew/v1
kind: Rule
id: sample
title: Sample
owner: team
severity: low
status: active
description: for tests
entity: ip
when: ip.requests_1m > 10.0
score: { add: 40 }
`

// TestProblemsNameThePlace is the contract with an author: where, what, and what to do.
func TestProblemsNameThePlace(t *testing.T) {
	replace := func(old, replacement string) string { return strings.Replace(minimalRule, old, replacement, 1) }
	tests := map[string]struct{ file, text, want string }{
		"unknown key": {
			"sample.yaml", replace("severity:", "severty:"),
			`sample.yaml:1:1: rule: key "severity" is missing
sample.yaml:6:1: rule: unknown key "severty": did you mean "severity"?`,
		},
		"double key": {
			"sample.yaml", minimalRule + "title: Again\n",
			`sample.yaml:12:1: rule: key "title" stands on line 4 already`,
		},
		"word outside the vocabulary": {
			"sample.yaml", replace("status: active", "status: activ"),
			`sample.yaml:7:9: want one of draft, shadow, canary, active, disabled, have "activ": did you mean "active"?`,
		},
		"number as text": {
			"sample.yaml", replace("add: 40", `add: "40"`),
			`sample.yaml:11:15: want a number, have "40"`,
		},
		"number outside its range": {
			"sample.yaml", replace("add: 40", "add: 400"),
			"sample.yaml:11:15: 400 is outside 0 to 100\n",
		},
		"duration without a unit": {
			"sample.yaml", replace("add: 40", "add: 40, half_life: 30"),
			`sample.yaml:11:30: want a duration, have "30": write it with its unit, such as 30s, 10m or 7d`,
		},
		"unknown entity kind": {
			"sample.yaml", replace("entity: ip", "entity: address"),
			`sample.yaml:9:9: unknown entity kind "address": want one of ip, prefix, device, account, api_key, fingerprint, asn`,
		},
		"id differs from the file": {
			"other.yaml", minimalRule,
			`other.yaml:3:5: id "sample" differs from the file's name: rename the file to sample.yaml or the id to other`,
		},
		"misspelled feature": {
			"sample.yaml", replace("ip.requests_1m >", "ip.request_1m >"),
			"sample.yaml:10:9: undeclared reference to 'ip.request_1m' (did you mean 'ip.requests_1m'?)",
		},
		"feature of another kind": {
			"sample.yaml", replace("ip.requests_1m", "account.requests_1m"),
			"sample.yaml:10:7: undeclared reference to 'account': account.requests_1m is a feature of another kind of entity than the rule's",
		},
		"place in a block of several lines": {
			"sample.yaml", replace("ip.requests_1m > 10.0", "|\n  ip.requests_1m > 10.0\n    && ip.requests_9m > 1.0"),
			"sample.yaml:12:10: undeclared reference to 'ip.requests_9m'",
		},
		"whole number in arithmetic": {
			"sample.yaml", replace("> 10.0", "+ 5 > 10.0"),
			"sample.yaml:10:22: found no matching overload for '_+_' applied to '(double, int)': features are decimal numbers: write 5.0, not 5, in arithmetic",
		},
		"and for &&": {
			"sample.yaml", replace("> 10.0", "> 10.0 and ip.requests_1h > 5.0"),
			"write &&, || and !",
		},
		"condition that is a number": {
			"sample.yaml", replace(" > 10.0", ""),
			"sample.yaml:10:7: a condition is true or false, this one is double: compare with something",
		},
		"condition that is always the same": {
			"sample.yaml", replace("ip.requests_1m > 10.0", "1.0 < 2.0"),
			"sample.yaml:10:7: the condition asks for nothing, so it is always the same",
		},
		"broken pattern": {
			"sample.yaml", replace("ip.requests_1m > 10.0", `'url.path.matches("(a")'`),
			"matches: error parsing regexp: missing closing ): `(a`",
		},
		"pattern from the request": {
			"sample.yaml", replace("ip.requests_1m > 10.0", "url.path.matches(url.query)"),
			"sample.yaml:10:23: matches: the pattern must be written out",
		},
		"cost without a bound": {
			"sample.yaml", replace("ip.requests_1m > 10.0", `'evidence.exists(a, evidence.exists(b, (url.path + url.query + a + b).matches("a.*b.*c.*d.*e.*f.*g.*h")))'`),
			"split the rule, shorten its patterns or drop the nested loops",
		},
		"walk through a list": {
			"sample.yaml", replace("ip.requests_1m > 10.0", "lists.friends.exists(x, x == url.path)"),
			"sample.yaml:10:7: a condition cannot walk through a list: ask with in",
		},
		"explanation with an unknown name": {
			"sample.yaml", minimalRule + "explain: \"{{ip.request_1m}} requests\"\n",
			`sample.yaml:12:10: explain: unknown name "ip.request_1m": did you mean "ip.requests_1m"?`,
		},
		"parameter outside its limits": {
			"sample.yaml", minimalRule + "params:\n  limit: { type: int, value: 5, min: 10 }\n",
			"sample.yaml:13:30: 5 is below the least allowed, 10",
		},
		"test about an unknown name": {
			"sample.yaml", minimalRule + "tests:\n  - name: x\n    features: { url.pat: / }\n    expect: { match: true }\n",
			`sample.yaml:14:17: features: unknown name "url.pat": did you mean "url.path"?`,
		},
		"no kind":         {"sample.yaml", "a: b\n", "sample.yaml:1:1: the file has no kind"},
		"unknown kind":    {"sample.yaml", "kind: Rules\n", `sample.yaml:1:1: unknown kind "Rules": did you mean "Rule"?`},
		"empty":           {"sample.yaml", "", "sample.yaml:1:1: the file is empty"},
		"two documents":   {"sample.yaml", minimalRule + "---\n" + minimalRule, "second document in the file: put it into a file of its own"},
		"anchor":          {"sample.yaml", "kind: &a Rule\nid: *a\n", "anchors and aliases are not read here"},
		"not YAML at all": {"sample.yaml", "a: b: c\n", "sample.yaml:1:1: mapping values are not allowed in this context"},
		"rungs out of order": {
			"p.yaml", "apiVersion: sundew/v1\nkind: Policy\nid: p\nentity: ip\nladder:\n  - { at: 50, do: block, ttl: 1h }\n  - { at: 60, do: observe, ttl: 1h }\n",
			"p.yaml:6:3: ladder: rungs must rise in points and in hardness",
		},
		"tarpit without a delay": {
			"p.yaml", "apiVersion: sundew/v1\nkind: Policy\nid: p\nentity: ip\nladder:\n  - { at: 50, do: tarpit, ttl: 1h }\n",
			"p.yaml:6:5: rung: a tarpit has a delay and nothing else has one",
		},
		"list entry without an end": {
			"l.yaml", "apiVersion: sundew/v1\nkind: List\nid: l\nowner: o\npurpose: allow\nentries:\n  - { entity: 'ip:192.0.2.1', reason: test }\n",
			`l.yaml:7:5: entry: key "expires" is missing`,
		},
		"list entry that is no entity": {
			"l.yaml", "apiVersion: sundew/v1\nkind: List\nid: l\nowner: o\npurpose: allow\nentries:\n  - { entity: 'ip:192.0.2', reason: test, expires: 2030-01-01 }\n",
			"write kind:key, such as ip:192.0.2.1 or prefix:198.51.100.0/24",
		},
		"cap by a list that does not exist": {
			"p.yaml", "apiVersion: sundew/v1\nkind: Policy\nid: p\nentity: ip\nladder:\n  - { at: 50, do: block, ttl: 1h }\nnever_above: { lists.friend: observe }\n",
			`p.yaml:7:16: never_above: no list "lists.friend": did you mean "friends"?`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{
				test.file:      {Data: []byte(test.text)},
				"friends.yaml": {Data: []byte("apiVersion: sundew/v1\nkind: List\nid: friends\nowner: o\npurpose: tag\nentries: []\n")},
			}
			set, err := Load(fsys, "")
			var problems Problems
			if set != nil || !errors.As(err, &problems) {
				t.Fatalf("loaded, or an error of another type: %v", err)
			}
			if !strings.Contains(err.Error()+"\n", test.want) {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
		})
	}
}

func TestMessagesOpenWithTheRoot(t *testing.T) {
	problems := Lint(fstest.MapFS{"a/b.yaml": {Data: []byte("kind: Rule\n")}}, "etc/rules")
	if len(problems) == 0 || problems[0].Path != "etc/rules/a/b.yaml" {
		t.Errorf("got %v", problems)
	}
}

func TestOnePolicyPerKind(t *testing.T) {
	policy := func(id, entity string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: sundew/v1\nkind: Policy\nid: " + id + "\nentity: " + entity + "\nladder:\n  - { at: 50, do: block, ttl: 1h }\n")}
	}
	for _, test := range []struct{ a, b, want string }{
		{"ip", "ip", "b.yaml:1:1: Policy for ip stands in a.yaml already: keep one of them"},
		{"prefix", "prefix\nlength: 64", ""},
		{"prefix\nlength: 64", "prefix\nlength: 64", "b.yaml:1:1: Policy for prefix 64 stands in a.yaml already: keep one of them"},
		{"prefix\nlength: 129", "ip", "a.yaml:5:9: 129 is outside 1 to 128"},
		{"ip\nlength: 32", "prefix", "a.yaml:5:9: length: only networks have one: leave it out, or write entity: prefix before it"},
	} {
		_, err := Load(fstest.MapFS{"a.yaml": policy("a", test.a), "b.yaml": policy("b", test.b)}, "")
		if (err == nil) != (test.want == "") || (err != nil && err.Error() != test.want) {
			t.Errorf("%q, %q: got %v, want %s", test.a, test.b, err, test.want)
		}
	}
}

// TestVersionFollowsContent: the version of a decision must tell which text of the rule it was.
func TestVersionFollowsContent(t *testing.T) {
	first := setOf(t, map[string]string{"sample.yaml": minimalRule}).Rules()[0].Version
	again := setOf(t, map[string]string{"deeper/sample.yaml": minimalRule}).Rules()[0].Version
	other := setOf(t, map[string]string{"sample.yaml": minimalRule + "# a note\n"}).Rules()[0].Version
	if first != again || first == other || len(first) != 8 {
		t.Errorf("versions %s, %s, %s", first, again, other)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("sample.yaml", minimalRule)
	f.Add("p.yaml", policyText)
	f.Add("l.yaml", "apiVersion: sundew/v1\nkind: List\nid: l\nowner: o\npurpose: allow\nentries:\n  - { entity: 'asn:64500', reason: test, expires: 2030-01-01 }\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		if len(name) > 100 || !strings.HasSuffix(name, ".yaml") || !fs.ValidPath(name) {
			return // no file system has such a file, and fstest.MapFS does not survive one
		}
		set, err := Load(fstest.MapFS{name: {Data: []byte(text)}}, "")
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("an error that names no place: %v", err)
			}
			return
		}
		set.Test()
		engine := NewEngine(set, Config{MaxEntities: 10})
		for _, d := range engine.Decide([]sundewScore{scored(0, 95), request(0, "/etc/passwd")}) {
			if err := d.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestLintAdvises: what loads is not yet fit to act.
func TestLintAdvises(t *testing.T) {
	lint := func(rule string) string {
		return Problems(Lint(fstest.MapFS{"sample.yaml": {Data: []byte(rule)}, "p.yaml": {Data: []byte(policyText)}}, "")).Error()
	}
	tested := minimalRule + "false_positives: [nobody]\ntests:\n" +
		"  - { name: many, features: { ip.requests_1m: 11 }, expect: { match: true, score: 40 } }\n" +
		"  - { name: few, features: { ip.requests_1m: 10 }, expect: { match: false } }\n"
	for name, test := range map[string]struct{ rule, want string }{
		"nothing to say": {tested, ""},
		"no tests": {
			minimalRule + "false_positives: [nobody]\n",
			"sample.yaml:1:1: an active rule needs a test that matches and a look-alike that does not: add what is missing under tests",
		},
		"no false positives": {
			strings.Replace(tested, "false_positives: [nobody]\n", "", 1),
			"sample.yaml:1:1: an active rule names no false positives: say who might match without being an abuser",
		},
		"a draft may be unfinished": {strings.Replace(minimalRule, "status: active", "status: draft", 1), ""},
		"a test that fails":         {strings.Replace(tested, "ip.requests_1m: 11", "ip.requests_1m: 9", 1), `sample.yaml:14:5: test "many": match is false`},
		"a test about points": {
			strings.Replace(tested, "score: 40 }", "score: 41 }", 1),
			`sample.yaml:14:5: test "many": score is 40`,
		},
		"no policy": {
			strings.ReplaceAll(strings.Replace(tested, "entity: ip", "entity: device", 1), "ip.requests_1m", "device.requests_1m"),
			"sample.yaml:1:1: there is no policy for entities of kind device: without one the rule is never run",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lint(test.rule); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
