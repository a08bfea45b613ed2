package scoring

// clock counts days or minutes by the times of the log. One gateway that is ahead of time must not move it: it goes on
// when events with a later time have come to outnumber the others by patience.
type clock struct {
	Now   uint32 // since 1970; 0 before the first event
	Ahead int32  // by how many events later times are in the lead
	Next  uint32 // the earliest of these times
}

const patience = 64

// moves takes an event's time into account and says whether the clock goes on to Next before that event.
func (c *clock) moves(to uint32) bool {
	if to <= c.Now {
		c.Ahead = max(c.Ahead-1, 0)
		return false
	}
	if c.Ahead == 0 || to < c.Next {
		c.Next = to
	}
	c.Ahead++
	if c.Ahead < patience {
		return false
	}
	*c = clock{Now: c.Next}
	return true
}
