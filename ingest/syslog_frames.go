package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxCount is how many digits a message's length may have.
const maxCount = 8

var errFraming = errors.New("no message length where one must stand")

// frames cuts a connection into syslog messages (RFC 6587): by octet counts, or at newlines. The first bytes say which,
// for the whole connection, so that nothing in a message can change it.
type frames struct {
	*lines
	begun   bool
	counted bool
}

func newFrames(r io.Reader, limit int) *frames { return &frames{lines: newLines(r, limit)} }

// wait returns when the next message has begun, or with what ended the connection.
func (f *frames) wait() error {
	_, err := f.r.Peek(1)
	return err
}

// next returns a message without its frame, valid until the next call. One beyond the limit comes with as many bytes as
// that and its whole length in size. err is io.EOF at the end. With any other error message is what has come of one that
// was not complete, and the connection is of no more use.
func (f *frames) next() (message []byte, size int, err error) {
	if !f.begun {
		if f.counted, err = f.beginsWithCount(); err != nil {
			return nil, 0, err
		}
		f.begun = true
	}
	if f.counted {
		return f.nextCounted()
	}
	message, size, err = f.lines.next()
	if err == nil && f.err != nil && !errors.Is(f.err, io.EOF) {
		err = f.err
	}
	return bytes.TrimRight(message, "\x00"), size, err
}

// beginsWithCount looks for digits and a blank, no further than it must to know.
func (f *frames) beginsWithCount() (bool, error) {
	for n := 1; n <= maxCount+1; n++ {
		head, err := f.r.Peek(n)
		if len(head) < n {
			if errors.Is(err, io.EOF) && n > 1 {
				err = nil // a short line that ends the connection
			}
			return false, err
		}
		c := head[n-1]
		if c < '0' || c > '9' {
			return c == ' ' && n > 1, nil
		}
	}
	return false, nil
}

func (f *frames) nextCounted() (message []byte, size int, err error) {
	if size, err = f.count(); err != nil {
		return nil, 0, err
	}
	message, err = f.r.Peek(min(size, f.limit))
	if err == nil && size > f.limit {
		message = bytes.Clone(message)
	}
	if err == nil {
		_, err = f.r.Discard(size)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return message, size, err
}

// count reads a message's length and the blank behind it.
func (f *frames) count() (n int, err error) {
	for digits := 0; ; digits++ {
		c, err := f.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && digits > 0:
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case c == ' ' && n > 0:
			return n, nil
		case c < '0' || c > '9' || digits == maxCount:
			rest, _ := f.r.Peek(min(f.r.Buffered(), 32))
			return 0, fmt.Errorf("%w: %s", errFraming, quoted(append([]byte{c}, rest...)))
		}
		n = n*10 + int(c-'0')
	}
}
