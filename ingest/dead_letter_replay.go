package ingest

import (
	"context"
	"hash/fnv"
	"time"

	"sundew"
)

// LetterReplayOptions says how dead letters are tried again.
type LetterReplayOptions struct {
	Ingest ListenerConfig // what every event goes through, and whose tokens the sources name
	Format string         // that the lines have, "" for the one of each letter
	Filter DeadLetterFilter
	// Dry decodes and writes nothing.
	Dry bool
	// OnEvent and OnFailure, where they are not nil, see what became of each letter.
	OnEvent   func(e *sundew.Event)
	OnFailure func(l sundew.DeadLetter)
}

// LetterReplay counts what became of the letters. Letters is the sum of the others.
type LetterReplay struct {
	Letters, Events, Skipped int            // skipped lines hold no request
	Failed                   map[string]int // by reason
}

// letterGateway is the gateway of replayed events whose lines name none.
const letterGateway = "dead-letters"

// ReplayDeadLetters reads the lines of dead letters again, now that the format or the configuration is mended. What can
// be read goes into the log, and the letter is marked as replayed after the broker has acknowledged the event. What
// cannot stays, with its new reason. An event without a stamp is stamped with the place of its letter: where a replay was
// killed in between, the next one's copy does not count. p must run; it may be nil where o.Dry is set.
func ReplayDeadLetters(ctx context.Context, c KafkaConfig, p *Producer, o LetterReplayOptions) (LetterReplay, error) {
	treatment, err := o.Ingest.treatment(nil)
	if err != nil {
		return LetterReplay{}, err
	}
	if o.Format != "" {
		if _, err := NewDecoder(o.Format); err != nil {
			return LetterReplay{}, err
		}
	}
	r := letterReplay{
		options: o, decoders: map[string]Decoder{}, gateways: map[string]string{},
		intake: intake{treatment: treatment, producer: p},
		done:   LetterReplay{Failed: map[string]int{}},
	}
	r.formats = []string{o.Format, o.Ingest.Format}
	for _, s := range o.Ingest.Syslog {
		r.formats = append(r.formats, s.Format)
	}
	for _, t := range o.Ingest.Tokens {
		r.formats = append(r.formats, t.Format)
		r.gateways[sourceOf(&secret{name: t.Name})] = t.Gateway
	}
	err = ScanDeadLetters(ctx, c, o.Filter, func(letters []sundew.DeadLetter) error {
		for i := range letters {
			r.try(&letters[i], time.Now().UTC())
			if r.size >= chunk {
				if err := r.finish(ctx); err != nil {
					return err
				}
			}
		}
		return r.finish(ctx)
	})
	return r.done, err
}

type letterReplay struct {
	intake
	options  LetterReplayOptions
	decoders map[string]Decoder // by source and format
	formats  []string           // that the configuration and the caller name
	gateways map[string]string  // by source: the one that its token is for
	done     LetterReplay
}

func (r *letterReplay) finish(ctx context.Context) error {
	if r.options.Dry {
		r.discard()
		return nil
	}
	return r.flush(ctx)
}

// try decodes the line of a letter.
func (r *letterReplay) try(l *sundew.DeadLetter, now time.Time) {
	r.done.Letters++
	if l.Line == "" || l.Reason == reasonTooLong { // the letter has not got the line, or not all of it
		r.fail(*l)
		return
	}
	what, letter := r.decodeLetter(l, now)
	again := *l
	again.Attempt++
	switch what {
	case rejected:
		again.Reason, again.Detail, again.Line = letter.Reason, letter.Detail, letter.Line
		if again.Reason != l.Reason || again.Detail != l.Detail || again.Line != l.Line {
			r.write(again)
		}
		r.fail(again)
		return
	case parsed:
		r.stamp(l)
		r.events = r.keep(r.events, r.record(&r.event))
		r.done.Events++
		if r.options.OnEvent != nil {
			r.options.OnEvent(&r.event)
		}
	case skipped:
		r.done.Skipped++
	}
	again.Replayed, again.Line = true, ""
	r.write(again)
}

func (r *letterReplay) fail(l sundew.DeadLetter) {
	r.done.Failed[l.Reason]++
	if r.options.OnFailure != nil {
		r.options.OnFailure(l)
	}
}

// stamp gives an event its gateway and, where it has no stamp, that of its letter. An epoch of 64 mixed bits is no other
// gateway's start.
func (r *letterReplay) stamp(l *sundew.DeadLetter) {
	e := &r.event
	if e.Gateway == "" {
		e.Gateway = r.gateways[l.Source]
	}
	if e.Gateway == "" {
		e.Gateway = letterGateway
	}
	if e.GatewaySequence > 0 || l.Offset < 0 {
		return
	}
	source := fnv.New64a()
	_, _ = source.Write([]byte(l.Source))
	e.GatewayEpoch, e.GatewaySequence = source.Sum64()+uint64(uint32(l.Partition)), uint64(l.Offset)+1
}

// decodeLetter reads a line as the format that the caller names, or else as the letter's own, and where that fails as
// whatever it looks like: a detected format is that of the lines before.
func (r *letterReplay) decodeLetter(l *sundew.DeadLetter, now time.Time) (result, sundew.DeadLetter) {
	formats := []string{l.Format, autoName}
	if r.options.Format != "" {
		formats = []string{r.options.Format}
	}
	what, first := rejected, sundew.DeadLetter{}
	for _, format := range formats {
		var letter sundew.DeadLetter
		what, letter = r.decode(r.decoderFor(l.Source, format), format, []byte(l.Line), len(l.Line), now, &r.event)
		if first.Reason == "" {
			first = letter
		}
		if what != rejected {
			break
		}
	}
	if what == parsed {
		if bad := ownGateway(&r.event, r.gateways[l.Source]); bad != nil {
			return rejected, r.letter(l.Format, bad.Reason, bad.Detail, []byte(l.Line))
		}
	}
	return what, first
}

// decoderFor returns the decoder of a stream. A format that exists no more is detected.
func (r *letterReplay) decoderFor(source, format string) Decoder {
	stream := source + "\x00" + format
	if d, ok := r.decoders[stream]; ok {
		return d
	}
	var d Decoder = newAuto(formatTable())
	if remoteFormat(format, r.formats...) == nil {
		if known, err := NewDecoder(format); err == nil {
			d = known
		}
	}
	if len(r.decoders) >= maxStreams {
		clear(r.decoders)
	}
	r.decoders[stream] = d
	return d
}
