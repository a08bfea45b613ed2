package sim

import (
	"context"
	"io"
	"time"

	"sundew"
)

// Host is the server that all requests are for.
const Host = "api.tern.example"

// precision of event time: what gateways write.
const precision = time.Microsecond

// Traffic yields the requests of everybody in event order. Memory holds the clients and the campaigns under way, not
// the requests. NextLabelled, Next and WriteNDJSON take from the same stream and are for one goroutine; LabelOf and
// Truth may be called from any.
type Traffic struct {
	config     Config
	methods    []method // of config.Attacks, by index
	incidents  []occurrence
	addresses  addressPlan
	population population
	queue      queue
	schedule   schedule
	sequence   uint64 // requests yielded
}

var _ sundew.Source = (*Traffic)(nil)

// New lays out the clients. It fails when the configuration is not valid.
func New(c Config) (*Traffic, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t := &Traffic{config: c}
	for _, a := range c.Attacks {
		m, _ := methodOf(a)
		t.methods = append(t.methods, m)
	}
	t.schedule = newSchedule(t.methods, c.Duration)
	t.addresses = planAddresses(c.Seed, t.methods)
	t.incidents = occurrences(&t.config)
	t.population = settle(&t.config, func(number uint32, c client, first time.Duration) {
		if c, first = t.befall(number, c, first); first < t.config.Duration {
			t.queue.add(turn{first, number, c})
		}
	})
	return t, nil
}

// NextLabelled returns the next request and the truth about it. It returns io.EOF when the configured duration is over
// and ctx's error when ctx ends.
func (t *Traffic) NextLabelled(ctx context.Context) (sundew.Event, Label, error) {
	if err := ctx.Err(); err != nil {
		return sundew.Event{}, Label{}, err
	}
	var e sundew.Event
	number, ok := t.next(&e)
	if !ok {
		return sundew.Event{}, Label{}, io.EOF
	}
	return e, t.label(number), nil
}

// Next returns the next batch, of Config.Batch events but for the last. It returns io.EOF when the configured duration
// is over and ctx's error when ctx ends.
func (t *Traffic) Next(ctx context.Context) (sundew.Batch, error) {
	if err := ctx.Err(); err != nil {
		return sundew.Batch{}, err
	}
	first := int64(t.sequence)
	events := make([]sundew.Event, t.config.Batch)
	n := 0
	for n < len(events) {
		if _, ok := t.next(&events[n]); !ok {
			break
		}
		n++
	}
	if n == 0 {
		return sundew.Batch{}, io.EOF
	}
	return sundew.Batch{
		Events:   events[:n],
		Position: sundew.Position{First: first, Next: int64(t.sequence)},
	}, nil
}

// Commit does nothing: traffic with the same configuration begins at its start again.
func (t *Traffic) Commit(context.Context, sundew.Batch) error { return nil }

// next fills in the next request and returns the number of the client that sends it; ok is false at the end.
func (t *Traffic) next(e *sundew.Event) (number uint32, ok bool) {
	t.launchDue()
	if len(t.queue) == 0 {
		return 0, false
	}
	now := t.queue[0]
	*e = sundew.NewEvent()
	e.Time = t.config.Start.Add(now.at).UTC().Truncate(precision)
	e.Host = Host
	e.RequestID = seal(t.config.Seed, t.sequence, now.number)
	e.Gateway = "sim-1"
	e.GatewayEpoch = 1
	e.GatewaySequence = t.sequence + 1
	e.Offset = int64(t.sequence)
	t.sequence++
	t.queue.postpone(now.client.request(now.at, e), t.config.Duration)
	return now.number, true
}

// launchDue starts the campaigns that begin before the next request.
func (t *Traffic) launchDue() {
	for {
		l, ok := t.schedule.next()
		if !ok || (len(t.queue) > 0 && l.at > t.queue[0].at) {
			return
		}
		c := t.campaign(l)
		befallen, first := t.befall(c.number, c, c.begin)
		t.queue.add(turn{first, c.number, befallen})
		t.schedule.advance()
	}
}

// befall lays the incidents on a client.
func (t *Traffic) befall(number uint32, c client, first time.Duration) (client, time.Duration) {
	for i := range t.incidents {
		o := &t.incidents[i]
		c, first = o.touch(o, number, c, first)
	}
	return c, first
}
