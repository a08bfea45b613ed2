package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync/atomic"
	"time"

	"sundew"
)

var _ sundew.Source = (*Files)(nil)

// FileConfig says how files are read.
type FileConfig struct {
	Format    string // a name of Formats, "auto" or "": detected, for each file anew
	BatchSize int    // lines of a batch; 0 means 4096
	// Proxies stand between clients and gateways; nil trusts nobody.
	Proxies *sundew.Proxies
	Routes  *Routes  // nil has none
	Privacy *Privacy // nil hides nothing
	// Once leaves out lines whose stamp was there shortly before, in whichever file, as a TopicSource does.
	Once bool
	// OnProgress is called after every batch with the bytes read from disk, before decompression. bytesTotal is 0 where
	// the size is unknown, as that of standard input is.
	OnProgress func(bytesRead, bytesTotal int64)
}

const defaultBatchSize = 4096

// Files is a Source that reads log files one behind the other. A line that holds several records is as many lines; so
// offsets of its events count the records of all files from 0. Its dead letters name the file and count the lines of that file from 0. One goroutine uses it.
type Files struct {
	config FileConfig
	treatment
	paths []string
	read  atomic.Int64
	total int64

	current *file
	opened  int   // files opened so far
	offset  int64 // records of all files
	repeats repeats
	last    time.Time
	stats   Stats
	err     error // reported by every Next once its lines are delivered
}

// file is the one being read.
type file struct {
	path    string
	in      *input
	lines   *lines
	decoder Decoder
	number  int64 // lines read
}

// Stats counts lines, or records where a line holds several. Lines is the sum of Parsed, Skipped, Repeated and all of Rejected.
type Stats struct {
	Lines    int64
	Parsed   int64            // became events
	Skipped  int64            // hold no request by design: blank, comment, header
	Repeated int64            // have a stamp that was there before
	Rejected map[string]int64 // by reason
	Trims                     // what bounds took from the parsed ones
}

// OpenFiles returns the lines of the files as one stream. "-" is standard input. Content that is compressed with gzip
// or zstd is recognised by its first bytes. Every file is looked at before the first is read; the error names the one
// that cannot be, and the remedy.
func OpenFiles(paths []string, c FileConfig) (*Files, error) {
	if len(paths) == 0 {
		return nil, errors.New("no log file named: give one or more paths, - for standard input")
	}
	c.Format = cmp.Or(c.Format, autoName)
	if _, err := NewDecoder(c.Format); err != nil {
		return nil, err
	}
	if c.BatchSize <= 0 {
		c.BatchSize = defaultBatchSize
	}
	f := &Files{config: c, treatment: treatment{proxies: c.Proxies, routes: c.Routes, learned: newRouteMemory(nil), privacy: c.Privacy}, paths: paths, stats: Stats{Rejected: map[string]int64{}}}
	for _, path := range paths {
		size, err := checkInput(path)
		if err != nil {
			return nil, err
		}
		if size < 0 || f.total < 0 {
			f.total = -1
			continue
		}
		f.total += size
	}
	f.total = max(f.total, 0)
	return f, nil
}

// Next returns the next lines, io.EOF behind the last file. A batch is smaller than asked for at the end, before an
// error, and on standard input when nothing more has arrived yet. Data that breaks off, such as a truncated gzip file,
// is an error after all lines in front of the break were delivered. ctx is looked at between lines.
func (f *Files) Next(ctx context.Context) (sundew.Batch, error) {
	if f.err != nil {
		return sundew.Batch{}, f.err
	}
	b := sundew.Batch{Events: make([]sundew.Event, 0, f.config.BatchSize), Position: sundew.Position{First: f.offset}}
	for f.offset-b.Position.First < int64(f.config.BatchSize) {
		if ctx.Err() != nil {
			break
		}
		if f.current == nil {
			if f.err = f.openNext(); f.err != nil {
				break
			}
		}
		if f.current.in.live && f.offset > b.Position.First && f.current.lines.waiting() {
			break
		}
		line, size, err := f.current.lines.next()
		if errors.Is(err, io.EOF) {
			f.closeCurrent()
			continue
		}
		if err != nil {
			f.err = f.broken(err)
			break
		}
		f.add(&b, line, size)
	}
	b.Position.Next = f.offset
	f.progress()
	if b.Position.Next > b.Position.First {
		return b, nil
	}
	if f.err != nil {
		return sundew.Batch{}, f.err
	}
	return sundew.Batch{}, ctx.Err()
}

// add decodes a line, or each of the records that it holds, into b.
func (f *Files) add(b *sundew.Batch, line []byte, size int) {
	several := size == len(line) && unwrap(line, func(record []byte, bad *LineError) {
		if bad != nil {
			f.reject(b, f.letter(f.config.Format, bad.Reason, bad.Detail, record))
			f.offset++
			return
		}
		f.addOne(b, record, len(record))
	})
	if !several {
		f.addOne(b, line, size)
	}
	f.current.number++
}

// addOne decodes a line that is one record.
func (f *Files) addOne(b *sundew.Batch, line []byte, size int) {
	b.Events = append(b.Events, sundew.Event{})
	e := &b.Events[len(b.Events)-1]
	what, letter := f.decode(f.current.decoder, f.config.Format, line, size, time.Time{}, e)
	switch what {
	case parsed:
		e.Offset = f.offset
		f.last = e.Time
		if f.config.Once && f.repeats.seen(e) {
			b.Events = b.Events[:len(b.Events)-1]
			f.stats.Repeated++
			break
		}
		f.stats.Parsed++
	case skipped:
		b.Events = b.Events[:len(b.Events)-1]
		f.stats.Skipped++
	case rejected:
		b.Events = b.Events[:len(b.Events)-1]
		f.reject(b, letter)
	}
	f.offset++
}

// reject takes the letter of a line of the current file.
func (f *Files) reject(b *sundew.Batch, letter sundew.DeadLetter) {
	letter.Time, letter.Source, letter.Offset = f.last, f.current.path, f.current.number
	b.Rejected = append(b.Rejected, letter)
	f.stats.Rejected[letter.Reason]++
}

// openNext goes to the next file, io.EOF behind the last.
func (f *Files) openNext() error {
	if f.opened == len(f.paths) {
		return io.EOF
	}
	path := f.paths[f.opened]
	f.opened++
	decoder, err := NewDecoder(f.config.Format)
	if err != nil {
		return err
	}
	in, err := openInput(path, &f.read)
	if err != nil {
		return err
	}
	f.current = &file{path: path, in: in, lines: newLines(in, maxEnvelope), decoder: decoder}
	return nil
}

func (f *Files) closeCurrent() {
	if f.current == nil {
		return
	}
	trims := trimsOf(f.current.decoder)
	f.stats.Cut += trims.Cut
	f.stats.Dropped += trims.Dropped
	f.current.in.close()
	f.current = nil
}

// broken explains an error in the middle of a file.
func (f *Files) broken(err error) error {
	cur := f.current
	if errors.Is(err, io.ErrUnexpectedEOF) && cur.in.compression != "" {
		return fmt.Errorf("%s:%d: the %s data breaks off; the lines in front were read: fetch the file again",
			cur.path, cur.number, cur.in.compression)
	}
	if cur.in.compression != "" {
		return fmt.Errorf("%s:%d: the %s data is damaged; the lines in front were read: %w",
			cur.path, cur.number, cur.in.compression, err)
	}
	return fmt.Errorf("%s:%d: %w", cur.path, cur.number, err)
}

func (f *Files) progress() {
	if f.config.OnProgress != nil {
		f.config.OnProgress(f.read.Load(), f.total)
	}
}

// Commit does nothing: a file can be read again.
func (f *Files) Commit(context.Context, sundew.Batch) error { return nil }

// Stats returns the counts up to the last batch. The map is the caller's.
func (f *Files) Stats() Stats {
	s := f.stats
	s.Lines = f.offset
	s.Rejected = make(map[string]int64, len(f.stats.Rejected))
	maps.Copy(s.Rejected, f.stats.Rejected)
	if f.current != nil {
		trims := trimsOf(f.current.decoder)
		s.Cut += trims.Cut
		s.Dropped += trims.Dropped
	}
	return s
}

// Close closes the file in hand. Next returns an error from then on.
func (f *Files) Close() error {
	f.closeCurrent()
	if f.err == nil {
		f.err = os.ErrClosed
	}
	return nil
}
