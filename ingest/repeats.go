package ingest

import "sundew"

// generation is how many offsets of a partition one set of stamps covers. A repeat is known at a distance of at least
// generation and less than twice as many records: a body that is sent again, and what came in between.
const generation = 1 << 19

// repeats tells which stamped lines of a partition were there before, so that what a gateway or the producer sent twice
// counts once. A stamp is complete with gateway, epoch and sequence; lines without one are never repeats.
//
// What it knows at an offset is a function of the records since the start of the generation in front of that offset's, so
// it needs no snapshot: who begins in the middle of the log reads those again (see warmFrom) and knows the same. The zero
// value knows nothing.
type repeats struct {
	current       int64 // the generation, offset / generation
	before, since map[stampBlock]uint64
}

// stampBlock is 64 consecutive sequences of one start of a gateway.
type stampBlock struct {
	gateway      string
	epoch, block uint64
}

// warmFrom returns the offset from which records must be seen for repeats to be known at next.
func warmFrom(next int64) int64 { return max(next/generation-1, 0) * generation }

// seen says whether the stamp of e was seen, and remembers it. Offsets rise from call to call.
func (r *repeats) seen(e *sundew.Event) bool {
	r.advance(e.Offset / generation)
	if e.Gateway == "" || e.GatewayEpoch == 0 || e.GatewaySequence == 0 {
		return false
	}
	at := stampBlock{e.Gateway, e.GatewayEpoch, e.GatewaySequence / 64}
	bit := uint64(1) << (e.GatewaySequence % 64)
	since := r.since[at]
	r.since[at] = since | bit
	return (since|r.before[at])&bit != 0
}

// advance forgets what is two generations old.
func (r *repeats) advance(now int64) {
	switch {
	case r.since != nil && now == r.current:
		return
	case r.since != nil && now == r.current+1:
		r.before = r.since
	default:
		r.before = nil
	}
	r.current, r.since = now, map[stampBlock]uint64{}
}
