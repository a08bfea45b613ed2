package ingest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// Bounds of a line that holds several records.
const (
	maxEnvelope  = 1 << 20 // bytes of the line
	maxRecords   = 10_000
	maxUnwrapped = 8 << 20 // bytes of what is encoded inside, once decoded
	maxWraps     = 3       // of one in another, as Firehose has those of CloudWatch
)

// Reasons of dead letters of records and of what holds them.
const (
	reasonManyRecords = "too many records in one line"
	reasonInflated    = "records of one line are too large"
	reasonEncoded     = "record cannot be decoded"
	reasonNoMessage   = "log event without a message"
)

// envelope takes the records out of one line.
type envelope struct {
	emit    func(record []byte, bad *LineError)
	records int
	decoded int // bytes
	full    bool
}

// unwrap calls emit with each record of a line that holds several, as
//
//	{"records":[{...},...]}                                   Azure's diagnostic settings, a record each
//	{"requestId":"...","records":[{"data":"BASE64"},...]}     Amazon Data Firehose, lines in each, gzip or not
//	{"messageType":"...","logEvents":[{"message":"..."},...]} subscriptions of CloudWatch Logs, a line each
//	{"awslogs":{"data":"BASE64"}}                             the same as a Lambda function gets it
//
// and with what is wrong where a record, or the rest of the line, is none. The order and number of the calls depend on the
// line alone; there is one, with nothing, where it holds no record. It returns false, after a look at the first key, for a line that is one record. The records hold until emit
// returns.
func unwrap(line []byte, emit func(record []byte, bad *LineError)) bool {
	e := envelope{emit: emit}
	if !e.open(line, 0) {
		return false
	}
	if e.records == 0 {
		emit(nil, nil)
	}
	return true
}

// open unwraps a line at a depth of others around it.
func (e *envelope) open(line []byte, depth int) bool {
	s := jsonScanner{buf: line}
	if !s.byte('{') || s.space() != '"' || depth == maxWraps {
		return false
	}
	start := s.pos
	first, _, _ := s.text()
	s.pos = start
	var list string
	switch string(first) {
	case "awslogs":
		return e.lambda(&s, depth)
	case "records", "requestId":
		list = "records"
	case "messageType", "owner":
		list = "logEvents"
	default:
		return false
	}
	control := false
	for s.space() == '"' {
		key, _, ok := s.text()
		if !ok || !s.byte(':') {
			return false
		}
		if string(key) == list && s.space() == '[' {
			if !control { // which tests a subscription
				e.list(&s, list, depth)
			}
			return true
		}
		value, ok := s.value()
		if !ok || !s.byte(',') {
			return false
		}
		control = control || string(key) == "messageType" && string(value) == `"CONTROL_MESSAGE"`
	}
	return false
}

// list gives the elements of an array, at whose bracket the scanner stands.
func (e *envelope) list(s *jsonScanner, name string, depth int) {
	s.pos++
	if s.byte(']') {
		return
	}
	for !e.full {
		s.space()
		start := s.pos
		element, ok := s.value()
		if !ok {
			e.refuse(s.buf[start:], "JSON cannot be read", column(s.pos))
			return
		}
		e.element(element, name, depth)
		if s.byte(',') {
			continue
		}
		if !s.byte(']') {
			e.refuse(s.buf[s.pos:], "JSON cannot be read", column(s.pos))
		}
		return
	}
}

// element gives what one element of a list stands for.
func (e *envelope) element(raw []byte, list string, depth int) {
	if list == "logEvents" {
		message, ok := stringMember(raw, "message")
		if !ok {
			e.refuse(raw, reasonNoMessage, "")
			return
		}
		e.give(message)
		return
	}
	if data, ok := stringMember(raw, "data"); ok {
		e.data(raw, data, depth)
		return
	}
	e.give(raw)
}

// lambda opens {"awslogs":{"data":"BASE64"}}.
func (e *envelope) lambda(s *jsonScanner, depth int) bool {
	_, _, _ = s.text()
	if !s.byte(':') || s.space() != '{' {
		return false
	}
	inner, ok := s.value()
	if !ok {
		return false
	}
	data, ok := stringMember(inner, "data")
	if ok {
		e.data(inner, data, depth)
	}
	return ok
}

// data gives the lines of an encoded text.
func (e *envelope) data(raw, encoded []byte, depth int) {
	plain := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Decode(plain, encoded)
	if err != nil {
		e.refuse(raw, reasonEncoded, err.Error())
		return
	}
	plain = plain[:n]
	if bytes.HasPrefix(plain, gzipMagic) {
		if plain, err = e.inflate(plain); err != nil {
			e.refuse(raw, reasonEncoded, err.Error())
			return
		}
	}
	if e.decoded += len(plain); e.decoded > maxUnwrapped {
		e.refuse(raw, reasonInflated, fmt.Sprintf("more than %d bytes: let the sender put fewer into one", maxUnwrapped))
		e.full = true
		return
	}
	for line := range bytes.Lines(plain) {
		line = bytes.TrimRight(line, "\r\n")
		if !e.full && !e.open(line, depth+1) {
			e.give(line)
		}
	}
}

// inflate reads gzip until there is more than may be.
func (e *envelope) inflate(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, int64(maxUnwrapped-e.decoded)+1))
}

// give hands on a record.
func (e *envelope) give(record []byte) {
	if e.room(record) {
		e.emit(record, nil)
	}
}

func (e *envelope) refuse(record []byte, reason, detail string) {
	if e.room(record) {
		e.emit(record, &LineError{reason, detail})
	}
}

// room counts a record. The first that is too many stands for all behind it.
func (e *envelope) room(record []byte) bool {
	if e.full {
		return false
	}
	e.records++
	if e.records > maxRecords {
		e.full = true
		e.emit(record, &LineError{reasonManyRecords, fmt.Sprintf("this one and those behind it: at most %d are read", maxRecords)})
	}
	return !e.full
}

// stringMember returns the text of a member of an object, where it is a string.
func stringMember(object []byte, name string) ([]byte, bool) {
	s := jsonScanner{buf: object}
	if !s.byte('{') {
		return nil, false
	}
	for s.space() == '"' {
		key, _, ok := s.text()
		if !ok || !s.byte(':') {
			return nil, false
		}
		if string(key) == name && s.space() == '"' {
			raw, _, ok := s.text()
			if !ok {
				return nil, false
			}
			return unescapeJSON(nil, raw)
		}
		if _, ok := s.value(); !ok || !s.byte(',') {
			return nil, false
		}
	}
	return nil, false
}
