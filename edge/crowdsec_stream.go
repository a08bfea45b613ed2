package edge

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
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

	gone    targets[*sundew.Decision] // to be deleted
	touched targets[bool]             // to be announced if something stands there; whether the client may know it already
	cleared map[sundew.Entity]bool    // entities of gone
	news    []byte
	deleted []byte
}

// targets is a map that remembers the order in which its keys came. The zero value is empty and ready.
type targets[V any] struct {
	of    map[target]V
	order []target
}

func (m *targets[V]) set(t target, v V) {
	if m.of == nil {
		m.of = make(map[target]V)
	}
	if _, known := m.of[t]; !known {
		m.order = append(m.order, t)
	}
	m.of[t] = v
}

func (c *crowdsec) newDelta(p poller, q query, key Key, now time.Time) *delta {
	return &delta{crowdsec: c, query: q, key: key, now: now, state: p.begin(now), cleared: make(map[sundew.Entity]bool)}
}

// everything lists all that stands. Deletions are those that a client which already has a list could not know of:
// decisions that ended before their expiry.
func (d *delta) everything() {
	standing := d.log.list()
	var longest targets[*sundew.Decision]
	for _, it := range standing.items {
		t, ok := d.tellsCounted(&it.decision)
		switch known := longest.of[t]; {
		case !ok || !it.decision.InForce(d.now):
		case d.query.everyone:
			d.announce(t, &it.decision)
		case known == nil || it.decision.Expires.After(known.Expires):
			longest.set(t, &it.decision)
		}
	}
	for _, t := range longest.order {
		d.announce(t, longest.of[t])
	}
	d.deleteEarlyEnded()
	d.state = poller{placed: true, seq: standing.cursor.Seq, listed: d.now}
}

func (d *delta) deleteEarlyEnded() {
	raw, _, _, _ := d.log.delta(d.log.oldest())
	for _, c := range lastOfEach(raw) {
		decision := &c.item.decision
		t, ok := d.tells(decision)
		if !ok || c.op != sundew.OpDelete || !decision.InForce(d.now) || d.gone.of[t] != nil || len(d.targetsAt(t.entity)) > 0 {
			continue
		}
		d.gone.set(t, decision)
		d.delete(t, decision)
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
	d.sort(raw)
	for _, t := range d.gone.order {
		d.delete(t, d.gone.of[t])
	}
	for _, t := range d.touched.order {
		d.announceOrHold(t, d.touched.of[t])
	}
	d.state.seq = next.Seq
	return true
}

// sort tells what is gone from what may have to be announced.
func (d *delta) sort(raw []change) {
	for _, t := range slices.SortedFunc(maps.Keys(d.state.owed), compareTargets) {
		d.touched.set(t, false)
	}
	for _, c := range raw {
		t, ok := d.tellsCounted(&c.item.decision)
		switch {
		case !ok:
		case c.op == sundew.OpAdd:
			d.touched.set(t, d.touched.of[t] || c.again)
		case d.standing(t) == nil:
			d.gone.set(t, &c.item.decision)
			d.cleared[t.entity] = true
		}
	}
	for _, t := range d.gone.order { // whatever else stands for the entity is told again afterwards
		for _, other := range d.targetsAt(t.entity) {
			d.touched.set(other, d.touched.of[other])
		}
	}
}

func compareTargets(a, b target) int {
	return cmp.Or(
		cmp.Compare(a.entity.Kind, b.entity.Kind),
		cmp.Compare(a.entity.Key, b.entity.Key),
		cmp.Compare(a.remedy, b.remedy),
	)
}

// announceOrHold announces what stands for t, now or with a later answer.
func (d *delta) announceOrHold(t target, again bool) {
	delete(d.state.owed, t)
	decision := d.standing(t)
	switch {
	case decision == nil:
	case d.cleared[t.entity], d.state.ignores(t, again, d.now) && len(d.state.owed) < maxHeld:
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
	d.news = appendElement(d.news, t, decision, secondsLeft(decision, d.now))
}

func (d *delta) delete(t target, decision *sundew.Decision) {
	d.deleted = appendElement(d.deleted, t, decision, secondsOver(decision, d.now))
}

func appendElement(dst []byte, t target, decision *sundew.Decision, left time.Duration) []byte {
	if len(dst) > 0 {
		dst = append(dst, ',')
	}
	return appendCrowdSec(dst, t, decision, left)
}

// tells returns the target of a decision that this client is to hear of.
func (d *delta) tells(decision *sundew.Decision) (target, bool) {
	t, reason := d.targetOf(decision, d.key.Tarpit)
	return t, reason == "" && d.query.matches(t, decision)
}

// tellsCounted is tells, and counts what the protocol cannot express.
func (d *delta) tellsCounted(decision *sundew.Decision) (target, bool) {
	if _, reason := d.targetOf(decision, d.key.Tarpit); reason != "" {
		d.metrics.omitted.WithLabelValues(reason).Inc()
	}
	return d.tells(decision)
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

// targetsAt returns what this client is to know about an entity.
func (d *delta) targetsAt(e sundew.Entity) (found []target) {
	for _, it := range d.log.of(e) {
		if t, ok := d.tells(&it.decision); ok && it.decision.InForce(d.now) {
			found = append(found, t)
		}
	}
	return found
}

func (d *delta) body() []byte {
	body := make([]byte, 0, len(d.news)+len(d.deleted)+32)
	body = append(body, `{"new":[`...)
	body = append(body, d.news...)
	body = append(body, `],"deleted":[`...)
	body = append(body, d.deleted...)
	return append(body, "]}\n"...)
}
