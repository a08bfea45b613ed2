package sim

import (
	"time"

	"sundew"
)

// client is somebody who sends requests, a person or a machine, welcome or not.
type client interface {
	// request fills in the request that the client sends at the given time after the start, and returns when it sends the
	// next one: not before at, and never when there is none.
	request(at time.Duration, e *sundew.Event) (next time.Duration)
}

// turn is a client and the time of its next request.
type turn struct {
	at     time.Duration
	number uint32
	client client
}

func (a *turn) before(b *turn) bool {
	return a.at < b.at || (a.at == b.at && a.number < b.number)
}

// queue is a binary heap of turns, the earliest first; turns at one moment are ordered by number. It is a type of its
// own because the usual step, putting the first turn back at a later time, costs container/heap twice as much.
type queue []turn

// add puts a turn in.
func (q *queue) add(t turn) {
	*q = append(*q, t)
	turns := *q
	for i := len(turns) - 1; i > 0; {
		parent := (i - 1) / 2
		if !turns[i].before(&turns[parent]) {
			return
		}
		turns[i], turns[parent] = turns[parent], turns[i]
		i = parent
	}
}

// postpone moves the first turn to the given time, or out of the queue when that is not before the end.
func (q *queue) postpone(at, end time.Duration) {
	turns := *q
	if at < end {
		turns[0].at = at
	} else {
		last := len(turns) - 1
		turns[0] = turns[last]
		turns[last] = turn{}
		turns = turns[:last]
		*q = turns
	}
	turns.sink()
}

func (q queue) sink() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(q) {
			return
		}
		if right := child + 1; right < len(q) && q[right].before(&q[child]) {
			child = right
		}
		if !q[child].before(&q[i]) {
			return
		}
		q[i], q[child] = q[child], q[i]
		i = child
	}
}
