package edge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clipped cuts s to at most limit bytes of valid UTF-8, at a rune boundary.
func clipped(s string, limit int) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// identifier is what a header says of who asks: without control characters and white space around it, bounded.
func identifier(s string, limit int) string {
	s = clipped(s, limit)
	if strings.ContainsFunc(s, unicode.IsControl) {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, s)
	}
	return strings.TrimSpace(s)
}
