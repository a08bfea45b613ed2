package rules

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// A ladder is the rungs of a policy, the mildest first.
type ladder []rung

// A rung is what happens from a number of points on.
type rung struct {
	at     float64 // points
	nats   float64 // a calibrated score needs this much evidence besides: exp(-nats) bounds its false alarms
	do     sundew.Action
	delay  delay
	jitter float64 // share of the delay that varies from decision to decision, 0 to 1
	ttl    time.Duration
	again  escalation
}

// A delay of a tarpit grows with the points above the rung.
type delay struct{ min, perPoint, max time.Duration }

// An escalation lengthens the stay of those who come back: the ttl times factor for every earlier stay that memory
// still holds, up to max.
type escalation struct {
	factor float64
	max    time.Duration
	memory time.Duration
}

const maxTTL = 30 * day

func (f *file) readLadder(n *yaml.Node) ladder {
	var l ladder
	f.sequence("ladder", func(n *yaml.Node) { l = append(l, f.readRung(n)) })(n)
	if len(l) == 0 {
		f.note(n, "", "ladder: no rung")
	}
	if !slices.IsSortedFunc(l, func(a, b rung) int { return cmp.Compare(a.at, b.at) }) ||
		!slices.IsSortedFunc(l, func(a, b rung) int { return cmp.Compare(a.do, b.do) }) {
		f.note(n, "", "ladder: rungs must rise in points and in hardness")
	}
	return l
}

func (f *file) readRung(n *yaml.Node) rung {
	var r rung
	var slow *yaml.Node
	f.object(n, "rung",
		required("at", f.number(&r.at, 0, 100)),
		optional("nats", f.number(&r.nats, 0, 1000)),
		required("do", f.action(&r.do)),
		optional("delay", func(n *yaml.Node) { slow = n; f.readDelay(n, &r.delay) }),
		optional("jitter", f.share(&r.jitter)),
		required("ttl", f.duration(&r.ttl, time.Second, maxTTL)),
		optional("escalate", func(n *yaml.Node) { f.readEscalation(n, &r.again) }),
	)
	if (r.do == sundew.ActionTarpit) != (slow != nil) {
		f.note(n, "", "rung: a tarpit has a delay and nothing else has one")
	}
	return r
}

// readDelay reads one duration or {min, per_point, max}.
func (f *file) readDelay(n *yaml.Node, d *delay) {
	const longest = time.Minute
	if n != nil && n.Kind == yaml.ScalarNode {
		f.duration(&d.min, time.Millisecond, longest)(n)
		d.max = d.min
		return
	}
	f.object(n, "delay",
		required("min", f.duration(&d.min, time.Millisecond, longest)),
		required("per_point", f.duration(&d.perPoint, 0, longest)),
		required("max", f.duration(&d.max, time.Millisecond, longest)),
	)
	if n == nil {
		f.form = schema{"anyOf": []schema{durationForm, f.form}}
		return
	}
	if d.max < d.min {
		f.note(n, "", "delay: max %s is less than min %s", d.max, d.min)
	}
}

func (f *file) readEscalation(n *yaml.Node, e *escalation) {
	f.object(n, "escalate",
		required("factor", f.number(&e.factor, 1, 100)),
		required("max", f.duration(&e.max, time.Second, maxTTL)),
		required("memory", f.duration(&e.memory, time.Second, 90*day)),
	)
}

// delayAt returns the delay for a level of points, before jitter.
func (r *rung) delayAt(level float64) time.Duration {
	if r.do != sundew.ActionTarpit {
		return 0
	}
	above := max(0, level-r.at)
	return min(r.delay.max, r.delay.min+time.Duration(above*float64(r.delay.perPoint)).Round(time.Millisecond))
}

// ttlAfter returns how long a stay lasts after so many earlier ones.
func (r *rung) ttlAfter(stays int) time.Duration {
	if r.again.factor == 0 {
		return r.ttl
	}
	ttl := float64(r.ttl) * math.Pow(r.again.factor, float64(stays))
	return time.Duration(min(ttl, float64(max(r.again.max, r.ttl))))
}

// vary moves a delay by up to the share of jitter, up or down, as the decision's identity says: a replay gives the same
// delay, and the one who is delayed cannot tell the rung from it.
func vary(d time.Duration, jitter float64, id string) time.Duration {
	if d == 0 || jitter == 0 {
		return d
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	offset := float64(float64(h.Sum32())/math.MaxUint32*2) - 1
	return max(time.Millisecond, time.Duration(float64(d)*(1+float64(jitter*offset))).Round(time.Millisecond))
}
