package dashboards

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on one value of a log in a page. JSON answers hold the whole value.
const (
	maxCell  = 96      // runes in a table cell; the rest unfolds
	maxShown = 4 << 10 // bytes that unfold at most
)

// part is a stretch of shown text: as it stands in the value, or the escape of characters that cannot be seen.
type part struct {
	Text    string
	Escaped bool
}

// shown is a value of a log made fit for a page.
type shown struct {
	Short  []part // what stands in the cell
	Title  string // the whole within maxShown; "" where Short is all of it
	Full   []part // the whole within maxShown; nil where Short is all of it
	Beyond int    // bytes beyond maxShown
}

// showText cuts a value to n runes and spells out what a reader could not see or would see in the wrong place.
func showText(value string, n int) shown {
	whole := clipBytes(value, maxShown)
	short := clip(whole, n)
	s := shown{Short: spell(short), Beyond: len(value) - len(whole)}
	if len(short) < len(value) {
		s.Full = spell(whole)
		s.Title = plain(s.Full)
	}
	return s
}

// spell splits text at the characters that need an escape: controls, format characters such as bidirectional overrides
// and zero-width ones, odd spaces, unassigned code points and bytes that are not UTF-8.
func spell(text string) []part {
	var parts []part
	start := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if visible(r, size) {
			i += size
			continue
		}
		if start < i {
			parts = append(parts, part{Text: text[start:i]})
		}
		parts = append(parts, part{Text: escape(text[i:i+size], r), Escaped: true})
		i += size
		start = i
	}
	if start < len(text) {
		parts = append(parts, part{Text: text[start:]})
	}
	return parts
}

func visible(r rune, size int) bool {
	if r == utf8.RuneError && size <= 1 {
		return false
	}
	return strconv.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func escape(raw string, r rune) string {
	if r == utf8.RuneError && len(raw) == 1 {
		return `\x` + strconv.FormatUint(uint64(raw[0])|0x100, 16)[1:]
	}
	return strings.Trim(strconv.QuoteRuneToASCII(r), "'")
}

// plain returns the value as one string with escapes, for attributes and for text of an SVG.
func plain(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// spelled is plain for a value that may be of any length.
func spelled(value string) string { return plain(spell(clipBytes(value, maxShown))) }

// clip cuts text to n runes.
func clip(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

// clipBytes cuts text to n bytes at a rune boundary.
func clipBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
