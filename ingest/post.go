package ingest

import (
	"bytes"
	"context"
	"time"

	"sundew"
)

// post is one body on its way into the log.
type post struct {
	intake
	who   *secret // nil for a client on this machine
	stamp stamp
	now   time.Time
}

// sourceOf names the listener and the token in dead letters.
func sourceOf(who *secret) string {
	if who == nil {
		return "http:local"
	}
	return "http:" + who.name
}

// run decodes every line and returns after the broker has acknowledged what became of each.
func (p *post) run(ctx context.Context, body []byte) error {
	p.complete = p.check
	if p.stamp.complete() {
		p.place = p.stamp.place
	}
	for line := range bytes.Lines(body) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		p.add(line[:min(len(line), maxEnvelope)], len(line), p.now)
		if p.size >= chunk {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
	}
	return p.flush(ctx)
}

// check refuses a line that claims to come from a gateway that the token is not for, and stamps the others.
func (p *post) check(e *sundew.Event, n int64) *LineError {
	if p.who != nil {
		if bad := ownGateway(e, p.who.gateway); bad != nil {
			return bad
		}
	}
	p.stamp.put(e, n)
	return nil
}

// ownGateway refuses an event that names another gateway than the one that its token is for, "" for any.
func ownGateway(e *sundew.Event, gateway string) *LineError {
	if gateway != "" && e.Gateway != "" && e.Gateway != gateway {
		return &LineError{"gateway of another token", e.Gateway}
	}
	return nil
}

// receipt is the answer to the body.
func (p *post) receipt() receipt {
	return receipt{Accepted: p.tally.parsed, Rejected: p.tally.rejected, Reasons: p.tally.reasons}
}
