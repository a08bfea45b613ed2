package scoring

import "sundew"

// close ends the client-day and begins the given one. What it saw joins the entity's trusted past, the less of it the more
// points the entity had, and nothing of a day on which it was convicted: who stops each day when found must not become a
// habit. A day of an entity that an analyst called legitimate is trusted whatever points it had.
func (s *state) close(day uint16, legitimate bool) {
	weight := 1 - float64(s.DayPoints)/100
	switch {
	case legitimate:
		weight = 1
	case s.DayPoints >= convicted:
		weight = 0
	}
	for i := range s.HotDuels {
		s.HotDuels[i].close(weight)
	}
	if s.hasCold() {
		c := s.cold()
		for i := range c.Duels {
			c.Duels[i].close(weight)
		}
		c.Ledgers = [numChannels - numHot]ledger{}
	}
	s.closeQuota(weight)
	s.closeRate(weight)
	s.closeTenure(uint32(day - s.Day))
	s.closeVolume(weight)
	for set := range numCovered {
		s.setMembers(inToday(set), 0)
	}
	s.setMembers(facesToday, 0)
	s.HotLedgers, s.All, s.Trials, s.Hours = [numHot]ledger{}, 0, 0, 0
	s.Day, s.DayPoints, s.DayMost = day, 0, 0
}

// judge lets every channel of the entity's kind take its part of the event. Where an address or a network is shared, a
// tenured device answers for what it does itself, and the address only for how much.
func (s *state) judge(t *trial) {
	product := 1.0
	answered := t.tenured != 0 && s.shared()
	for _, ch := range channelsOf[s.Kind] {
		if answered && !channels[ch].crowd {
			continue
		}
		ratio, start, tried := channels[ch].step(s, t)
		if !tried {
			continue
		}
		s.ledger(ch).step(start, ratio)
		product *= ratio
	}
	s.All.step(startWeight(s.Trials), product)
	s.Trials++
}

// evidence is the entity's e-value, the ledgers weighed by a mixture.
func (s *state) evidence(m *mixture) float64 {
	sum := float64(m[partAll] * float64(s.All))
	for ch, ledger := range s.HotLedgers {
		sum += float64(m[ch] * float64(ledger))
	}
	if s.hasCold() {
		for i, ledger := range s.coldPart.Ledgers {
			sum += float64(m[numHot+i] * float64(ledger))
		}
	}
	return sum
}

// maxReasons is how many channels a score names.
const maxReasons = 4

// explain returns the channels that speak loudest for abuse, strongest first.
func (s *state) explain() []sundew.Evidence {
	var loudest [maxReasons]int
	n := 0
	for ch := range numChannels {
		m := *s.ledger(ch)
		if m <= 1 {
			continue
		}
		at := n
		for at > 0 && m > *s.ledger(loudest[at-1]) {
			at--
		}
		if at == maxReasons {
			continue
		}
		n = min(n+1, maxReasons)
		copy(loudest[at+1:n], loudest[at:n-1])
		loudest[at] = ch
	}
	reasons := make([]sundew.Evidence, 0, n)
	for _, ch := range loudest[:n] {
		observed, expected, window, sentence := channels[ch].explain(s)
		reasons = append(reasons, sundew.Evidence{
			Channel: channels[ch].name, Nats: s.ledger(ch).nats(), Observed: observed, Expected: expected, Window: window, Sentence: sentence,
		})
	}
	return reasons
}
