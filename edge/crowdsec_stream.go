package edge

import (
	"net/http"
	"time"

	"sundew"
)

// stream answers GET /v1/decisions/stream: everything on startup=true or to a client that is not known, else what
// changed since the client's last complete answer.
func (c *crowdsec) stream(w http.ResponseWriter, r *http.Request, key Key) {
	id := pollerID{key.Name, peerOf(r).String()}
	state, generation, shared := c.pollers.arrive(id, r.UserAgent(), r.RemoteAddr)
	if shared {
		c.metrics.shared.WithLabelValues(key.Name).Inc()
		c.logger.WarnContext(r.Context(), "two CrowdSec clients seem to share a key and miss each other's changes: issue one key for each",
			"key", key.Name, "address", id.address, "agent", clipped(r.UserAgent(), sundew.MaxID))
	}
	d := c.newDelta(state, parseQuery(r.URL.Query()), key, c.log.now())
	if startup := r.URL.Query().Get("startup") == "true"; startup || !d.changes() {
		d.everything()
		c.metrics.answers.WithLabelValues("startup").Inc()
	} else {
		c.metrics.answers.WithLabelValues("delta").Inc()
	}
	if c.answer(w, r, http.StatusOK, d.body()) {
		c.pollers.leave(id, d.state, generation)
	}
}

// A delta is one answer in the making, and the client's state if the answer arrives.
//
// No value stands in both of its lists. A client that keeps one entry for each value and reads the deletions last would
// let somebody go who is listed for another reason, so an announcement that meets a deletion of its value waits for
// the next answer.
type delta struct {
	*crowdsec
	query query
	key   Key
	now   time.Time
	state poller

	gone    map[target]*sundew.Decision // to be deleted
	cleared map[sundew.Entity]bool               // whose values gone has
	news    []byte
	deleted []byte
}

func (c *crowdsec) newDelta(p poller, q query, key Key, now time.Time) *delta {
	return &delta{
		crowdsec: c, query: q, key: key, now: now, state: p.begin(now),
		gone: make(map[target]*sundew.Decision), cleared: make(map[sundew.Entity]bool),
	}
}

// everything lists all that stands. Deletions are those that a client which already has a list could not know of:
// decisions that ended before their expiry.
func (d *delta) everything() {
	standing := d.log.list()
	seen := make(map[target]*sundew.Decision, len(standing.items))
	order := make([]target, 0, len(standing.items))
	for _, it := range standing.items {
		t, ok := d.tells(&it.decision)
		if !ok || !it.decision.InForce(d.now) {
			continue
		}
		if d.query.everyone {
			d.announce(t, &it.decision)
			continue
		}
		longest, known := seen[t]
		if !known {
			order = append(order, t)
		}
		if !known || it.decision.Expires.After(longest.Expires) {
			seen[t] = &it.decision
		}
	}
	for _, t := range order {
		d.announce(t, seen[t])
	}
	d.deleteEarlyEnded()
	d.state.placed, d.state.seq, d.state.listed = true, standing.cursor.Seq, d.now
	clear(d.state.announced)
	clear(d.state.owed)
}

func (d *delta) deleteEarlyEnded() {
	raw, _, _, _ := d.log.delta(d.log.oldest())
	for _, c := range lastOfEach(raw) {
		t, ok := d.tells(&c.item.decision)
		if !ok || c.op != sundew.OpDelete || !c.item.decision.InForce(d.now) || d.gone[t] != nil || d.standsAt(t.entity) {
			continue
		}
		d.gone[t] = &c.item.decision
		d.deleted = d.appendTo(d.deleted, t, &c.item.decision, secondsOver(&c.item.decision, d.now))
	}
}

// changes lists what changed since the client's place. It returns false when the client has none, or one that the log
// does not reach back to.
func (d *delta) changes() bool {
	if !d.state.placed {
		return false
	}
	raw, next, _, ok := d.log.delta(sundew.Cursor{Epoch: d.log.epoch, Seq: d.state.seq})
	if !ok {
		return false
	}
	touched := d.touched(raw)
	for t, decision := range d.gone {
		d.deleted = d.appendTo(d.deleted, t, decision, secondsOver(decision, d.now))
	}
	for t, again := range touched {
		d.announceOrHold(t, again)
	}
	d.state.seq = next.Seq
	return true
}

// touched sorts the changes into what is gone and what may have to be announced, the latter with whether the client
// may have heard of it before.
func (d *delta) touched(raw []change) map[target]bool {
	touched := make(map[target]bool)
	for t := range d.state.owed {
		touched[t] = false
	}
	for _, c := range raw {
		t, ok := d.tells(&c.item.decision)
		if !ok {
			continue
		}
		if c.op == sundew.OpAdd {
			touched[t] = touched[t] || c.again
			continue
		}
		if d.standing(t) == nil {
			d.gone[t] = &c.item.decision
			d.cleared[t.entity] = true
		}
	}
	for s := range d.cleared { // others that stand for the same value are told again afterwards
		for _, t := range d.targetsAt(s) {
			touched[t] = touched[t]
		}
	}
	return touched
}

// announceOrHold announces what stands for t, now or with a later answer.
func (d *delta) announceOrHold(t target, again bool) {
	delete(d.state.owed, t)
	decision := d.standing(t)
	switch {
	case decision == nil:
	case d.cleared[t.entity], d.state.ignores(t, again, d.now):
		if len(d.state.owed) >= maxHeld {
			d.announce(t, decision)
			return
		}
		d.state.owed[t] = struct{}{}
		d.metrics.held.Inc()
	default:
		d.announce(t, decision)
		if len(d.state.announced) < maxHeld {
			d.state.announced[t] = d.now
		}
	}
}

func (d *delta) announce(t target, decision *sundew.Decision) {
	d.news = d.appendTo(d.news, t, decision, secondsLeft(decision, d.now))
}

func (d *delta) appendTo(dst []byte, t target, decision *sundew.Decision, left time.Duration) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	return appendCrowdSec(dst, t, decision, left)
}

// tells returns the target of a decision that this client is to hear of.
func (d *delta) tells(decision *sundew.Decision) (target, bool) {
	t, reason := d.targetOf(decision, d.key.Tarpit)
	if reason != "" {
		d.metrics.omitted.WithLabelValues(reason).Inc()
		return target{}, false
	}
	return t, d.query.matches(t, decision)
}

// standing returns the decision in force for t that ends last, nil if there is none.
func (d *delta) standing(t target) (longest *sundew.Decision) {
	for _, it := range d.log.of(t.entity) {
		decision := &it.decision
		if u, ok := d.tells(decision); !ok || u != t || !decision.InForce(d.now) {
			continue
		}
		if longest == nil || decision.Expires.After(longest.Expires) {
			longest = decision
		}
	}
	return longest
}

func (d *delta) targetsAt(s sundew.Entity) (targets []target) {
	for _, it := range d.log.of(s) {
		if t, ok := d.tells(&it.decision); ok && it.decision.InForce(d.now) {
			targets = append(targets, t)
		}
	}
	return targets
}

func (d *delta) standsAt(s sundew.Entity) bool { return len(d.targetsAt(s)) > 0 }

func (d *delta) body() []byte {
	body := make([]byte, 0, len(d.news)+len(d.deleted)+32)
	body = append(body, `{"new":[`...)
	body = append(body, d.news...)
	body = append(body, `],"deleted":[`...)
	body = append(body, d.deleted...)
	return append(body, "]}\n"...)
}
