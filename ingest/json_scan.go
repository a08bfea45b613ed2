package ingest

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonScanner walks over one JSON text (RFC 8259). It accepts everything that the RFC does and forgives two things that
// servers write: bare control characters in strings and the escape \xHH. Its methods return false where the text is not
// JSON and leave pos there.
type jsonScanner struct {
	buf []byte
	pos int
}

// space skips white space and returns the next byte, 0 at the end.
func (s *jsonScanner) space() byte {
	for s.pos < len(s.buf) {
		c := s.buf[s.pos]
		if c > ' ' || (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
			return c
		}
		s.pos++
	}
	return 0
}

// byte skips white space and then c.
func (s *jsonScanner) byte(c byte) bool {
	if s.space() != c || s.pos == len(s.buf) {
		return false
	}
	s.pos++
	return true
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// zeroByte marks the lowest zero byte of w with its high bit; higher marks may be wrong.
func zeroByte(w uint64) uint64 { return (w - everyByte) & ^w & highBits }

// text reads a string, at whose opening quote pos stands, and returns what is between the quotes as it is written.
func (s *jsonScanner) text() (raw []byte, escaped, ok bool) {
	s.pos++
	start := s.pos
	for {
		end := s.special()
		if end == len(s.buf) {
			s.pos = end
			return nil, false, false
		}
		if s.buf[end] == '"' {
			s.pos = end + 1
			return s.buf[start:end], escaped, true
		}
		escaped = true
		s.pos = min(end+2, len(s.buf)) // the character behind a backslash is never the end
	}
}

// expect reads a string, at whose opening quote pos stands, where it is exactly text, which needs no escapes.
func (s *jsonScanner) expect(text string) bool {
	end := s.pos + 1 + len(text)
	if end >= len(s.buf) || s.buf[end] != '"' || string(s.buf[s.pos+1:end]) != text {
		return false
	}
	s.pos = end + 1
	return true
}

// plainText returns the place of the quote that ends the string which begins at start, or -1 where a backslash or the end
// of buf comes first. ascii says that the string has no byte beyond ASCII.
func plainText(buf []byte, start int) (end int, ascii bool) {
	wide := uint64(0)
	i := start
	for ; i+8 <= len(buf); i += 8 {
		w := binary.LittleEndian.Uint64(buf[i:])
		hit := zeroByte(w^('"'*everyByte)) | zeroByte(w^('\\'*everyByte))
		if hit == 0 {
			wide |= w
			continue
		}
		first := bits.TrailingZeros64(hit)
		wide |= w & (1<<first - 1)
		i += first / 8
		break
	}
	for ; i < len(buf) && buf[i] != '"'; i++ {
		if buf[i] == '\\' {
			return -1, false
		}
		wide |= uint64(buf[i])
	}
	if i == len(buf) {
		return -1, false
	}
	return i, wide&highBits == 0
}

// plainNumber returns the place behind the number that begins at start, or -1 where it is none or has a sign or an
// exponent.
func plainNumber(buf []byte, start int) (end int) {
	i := start
	for i < len(buf) && buf[i]-'0' < 10 {
		i++
	}
	if i == start || (buf[start] == '0' && i > start+1) {
		return -1
	}
	if i == len(buf) || buf[i] != '.' {
		return i
	}
	point := i
	for i++; i < len(buf) && buf[i]-'0' < 10; {
		i++
	}
	if i == point+1 {
		return -1
	}
	return i
}

// special returns the place of the next quote or backslash, len(buf) where there is none. It looks at eight bytes at a
// time: most values are short, which makes calls of bytes.IndexByte the larger part of the work.
func (s *jsonScanner) special() int {
	i := s.pos
	for ; i+8 <= len(s.buf); i += 8 {
		w := binary.LittleEndian.Uint64(s.buf[i:])
		if hit := zeroByte(w^('"'*everyByte)) | zeroByte(w^('\\'*everyByte)); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(s.buf); i++ {
		if c := s.buf[i]; c == '"' || c == '\\' {
			return i
		}
	}
	return len(s.buf)
}

// number reads a number as the RFC spells it.
func (s *jsonScanner) number() (raw []byte, ok bool) {
	start := s.pos
	s.skipByte('-')
	if !s.skipByte('0') && !s.skipDigits() { // no digit may follow a leading zero
		return nil, false
	}
	if s.skipByte('.') && !s.skipDigits() {
		return nil, false
	}
	if s.skipByte('e') || s.skipByte('E') {
		if !s.skipByte('+') {
			s.skipByte('-')
		}
		if !s.skipDigits() {
			return nil, false
		}
	}
	return s.buf[start:s.pos], true
}

func (s *jsonScanner) skipByte(c byte) bool {
	if s.pos < len(s.buf) && s.buf[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *jsonScanner) skipDigits() bool {
	start := s.pos
	for s.pos < len(s.buf) && '0' <= s.buf[s.pos] && s.buf[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// literal reads true, false or null.
func (s *jsonScanner) literal(word string) bool {
	if !bytes.HasPrefix(s.buf[s.pos:], []byte(word)) {
		return false
	}
	s.pos += len(word)
	return true
}

// scalar skips a number, true, false or null.
func (s *jsonScanner) scalar() bool {
	switch s.space() {
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	_, ok := s.number()
	return ok
}

// value skips any value and returns it as it is written.
func (s *jsonScanner) value() (raw []byte, ok bool) {
	switch s.space() {
	case '{', '[':
		return s.nested()
	case '"':
		start := s.pos
		_, _, ok := s.text()
		return s.buf[start:s.pos], ok
	}
	start := s.pos
	ok = s.scalar()
	return s.buf[start:s.pos], ok
}

// nested skips an object or an array, at whose opening bracket pos stands, and returns it as it is written. It matches
// brackets without recursion, so depth costs an attacker bytes and us nothing; what is inside is not checked further.
func (s *jsonScanner) nested() (raw []byte, ok bool) {
	start := s.pos
	depth := 0
	for s.pos < len(s.buf) {
		switch s.buf[s.pos] {
		case '"':
			if _, _, ok := s.text(); !ok {
				return nil, false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.pos++
		if depth == 0 {
			return s.buf[start:s.pos], true
		}
	}
	return nil, false
}

// unescapeJSON appends the text that raw, the inside of a JSON string, stands for. ok is false for an escape that is
// none; lone surrogates become U+FFFD, as in encoding/json.
func unescapeJSON(dst, raw []byte) (text []byte, ok bool) {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...), true
		}
		dst = append(dst, raw[:i]...)
		raw = raw[i:]
		if len(raw) < 2 {
			return dst, false
		}
		switch c := raw[1]; c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'x':
			code, ok := hexCode(raw, 2)
			if !ok {
				return dst, false
			}
			dst = append(dst, byte(code))
			raw = raw[4:]
			continue
		case 'u':
			r, size, ok := unicodeEscape(raw)
			if !ok {
				return dst, false
			}
			dst = utf8.AppendRune(dst, r)
			raw = raw[size:]
			continue
		default:
			return dst, false
		}
		raw = raw[2:]
	}
}

// unicodeEscape reads \uXXXX, or two of them that form a surrogate pair, from the front of raw.
func unicodeEscape(raw []byte) (r rune, size int, ok bool) {
	first, ok := hexCode(raw, 4)
	if !ok {
		return 0, 0, false
	}
	if !utf16.IsSurrogate(first) {
		return first, 6, true
	}
	if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		second, ok := hexCode(raw[6:], 4)
		if !ok {
			return 0, 0, false
		}
		if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
			return pair, 12, true
		}
	}
	return utf8.RuneError, 6, true
}

// hexCode reads n hexadecimal digits behind the two characters that begin an escape.
func hexCode(raw []byte, n int) (rune, bool) {
	if len(raw) < 2+n {
		return 0, false
	}
	var code rune
	for _, c := range raw[2 : 2+n] {
		v := hexValue(c)
		if v < 0 {
			return 0, false
		}
		code = code<<4 | rune(v)
	}
	return code, true
}

// column describes a place in a line for a person, columns counted in bytes from 1.
func column(pos int) string { return "column " + strconv.Itoa(pos+1) }
