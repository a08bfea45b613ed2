package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lines cuts a stream at newlines, CR LF included, within a fixed buffer.
type lines struct {
	r     *bufio.Reader
	limit int   // bytes of a line
	err   error // what ended the stream, reported when the last line has been
}

// newLines cuts lines of at most limit bytes.
func newLines(r io.Reader, limit int) *lines {
	return &lines{r: bufio.NewReaderSize(r, limit+len("\r\n")), limit: limit}
}

// next returns a line without its end, valid until the next call. A line beyond the limit comes with as many bytes as
// that and its whole length in size; the reader goes on behind it. The last line may lack a newline. err is
// io.EOF at the end, or what broke the stream.
func (l *lines) next() (line []byte, size int, err error) {
	if l.err != nil {
		return nil, 0, l.err
	}
	line, err = l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		size, err = l.skip(line[len(line)-1])
		size += l.limit + len("\r\n")
		l.err = err
		return line[:l.limit], size, nil
	}
	if err != nil {
		l.err = err
		if len(line) == 0 {
			return nil, 0, err
		}
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	return line[:min(len(line), l.limit)], len(line), nil
}

// skip reads to the end of the line and returns how many bytes the rest of it has, without its end. last is the byte in
// front of the rest.
func (l *lines) skip(last byte) (size int, err error) {
	for {
		part, err := l.r.ReadSlice('\n')
		size += len(part)
		if err == nil {
			if len(part) > 1 {
				last = part[len(part)-2]
			}
			if last == '\r' {
				size--
			}
			return size - 1, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return size, err
		}
		last = part[len(part)-1]
	}
}

// waiting says whether the next line may have to wait for the stream.
func (l *lines) waiting() bool { return l.r.Buffered() == 0 }
