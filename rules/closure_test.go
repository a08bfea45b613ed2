package rules

import (
	"net/url"
	"regexp"
	"testing"

	"sundew"
)

// samples are requests that the pack's own tests name, as scores of a rule's kind.
func samples(set *Set) []sundew.Score {
	var all []sundew.Score
	for _, r := range set.rules {
		for _, test := range r.tests {
			s := testScore(r.kind)
			for _, v := range test.features {
				_ = v.variable.set(&s, v.text)
			}
			s.Evidence = test.evidence
			all = append(all, s)
		}
	}
	return all
}

// sameByBoth holds the closure of every condition of a kind against its CEL program.
func sameByBoth(t *testing.T, set *Set, s sundew.Score) {
	t.Helper()
	v := newView(set)
	v.look(&s)
	for _, r := range set.rules {
		if r.kind != s.Entity.Kind {
			continue
		}
		v.at(r)
		for _, c := range append([]*condition{r.when}, r.unless...) {
			if c.fast == nil {
				t.Errorf("%s: %s: no closure", r.ID, c.text)
				continue
			}
			want, err := c.interpret(v)
			if got := c.fast(v); err != nil || got != want {
				t.Errorf("%s: %s\non path %q query %q agent %q: closure %t, program %t, %v",
					r.ID, c.text, s.Event.Path, s.Event.Query, s.Event.UserAgent, got, want, err)
			}
		}
	}
}

func TestClosuresAgreeWithPrograms(t *testing.T) {
	set := starter(t)
	for _, s := range samples(set) {
		sameByBoth(t, set, s)
	}
}

const shapesText = `unless:
  - 'client.address in lists.friends'
  - 'client.as.number in lists.friends'
  - '!(http.request.method in ["GET", "HEAD"]) && http.response.status_code in [200, 204]'
  - 'url.path.startsWith("/v1") || url.path.endsWith(".txt") || decode(url.query).contains("x y")'
  - 'evidence["rate"] >= 2.5 && evidence["absent"] == 0.0'
  - 'ip.requests_1m * 2.0 - ip.requests_10m + 1.0 > params.limit'
  - 'url.path == params.word || user.id != device.id'
params:
  limit: { type: int, value: 3 }
  word: { type: string, value: /here }
`

// TestShapesAgree covers what the pack does not use.
func TestShapesAgree(t *testing.T) {
	set := setOf(t, map[string]string{"sample.yaml": minimalRule + shapesText, "friends.yaml": allowText})
	for _, change := range []func(*sundew.Score){
		func(*sundew.Score) {},
		func(s *sundew.Score) { s.Event.Path = "/here" },
		func(s *sundew.Score) { s.Event.Path = "/v1/x" },
		func(s *sundew.Score) { s.Event.Query = "q=X%20Y" },
		func(s *sundew.Score) { s.Event.ASN = 64500 },
		func(s *sundew.Score) { s.Event.Client = testScore(sundew.KindIP).Event.Client.Next() },
		func(s *sundew.Score) { s.Event.Method, s.Event.Status = "POST", 204 },
		func(s *sundew.Score) { s.Evidence = []sundew.Evidence{{Channel: "rate", Nats: 3}} },
		func(s *sundew.Score) { s.Features[sundew.Requests1m] = 10 },
		func(s *sundew.Score) { s.Event.Account = "alice" },
	} {
		s := request(0, "/")
		change(&s)
		sameByBoth(t, set, s)
	}
}

func FuzzClosures(f *testing.F) {
	set := starter(f)
	for _, s := range samples(set) {
		f.Add(s.Event.Path, s.Event.Query, s.Event.UserAgent, s.Event.Referer, s.Event.Status)
	}
	f.Fuzz(func(t *testing.T, path, query, agent, referer string, status int) {
		s := request(0, path)
		s.Event.Query, s.Event.UserAgent, s.Event.Referer, s.Event.Status = query, agent, referer, status
		s.Features[sundew.ClientErrors10m], s.Features[sundew.ClientErrorRatio10m] = 5, 0.9
		sameByBoth(t, set, s)
	})
}

// TestScannerMissesNothing holds the filter against the patterns it stands for, one by one.
func TestScannerMissesNothing(t *testing.T) {
	patterns := []string{
		`abc`, `(?i)AbC`, `a+b`, `(ab)+c`, `a*b?`, `^x|y$`, `[abc]d`, `[a-z]+7`, `(?:one|two){2,3}`, `\bword\b`, `(?i)k[s]`,
		`.`, ``, `é`, `(?i)straße`, `a(b|)c`, `(a|b|cc)(d|e)+f`, `\x00`, `["']\s*(or|and)\s+\d`,
	}
	texts := []string{
		"", "abc", "xABCx", "aab", "ababc", "b", "x", "zy", "cd", "q7", "onetwo", "twotwotwo", "a word.", "ks", "KS", "\u212as", "k\u017f",
		"é", "STRASSE", "straße", "ac", "abc", "ccdef", "ade", "\x00", "' or 1", "\"  AND 2", "nothing",
	}
	var s scanner
	for _, p := range patterns {
		s.add(regexp.MustCompile(p))
	}
	s.build()
	bits := make([]uint64, s.words())
	for _, text := range texts {
		s.scan(text, bits)
		for i, re := range s.patterns {
			if may := bits[i/64]&(1<<(i%64)) != 0; re.MatchString(text) && !may {
				t.Errorf("%q matches %q, but needs one of %q", re, text, s.needs[i])
			}
		}
	}
}

// TestScannerFilters: a filter that passes everything would be right and useless.
func TestScannerFilters(t *testing.T) {
	var s scanner
	for _, p := range []string{`\bunion\s+select\b`, `['"]\s*or\b`, `(cat|ls)\s`} {
		s.add(regexp.MustCompile(p))
	}
	s.build()
	bits := make([]uint64, s.words())
	if s.scan("/v1/accounts/8412/orders?page=2&sort=created", bits); bits[0] != 0 {
		t.Errorf("an ordinary text passes for patterns %b, needs %q", bits[0], s.needs)
	}
}

func FuzzScanner(f *testing.F) {
	f.Add("(ab|c)+d", "xxabd")
	f.Add("(?i)sk", "\u017f\u212a")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := regexp.Compile(pattern)
		if err != nil || len(pattern) > 200 {
			return
		}
		var s scanner
		s.add(re)
		s.build()
		bits := make([]uint64, 1)
		if s.scan(text, bits); re.MatchString(text) && bits[0] == 0 {
			t.Errorf("%q matches %q, but needs one of %q", pattern, text, s.needs[0])
		}
	})
}

func TestDecodeText(t *testing.T) {
	for text, want := range map[string]string{
		"/plain/path":              "/plain/path",
		"/Upper":                   "/upper",
		"%2e%2E%2f":                "../",
		"%252e%25252e":             "..",
		"%2525252e":                "%2e",
		"a+b%20c":                  "a b c",
		"%c0%ae%c0%ae%c0%af":       "../",
		"%u002e%u002F":             "./",
		`\x22\x3Cscript\x3E`:       `"<script>`,
		"a%00b":                    "ab",
		"100%":                     "100%",
		"%zz%4":                    "%zz%4",
		"caf%C3%A9":                "café",
		"":                         "",
		`\x`:                       `\x`,
		"%c0":                      "\xc0",
		"%C1%9C%c0%80":             "\xc1\x9c",
		"q=%2527%2520or%25201%3d1": "q=' or 1=1",
	} {
		if got := decodeText(text); got != want {
			t.Errorf("%q decodes to %q, want %q", text, got, want)
		}
	}
}

// FuzzDecodeText holds the decoder against the standard library where they speak of the same thing.
func FuzzDecodeText(f *testing.F) {
	f.Add("a%20b")
	f.Fuzz(func(t *testing.T, text string) {
		got := decodeText(text)
		if len(got) > len(text) {
			t.Errorf("%q grew to %q", text, got)
		}
		escaped := url.PathEscape(got)
		if want := decodeText(got); decodeText(escaped) != want && !regexp.MustCompile(`%|\+|\\|\x{FFFD}|\x00`).MatchString(got) {
			t.Errorf("%q escapes to %q, which decodes to %q", got, escaped, decodeText(escaped))
		}
	})
}

func TestDecodingOrdinaryTextIsFree(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { decodeText("/v1/accounts/8412/orders") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
