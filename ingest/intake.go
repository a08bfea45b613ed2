package ingest

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"sundew"
)

// chunk is how many bytes of records an intake gathers before they are produced.
const chunk = 1 << 20

// intake carries the lines of one stream into the log: events to the topic of requests, the others to that of dead
// letters. What was added counts once flush has returned nil. One goroutine uses it.
type intake struct {
	treatment
	producer *Producer
	decoder  Decoder
	format   string // the name that dead letters show where the decoder knows no better
	source   string // in dead letters
	numbers  *letterNumbers
	// complete adds what the stream knows to the event of its n-th line, counted from 0, or says why it must not count.
	complete func(e *sundew.Event, n int64) *LineError
	// place is where the n-th line stands, the same each time it is sent; nil: nobody knows.
	place func(n int64) (partition int32, offset int64)

	lines           int64
	event           sundew.Event // the one in hand
	page            []byte       // keys and values of events stand here side by side
	events, letters []Record
	size            int
	tally           tally
}

// tally is what became of lines.
type tally struct {
	parsed, skipped, rejected int
	reasons                   map[string]int // of the rejected ones
}

func newTally() tally { return tally{reasons: map[string]int{}} }

// letterNumbers gives the dead letters of a listener their offsets. They rise from the nanosecond of the start, so that
// no letter has the place of another, from before a restart either.
type letterNumbers struct{ last atomic.Int64 }

func newLetterNumbers(now time.Time) *letterNumbers {
	n := &letterNumbers{}
	n.last.Store(now.UnixNano())
	return n
}

// add decodes a line of size bytes, of which line holds the first maxEnvelope. Where it holds several records, each is a
// line of its own from here on.
func (i *intake) add(line []byte, size int, now time.Time) {
	several := size == len(line) && unwrap(line, func(record []byte, bad *LineError) {
		if bad != nil {
			i.lines++
			i.reject(i.letter(i.format, bad.Reason, bad.Detail, record), now)
			return
		}
		i.addOne(record, len(record), now)
	})
	if !several {
		i.addOne(line, size, now)
	}
}

// addOne decodes a line that is one record.
func (i *intake) addOne(line []byte, size int, now time.Time) {
	n := i.lines
	i.lines++
	e := &i.event
	what, letter := i.decode(i.decoder, i.format, line, size, now, e)
	if what == parsed {
		if bad := i.complete(e, n); bad != nil {
			what, letter = rejected, i.letter(i.format, bad.Reason, bad.Detail, line)
		}
	}
	switch what {
	case skipped:
		i.tally.skipped++
	case parsed:
		i.events = i.keep(i.events, i.record(e))
		i.tally.parsed++
	case rejected:
		i.reject(letter, now)
	}
}

// The sizes of a page, and of what must be left of one for another event: few are larger.
const (
	pageSize = 128 << 10
	pageRoom = 4 << 10
)

// record writes an event for the log. A full page is left to the records on it, which the producer may still hold.
func (i *intake) record(e *sundew.Event) Record {
	if cap(i.page)-len(i.page) < pageRoom {
		i.page = make([]byte, 0, pageSize)
	}
	start := len(i.page)
	page := sundew.AppendPartitionKey(i.page, e.Client)
	key := len(page)
	page = e.AppendJSON(page)
	i.page = page
	return Record{Key: page[start:key:key], Value: page[key:len(page):len(page)], Headers: i.marks()}
}

// treatedMark tells who reads a record that its event has been treated: a pseudonym must get no other.
var treatedMark = []Header{{headerTreated, []byte("1")}}

func (i *intake) marks() []Header {
	if i.privacy == nil {
		return nil
	}
	return treatedMark
}

// reject takes the letter of the line in hand, which has Format, Reason, Detail and Line.
func (i *intake) reject(letter sundew.DeadLetter, now time.Time) {
	letter.Time, letter.Source = now, i.source
	if i.place != nil {
		letter.Partition, letter.Offset = i.place(i.lines - 1)
	} else {
		letter.Offset = i.numbers.last.Add(1)
	}
	i.write(letter)
	i.tally.rejected++
	i.tally.reasons[letter.Reason]++
}

// write takes a letter that has everything.
func (i *intake) write(letter sundew.DeadLetter) {
	value, _ := json.Marshal(letter) // texts and numbers always encode
	i.letters = i.keep(i.letters, Record{Key: []byte(letter.Source), Value: value})
}

func (i *intake) keep(records []Record, r Record) []Record {
	i.size += int(r.size())
	return append(records, r)
}

// flush returns nil after the broker has acknowledged everything that was added. After an error it is open what the log
// has of the records that are still here.
func (i *intake) flush(ctx context.Context) error {
	if err := i.producer.Produce(ctx, TopicRequests, ByKey, i.events); err != nil {
		return err
	}
	i.events = nil // the producer may still hold the old ones
	if err := i.producer.Produce(ctx, TopicDeadLetters, ByKey, i.letters); err != nil {
		return err
	}
	i.letters, i.size = nil, 0
	return nil
}

// discard gives up what a failed flush has left and returns how many records that are.
func (i *intake) discard() int {
	n := len(i.events) + len(i.letters)
	i.events, i.letters, i.size = nil, nil, 0
	return n
}
