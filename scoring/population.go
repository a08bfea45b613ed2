package scoring

// population is what the engine learns of all entities together.
//
// An epoch is a UTC day. What is known is replaced between epochs, the climate between minutes, and not changed in one, so
// that a score depends on the log before it and on nothing else.
type population struct {
	day, minute clock

	climate climate

	pools  [segments]pool // votes of client-days that are at least a day old
	recent [segments]pool // younger votes, in quarantine until the next epoch
	maps   [segments]calibration

	flows flows          // of the epochs before
	ways  [numFlows]ways // what they say; not part of the state
}

func newPopulation() population {
	p := population{climate: calm}
	for segment := range p.maps {
		p.maps[segment] = uncalibrated
	}
	return p
}

// turn ends an epoch: every entity's client-day closes and votes, also of those who never come back; the votes of the
// epoch before leave quarantine, and the calibrations are drawn anew.
func (e *Engine) turn() {
	p := &e.population
	e.eachCell(e.cells[:], func(c *cell) {
		for slot := range c.table.used {
			s := c.table.open(c.table.at(slot))
			c.close(s, uint16(p.day.Now))
			c.table.keep(s)
		}
	})
	for segment := range p.pools {
		p.pools[segment].join(&p.recent[segment])
		p.recent[segment] = pool{}
		for i := range e.cells {
			p.recent[segment].add(&e.cells[i].votes[segment])
		}
		p.maps[segment] = p.pools[segment].recalibrated(&p.maps[segment])
	}
	for i := range e.cells {
		e.cells[i].votes = [segments]pool{}
	}
	e.turnFlows()
}

// close ends the entity's client-day if it is before the given one. The client-day votes with its highest evidence.
func (c *cell) close(s *state, day uint16) {
	if day <= s.Day {
		return
	}
	if s.Trials > 0 {
		c.votes[segmentOf(s)][evidenceBin(float64(s.DayMost))]++
	}
	s.close(day)
}
