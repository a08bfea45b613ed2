package ingest

import (
	"strings"

	"sundew"
)

// maxSegments is how deep a path may be and still get a route.
const maxSegments = 16

// placeholder stands for an identifier in a route.
const placeholder = "{id}"

// inferRoute gives an event whose gateway logged no route one made of its path, /orders/{id} for /orders/17, and the last
// identifier as its object; where the path has none, the query may. It looks at the event alone; made says that the route is
// new, and routeMemory whether there may be one more. A path without identifiers gets none: there the route would be the
// path, which anybody can make up. Files are no objects, and neither are the numbers of a date.
func inferRoute(e *sundew.Event) (made bool) {
	made = inferPath(e)
	if e.Object == "" {
		e.Object = objectOf(e.Query)
	}
	return made
}

func inferPath(e *sundew.Event) (made bool) {
	if e.Route != "" || !strings.ContainsAny(e.Path, "0123456789@") {
		return false
	}
	route, object, ok := routeOf(e.Path)
	if !ok {
		return false
	}
	e.Route = route
	if e.Object == "" && len(object) <= sundew.MaxID {
		e.Object = object
	}
	return true
}

// maxPairs is how much of a query is searched for an object.
const maxPairs = 16

// objectOf returns the identifier that a query asks for, as in id=17: the value of the first parameter whose name says that
// it is one, where the value is a number or a UUID. Longer tokens are those of advertisers and sessions.
func objectOf(query string) string {
	n := 0
	for pair := range strings.SplitSeq(query, "&") {
		if n++; n > maxPairs {
			break
		}
		name, value, _ := strings.Cut(pair, "=")
		if namesObject(name) && (isNumber(value) || (len(value) == 36 && isIdentifier(value))) {
			return value
		}
	}
	return ""
}

// namesObject is true for id, order_id, orderId and the names of what is often numbered.
func namesObject(name string) bool {
	switch name {
	case "id", "ID", "author", "user", "account", "order", "invoice", "ticket", "customer", "document", "uid":
		return true
	}
	return strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "Id")
}

func isNumber(text string) bool {
	return text != "" && len(text) <= 20 && strings.Trim(text, "0123456789") == ""
}

func routeOf(path string) (route, object string, ok bool) {
	var ids [maxSegments]bool
	n, found := 0, false
	before := ""
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if n == maxSegments {
			return "", "", false
		}
		if ids[n] = isIdentifier(segment); ids[n] {
			found = true
			if !isYear(segment) && !isYear(before) {
				object = segment
			}
		}
		before = segment
		n++
	}
	if !found {
		return "", "", false
	}
	var b strings.Builder
	b.Grow(len(path))
	i := 0
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if ids[i] {
			segment = placeholder
		}
		b.WriteByte('/')
		b.WriteString(segment)
		i++
	}
	return b.String(), object, true
}

// isIdentifier is true for what names one of many: numbers, UUIDs, hexadecimal hashes, tokens of sixteen and more letters
// and digits mixed, a short word with a number of three and more digits behind it, mail addresses. Versions such as v2 and
// words with hyphens are none.
func isIdentifier(segment string) bool {
	var digits, letters, hex, dashes, others int
	for i := range len(segment) {
		switch c := segment[i]; {
		case '0' <= c && c <= '9':
			digits++
			hex++
		case 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F':
			letters++
			hex++
		case isAlphanumeric(c):
			letters++
		case c == '-' || c == '_':
			dashes++
		case c == '@' && i > 0:
			return true
		default:
			others++
		}
	}
	switch {
	case digits == 0 || others > 0:
		return false
	case digits == len(segment):
		return true
	case hex+dashes == len(segment) && hex >= 12:
		return true // a UUID too
	case dashes == 0 && len(segment) >= 16 && letters > 0:
		return digits >= 2
	}
	return isNumbered(segment)
}

// isNumbered is true for "order-1234" and "ord_1234".
func isNumbered(segment string) bool {
	word := strings.TrimRight(segment, "0123456789")
	if len(segment)-len(word) < 3 || len(word) > 12 {
		return false
	}
	for i := range len(word) - 1 {
		if c := word[i]; !isAlphanumeric(c) || '0' <= c && c <= '9' {
			return false
		}
	}
	return strings.HasSuffix(word, "-") || strings.HasSuffix(word, "_")
}

func isYear(segment string) bool {
	return len(segment) == 4 && (segment[:2] == "19" || segment[:2] == "20") && isIdentifier(segment)
}
