package ingest

import "bytes"

// nextPair splits key="value" or key=value, with a blank or a comma behind it, off b. Inside quotes a backslash escapes
// a quote. A word without an equals sign comes back as a key without a value.
func nextPair(b []byte) (key, value, rest []byte) {
	b = bytes.TrimLeft(b, " ,")
	end := bytes.IndexAny(b, "= ")
	if end < 0 || b[end] == ' ' {
		key, rest, _ = bytes.Cut(b, []byte(" "))
		return key, nil, rest
	}
	key, b = b[:end], b[end+1:]
	if len(b) == 0 || b[0] != '"' {
		if end = bytes.IndexAny(b, " ,"); end < 0 {
			return key, b, nil
		}
		return key, b[:end], b[end:]
	}
	for end = 1; end < len(b); end++ {
		if b[end] == '"' && !escapedAt(b, end) {
			return key, b[1:end], b[end+1:]
		}
	}
	return key, b[1:], nil
}
