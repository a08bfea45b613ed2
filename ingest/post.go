package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sundew"
)

// chunk is how much of a body is encoded before it is produced, which bounds what a post holds beside its body.
const chunk = 1 << 20

// post is one body on its way into the log.
type post struct {
	listener *listener
	decoder  Decoder
	format   string
	who      *secret // nil for a client on this machine
	stamp    stamp
	now      time.Time

	events  []Record
	letters []Record
	size    int
	skipped int
	receipt receipt
}

// source names the listener and the token in dead letters.
func (p *post) source() string {
	if p.who == nil {
		return "http:local"
	}
	return "http:" + p.who.name
}

// run decodes every line and returns after the broker has acknowledged what became of each.
func (p *post) run(ctx context.Context, body []byte) error {
	p.receipt.Reasons = map[string]int{}
	in := newLines(bytes.NewReader(body))
	for n := int64(0); ; n++ {
		line, size, err := in.next()
		if errors.Is(err, io.EOF) {
			return p.flush(ctx)
		}
		if err != nil {
			return err
		}
		if err := p.add(line, size, n); err != nil {
			return err
		}
		if p.size >= chunk {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// add decodes the n-th line of the body.
func (p *post) add(line []byte, size int, n int64) error {
	var e sundew.Event
	what, letter := decodeLine(p.decoder, p.format, line, size, &e)
	if what == parsed && p.foreign(&e) {
		what = rejected
		letter = deadLetter(p.format, "gateway of another token", e.Gateway, line)
	}
	switch what {
	case skipped:
		p.skipped++
	case parsed:
		if e.Forwarded != "" {
			e.Client = p.listener.proxies.Client(e.Client, e.Forwarded)
		}
		p.stamp.put(&e, n)
		r := Record{Key: []byte(sundew.PartitionKey(e.Client)), Value: e.AppendJSON(nil)}
		p.events = append(p.events, r)
		p.size += int(r.size())
		p.receipt.Accepted++
	case rejected:
		letter.Time, letter.Source, letter.Offset = p.now, p.source(), n
		value, err := json.Marshal(letter)
		if err != nil {
			return fmt.Errorf("encode dead letter: %w", err)
		}
		r := Record{Key: []byte(letter.Source), Value: value}
		p.letters = append(p.letters, r)
		p.size += int(r.size())
		p.receipt.Rejected++
		p.receipt.Reasons[letter.Reason]++
	}
	return nil
}

// foreign is true for a line that claims to come from a gateway that the token is not for.
func (p *post) foreign(e *sundew.Event) bool {
	return p.who != nil && p.who.gateway != "" && e.Gateway != "" && e.Gateway != p.who.gateway
}

func (p *post) flush(ctx context.Context) error {
	if err := p.listener.producer.Produce(ctx, TopicRequests, ByKey, p.events); err != nil {
		return err
	}
	if err := p.listener.producer.Produce(ctx, TopicDeadLetters, ByKey, p.letters); err != nil {
		return err
	}
	p.events, p.letters, p.size = nil, nil, 0 // the producer may still hold the old ones
	return nil
}
