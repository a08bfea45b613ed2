package scoring

import "sundew"

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

	lessons lessons

	flows flows          // of the epochs before
	ways  [numFlows]ways // what they say; not part of the state

	volumes *volumes

	knownRates knownRates
	heard      knownHeard
	believed   believed // what they say
}

func newPopulation() population {
	p := population{climate: calm, lessons: newLessons(), volumes: new(volumes), believed: newBelieved()}
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
			e.close(c, s, uint16(p.day.Now))
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
	var cast []castVote
	for i := range e.cells {
		cast = append(cast, e.cells[i].high...)
		e.cells[i].votes, e.cells[i].high = [segments]pool{}, nil
	}
	p.lessons.remember(cast)
	p.lessons.turn(uint16(p.day.Now))
	e.turnFlows()
	e.turnVolumes()
	e.turnRates()
	e.turnMeans()
}

// close ends the entity's client-day if it is before the given one. The client-day votes with its highest evidence, unless
// an analyst called the entity an abuser. That of one who was called legitimate counts as the highest that the tail is fitted
// to, whatever evidence it had: beyond that nobody counts, because there the unlabelled are mostly abusers.
func (e *Engine) close(c *cell, s *state, day uint16) {
	if day <= s.Day {
		return
	}
	verdict := e.population.lessons.verdict(s.Hash)
	if s.Trials > 0 && verdict != sundew.VerdictAbuse {
		segment, bin := segmentOf(s), evidenceBin(float64(s.DayMost))
		if verdict == sundew.VerdictLegitimate {
			bin = min(bin, actedOn-1)
		}
		c.votes[segment][bin]++
		if bin >= highVote && len(c.high) < maxHigh {
			c.high = append(c.high, castVote{s.Hash, uint8(segment), c.number, uint16(bin)})
		}
	}
	if s.Trials > 0 && verdict != sundew.VerdictAbuse && s.DayPoints < convicted {
		c.volumes.cast(s)
		c.rates.vote(s, e.population.believed.Rates[s.Kind])
		c.heard.vote(s)
	}
	s.close(day, verdict == sundew.VerdictLegitimate)
}
