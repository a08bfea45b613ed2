package ingest

import (
	"bytes"
	"strconv"
	"time"

	"sundew"
)

// combined reads the common and the combined log format and their descendants:
//
//	[host:port] client ident user [time] "request" status bytes ["referer" "user agent"] [more...]
//
// What follows the user agent is a quoted X-Forwarded-For, name=value pairs, or unnamed fields; the last two become
// attributes. A hyphen says nothing. A line that was cut off still gives an event when it reaches beyond the time.
//
// The user name becomes the attribute remote_user and no account: with basic authentication it is what the client
// claims, and an account must not answer for a name that anybody can send.
type combined struct {
	texts
	minute minute
	bare   bool     // the line has no backslash
	plain  []byte   // a field with its escapes resolved
	behind []string // names of the unnamed fields behind the user agent, in their order
}

func newCombined() Decoder { return &combined{texts: newTexts()} }

// Decode implements Decoder.
func (d *combined) Decode(line []byte, e *sundew.Event) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	d.bare = bytes.IndexByte(line, '\\') < 0
	rest, ok := d.nobody(line, e)
	if !ok {
		var err error
		if rest, err = d.somebody(line, e); err != nil {
			return err
		}
	}
	request, rest := cutQuoted(rest)
	d.request(request, e)
	rest, err := setAnswer(rest, e)
	if err != nil {
		return err
	}
	d.tail(rest, e)
	return nil
}

// nobody reads the client and the time of a line that begins as nearly all do: an IPv4 address, no user, the time. It
// returns what stands behind them; where ok is false e is as it was.
func (d *combined) nobody(line []byte, e *sundew.Event) (rest []byte, ok bool) {
	const between = " - - ["
	blank := bytes.IndexByte(line[:min(len(line), len("255.255.255.255 "))], ' ')
	start := blank + len(between)
	end := start + commonLogTime
	if blank < 0 || end+len(`] "`) > len(line) || string(line[blank:start]) != between || string(line[end:end+3]) != `] "` {
		return nil, false
	}
	client, ok := parseIPv4(line[:blank])
	if !ok {
		return nil, false
	}
	t, ok := d.minute.commonLogTime(line[start:end])
	if !ok {
		return nil, false
	}
	e.Client, e.Time = client, t
	return line[end+2:], true
}

// somebody reads client, user and time of any line, behind a syslog header too, and returns what stands behind them.
func (d *combined) somebody(line []byte, e *sundew.Event) (rest []byte, err error) {
	if message, ok := stripSyslog(line); ok {
		line = message
	}
	head, clock, rest, ok := splitAtTime(line)
	if !ok {
		return nil, &LineError{"not a combined log line", "want: client ident user [time] \"request\" status bytes"}
	}
	if e.Time, ok = d.minute.commonLogTime(clock); !ok {
		return nil, badTime(clock)
	}
	return rest, d.head(head, e)
}

// splitAtTime finds the time by the first `] "` of the line: the user name in front of it may hold blanks and brackets,
// but servers escape a quote in it, so that no client can put a time of its own there.
func splitAtTime(line []byte) (head, clock, rest []byte, ok bool) {
	end := bytes.Index(line, []byte(`] "`))
	start := end - commonLogTime
	if start < 1 || line[start-1] != '[' {
		return nil, nil, nil, false
	}
	return bytes.TrimRight(line[:start-1], " "), line[start:end], line[end+2:], true
}

// likelyCombined is true for lines with a time in brackets in front of a quoted request.
func likelyCombined(line []byte) bool {
	_, clock, _, ok := splitAtTime(line)
	return ok && isCommonLogTime(clock)
}

// head reads the client and what stands around it. The client is the second word where that is an address, because a
// virtual host in front of it is the client's to choose; otherwise the first.
func (d *combined) head(head []byte, e *sundew.Event) error {
	if list, rest, ok := hopList(head); ok {
		return d.listed(list, rest, e)
	}
	first, rest, _ := bytes.Cut(head, []byte(" "))
	second, afterSecond, _ := bytes.Cut(rest, []byte(" "))
	if addr, ok := parseClient(second); ok {
		e.Host = d.lower(hostOnly(first), sundew.MaxID)
		e.Client = addr
		d.user(afterSecond, e)
		return nil
	}
	addr, ok := parseClient(first)
	if !ok {
		return badAddress(first)
	}
	e.Client = addr
	d.user(rest, e)
	return nil
}

// hopList splits off a list of addresses that stands in place of the client, or quoted in front of it.
func hopList(head []byte) (list, rest []byte, ok bool) {
	if len(head) > 0 && head[0] == '"' {
		end := bytes.IndexByte(head[1:], '"')
		if end < 0 {
			return nil, nil, false
		}
		return head[1 : end+1], bytes.TrimLeft(head[end+2:], " "), true
	}
	end := 0
	for {
		blank := bytes.IndexByte(head[end:], ' ')
		if blank < 1 || head[end+blank-1] != ',' {
			break
		}
		end += blank + 1
	}
	if end == 0 {
		return nil, nil, false
	}
	last := bytes.IndexByte(head[end:], ' ')
	if last < 0 {
		return head, nil, true
	}
	return head[:end+last], head[end+last+1:], true
}

// listed takes the client from a list of hops, with the address of the connection behind it where there is one.
func (d *combined) listed(list, rest []byte, e *sundew.Event) error {
	e.Forwarded = d.repeated(list, sundew.MaxText)
	peer, afterPeer, _ := bytes.Cut(rest, []byte(" "))
	if addr, ok := parseClient(peer); ok {
		e.Client = ownProxies.Client(addr, string(list))
		d.user(afterPeer, e)
		return nil
	}
	addr, ok := clientOfList(list)
	if !ok {
		return badAddress(list)
	}
	e.Client = addr
	d.user(rest, e)
	return nil
}

// user reads "ident user"; the user may hold blanks.
func (d *combined) user(b []byte, e *sundew.Event) {
	_, name, _ := bytes.Cut(b, []byte(" "))
	if len(name) > 0 && string(name) != "-" && string(name) != `""` {
		d.attribute(e, "remote_user", d.unescaped(name))
	}
}

func (d *combined) request(line []byte, e *sundew.Event) {
	if len(line) == 0 || string(line) == "-" {
		return
	}
	line = d.unescaped(line)
	if !setRequestLine(e, line, &d.texts) {
		d.attribute(e, "request", line)
	}
}

// setAnswer reads status and size. A line may end before either; anything but a status there means another format.
func setAnswer(b []byte, e *sundew.Event) (rest []byte, err error) {
	b = bytes.TrimLeft(b, " ")
	status, b := cutShort(b)
	if len(status) == 0 {
		return nil, nil
	}
	if string(status) != "-" {
		var ok bool
		if e.Status, ok = parseStatus(status); !ok {
			return nil, &LineError{"status is not a number", quoted(status)}
		}
	}
	size, rest := cutShort(b)
	if n, ok := parseDecimal(size, 1); ok {
		e.ResponseBytes = n
	}
	return rest, nil
}

// tail reads the quoted fields and whatever follows them.
func (d *combined) tail(b []byte, e *sundew.Event) {
	quotedSeen, unnamed := 0, 0
	for {
		b = bytes.TrimLeft(b, " ")
		if len(b) == 0 {
			return
		}
		if b[0] == '"' {
			var text []byte
			text, b = cutQuoted(b)
			quotedSeen++
			if !d.quoted(quotedSeen, text, e) {
				unnamed++
				d.unnamed(unnamed, d.unescaped(text), e)
			}
			continue
		}
		var word []byte
		word, b = cutWord(b)
		if name, value, found := bytes.Cut(word, []byte("=")); found && isName(name) {
			d.named(name, value, e)
			continue
		}
		if string(word) == "-" && quotedSeen < 2 {
			quotedSeen++ // some servers leave the quotes off when there is nothing to quote
			continue
		}
		for bytes.HasSuffix(word, []byte(",")) && len(b) > 0 { // upstreams that were tried one after the other
			_, rest := cutWord(b)
			word, b = word[:len(word)+1+len(b)-len(rest)], rest
		}
		unnamed++
		d.unnamed(unnamed, bytes.TrimRight(word, " "), e)
	}
}

// unnamed takes the n-th field behind the user agent that does not say what it is.
func (d *combined) unnamed(n int, text []byte, e *sundew.Event) {
	if len(text) == 0 || string(text) == "-" {
		return
	}
	if n > len(d.behind) {
		d.attribute(e, extraName(n), text)
		return
	}
	switch name := d.behind[n-1]; name {
	case "request_time":
		setUnits(&e.Duration, text, time.Second)
	case "duration_ms":
		setUnits(&e.Duration, bytes.TrimSuffix(text, []byte("ms")), time.Millisecond)
	case "request_length":
		setSize(&e.RequestBytes, text)
	case "req_id":
		e.RequestID = d.once(text, sundew.MaxID)
	default:
		d.attribute(e, name, text)
	}
}

// quoted reads the n-th quoted field behind the size and reports whether it knew what it is.
func (d *combined) quoted(n int, text []byte, e *sundew.Event) bool {
	if len(text) == 0 || string(text) == "-" {
		return true
	}
	switch n {
	case 1:
		e.Referer = d.repeated(d.unescaped(text), sundew.MaxText)
		return true
	case 2:
		e.UserAgent = d.repeated(d.unescaped(text), sundew.MaxText)
		return true
	case 3:
		if _, ok := clientOfList(text); ok && e.Forwarded == "" {
			e.Forwarded = d.repeated(d.unescaped(text), sundew.MaxText)
			return true
		}
	}
	return false
}

// named reads a field such as rt=0.005 or X-Forwarded-For="192.0.2.1".
func (d *combined) named(name, value []byte, e *sundew.Event) {
	if len(value) > 0 && value[0] == '"' {
		value, _ = cutQuoted(value)
	}
	if len(value) == 0 || string(value) == "-" {
		return
	}
	switch string(otherCase(name, 'A')) {
	case "x-forwarded-for", "xff":
		e.Forwarded = d.repeated(d.unescaped(value), sundew.MaxText)
		return
	case "rt", "request_time":
		if n, ok := parseDecimal(value, int64(time.Second)); ok {
			e.Duration = time.Duration(n)
			return
		}
	case "host":
		e.Host = d.lower(hostOnly(value), sundew.MaxID)
		return
	}
	key := d.repeated(name, sundew.MaxID)
	if fields[key] != nil {
		key = foreignPrefix + key
	}
	d.attribute(e, key, d.unescaped(value))
}

// attribute keeps a value under its key; the last of equal keys holds.
func (d *combined) attribute(e *sundew.Event, key string, value []byte) {
	for i := range e.Attributes {
		if e.Attributes[i].Key == key {
			e.Attributes[i].Value = d.repeated(value, sundew.MaxText)
			return
		}
	}
	if len(e.Attributes) == sundew.MaxAttributes {
		d.counted.Dropped++
		return
	}
	e.Attributes = append(e.Attributes, sundew.Attribute{Key: key, Value: d.repeated(value, sundew.MaxText)})
}

func (d *combined) unescaped(b []byte) []byte {
	if d.bare || bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	d.plain = unescape(d.plain[:0], b)
	return d.plain
}

func extraName(n int) string { return "field." + strconv.Itoa(n) }

func isName(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return len(b) > 0
}

// cutQuoted returns the inside of the quoted field that b begins with, and what is behind it. The field ends at a quote
// that no backslash escapes and that a blank or the end of the line follows; without one it is the rest of the line.
func cutQuoted(b []byte) (text, rest []byte) {
	b = b[min(1, len(b)):]
	for end := 0; ; end++ {
		quote := bytes.IndexByte(b[end:], '"')
		if quote < 0 {
			return b, nil
		}
		end += quote
		if (end+1 == len(b) || b[end+1] == ' ') && !escapedAt(b, end) {
			return b[:end], b[end+1:]
		}
	}
}

// escapedAt says whether an odd number of backslashes stands in front of b[i].
func escapedAt(b []byte, i int) bool {
	n := 0
	for n < i && b[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// cutShort returns the text up to the next blank, and what is behind it. For a few bytes a search costs more than looking.
func cutShort(b []byte) (word, rest []byte) {
	for i, c := range b {
		if c == ' ' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// cutWord returns the text up to the next blank; a quoted value inside it may hold blanks.
func cutWord(b []byte) (word, rest []byte) {
	for i := range b {
		switch b[i] {
		case ' ':
			return b[:i], b[i+1:]
		case '"':
			_, rest = cutQuoted(b[i:])
			return b[:len(b)-len(rest)], rest
		}
	}
	return b, nil
}
