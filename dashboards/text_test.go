package dashboards

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSpelled(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"plain text", `GET /orders/{id}?q=1 "x" 'y' \n`, `GET /orders/{id}?q=1 "x" 'y' \n`},
		{"other scripts stay", "Grüße, 你好, שלום, 👍", "Grüße, 你好, שלום, 👍"},
		{"controls", "a\x00b\tc\x7f\x1b[31m", `a\x00b\tc\x7f\x1b[31m`},
		{"right-to-left override", "exe\u202ecod", `exe\u202ecod`},
		{"zero width", "pay\u200bpal\ufeff", `pay\u200bpal\ufeff`},
		{"blank letters", "\u3164\u115f", `\u3164\u115f`},
		{"variation selectors and tags", "a\ufe0f\U000e0041", `a\ufe0f\U000e0041`},
		{"odd spaces", "a\u00a0b\u3000", `a\u00a0b\u3000`},
		{"line separators", "a\u2028b", `a\u2028b`},
		{"bytes that are not UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"the replacement character itself", "\ufffd", "\ufffd"},
	} {
		if got := spelled(tc.value); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestShowText(t *testing.T) {
	if s := showText("short", 5); s.Full != nil || s.Title != "" || plain(s.Short) != "short" {
		t.Errorf("a value that fits: %+v", s)
	}
	long := strings.Repeat("ü", 5000)
	s := showText(long, 10)
	if plain(s.Short) != strings.Repeat("ü", 10) || len(s.Title) != maxShown || s.Beyond != 10000-maxShown {
		t.Errorf("a value that does not: short %q, title of %d bytes, %d beyond", plain(s.Short), len(s.Title), s.Beyond)
	}
}

// FuzzShowText checks that nothing invisible gets through and that visible text gets through unchanged.
func FuzzShowText(f *testing.F) {
	for _, text := range hostileStrings {
		f.Add(text, 20)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		s := showText(text, n&0xff)
		for _, got := range []string{plain(s.Short), plain(s.Full), s.Title} {
			if !utf8.ValidString(got) {
				t.Errorf("%q is not UTF-8", got)
			}
			for _, r := range got {
				if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
					t.Errorf("%q holds %U", got, r)
				}
			}
		}
		var visible, kept strings.Builder
		for _, p := range s.Short {
			if !p.Escaped {
				kept.WriteString(p.Text)
			}
		}
		for _, r := range clip(clipBytes(text, maxShown), n&0xff) {
			if r != utf8.RuneError && unicode.IsGraphic(r) && (r == ' ' || !unicode.IsSpace(r)) {
				visible.WriteRune(r)
			}
		}
		if utf8.ValidString(text) && !strings.ContainsFunc(text, odd) && kept.String() != visible.String() {
			t.Errorf("%q became %q", visible.String(), kept.String())
		}
	})
}

func odd(r rune) bool {
	return r == utf8.RuneError || (unicode.IsSpace(r) && r != ' ') || unicode.In(r, unicode.Zs, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) && r != ' '
}
