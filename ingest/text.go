package ingest

import (
	"bytes"
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"sundew"
)

// Trims counts what bounds took away from events that were kept.
type Trims struct {
	Cut     int64 // texts shortened to their bound at a rune boundary
	Dropped int64 // attributes beyond sundew.MaxAttributes
}

// trimmed is implemented by decoders that count what they trim, which all decoders of this package do.
type trimmed interface{ trims() Trims }

const (
	internSlots   = 4096
	internMaximum = 256 // bytes; longer texts seldom repeat and would make the table large
)

// shelf is how many bytes the values that seldom repeat share: one allocation holds those of some dozens of lines, and
// whoever holds on to one of them holds on to no more than that.
const shelf = 4 << 10

// texts makes strings of events out of bytes of lines. Values that repeat come from a direct-mapped table: a collision
// replaces, which bounds the table at 1 MiB whatever clients send. The others are copied side by side. No string shares
// memory with a line. One goroutine uses it.
type texts struct {
	seed    maphash.Seed
	slots   []string
	shelf   strings.Builder
	valid   []byte
	ascii   bool // the value in hand is known to be ASCII, and so are its parts
	counted Trims
}

func newTexts() texts {
	return texts{seed: maphash.MakeSeed(), slots: make([]string, internSlots)}
}

func (t *texts) trims() Trims { return t.counted }

// repeated returns b as valid UTF-8 of at most limit bytes; it suits values that other lines carry too. limit is not
// below internMaximum.
func (t *texts) repeated(b []byte, limit int) string {
	if len(b) == 0 || len(b) > internMaximum {
		return string(t.bounded(b, limit))
	}
	slot := &t.slots[maphash.Bytes(t.seed, b)%internSlots]
	if *slot == string(b) {
		return *slot
	}
	text := string(t.bounded(b, limit))
	if text == string(b) {
		*slot = text
	}
	return text
}

// once is repeated for values that many others stand between, such as identifiers.
func (t *texts) once(b []byte, limit int) string {
	b = t.bounded(b, limit)
	if len(b) == 0 || len(b) > internMaximum {
		return string(b)
	}
	if t.shelf.Cap()-t.shelf.Len() < len(b) {
		t.shelf.Reset()
		t.shelf.Grow(shelf)
	}
	start := t.shelf.Len()
	t.shelf.Write(b)
	return t.shelf.String()[start:]
}

// bounded returns b, or what is left of it as valid UTF-8 of at most limit bytes. The result holds until the next call.
func (t *texts) bounded(b []byte, limit int) []byte {
	if len(b) <= limit && (t.ascii || utf8.Valid(b)) {
		return b
	}
	t.valid = t.valid[:0]
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if len(t.valid)+utf8.RuneLen(r) > limit {
			t.counted.Cut++
			break
		}
		t.valid = utf8.AppendRune(t.valid, r)
		b = b[size:]
	}
	return t.valid
}

// method returns a method in upper case.
func (t *texts) method(b []byte) string {
	switch string(b) { // the usual ones need no search
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "HEAD":
		return "HEAD"
	}
	return t.upper(b, sundew.MaxID)
}

// upper returns a method or a country in upper case. Only a to z change: other letters may change their length.
func (t *texts) upper(b []byte, limit int) string {
	return t.repeated(otherCase(b, 'a'), limit)
}

// lower returns a host name in lower case, A to Z likewise.
func (t *texts) lower(b []byte, limit int) string {
	return t.repeated(otherCase(b, 'A'), limit)
}

// otherCase turns the 26 letters from first on, 'a' or 'A', into their other case. It returns b itself where it has none
// of them, and a copy otherwise.
func otherCase(b []byte, first byte) []byte {
	for i, c := range b {
		if c-first < 26 {
			b = bytes.Clone(b)
			for j := i; j < len(b); j++ {
				if b[j]-first < 26 {
					b[j] ^= 'a' - 'A'
				}
			}
			return b
		}
	}
	return b
}

// unescape appends b to dst with the escapes of access logs resolved: \xHH of nginx and Apache, and Apache's \" \\ \n \r
// \t \b \v. A backslash in front of anything else stands for itself.
func unescape(dst, b []byte) []byte {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 == len(b) {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		b = b[i:]
		if b[1] == 'x' && len(b) >= 4 {
			if high, low := hexValue(b[2]), hexValue(b[3]); high >= 0 && low >= 0 {
				dst = append(dst, byte(high<<4|low))
				b = b[4:]
				continue
			}
		}
		if i := bytes.IndexByte([]byte(`"\nrtbv`), b[1]); i >= 0 {
			dst = append(dst, "\"\\\n\r\t\b\v"[i])
			b = b[2:]
			continue
		}
		dst = append(dst, '\\')
		b = b[1:]
	}
	return dst
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
