package scoring

import "sundew"

// meet counts the event's device among those behind the entity. Where the log says no age, a device is tenured that the
// entity already showed the day before, provided that it was not convicted then.
func (s *state) meet(t *trial) {
	device := t.bits[setDevices]
	if device == 0 {
		return
	}
	s.addMembers(devicesToday, device)
	known := t.tenured
	if !t.aged {
		known |= device & s.members(devicesBefore)
	}
	s.addMembers(tenuredToday, known)
}

// tenured estimates how many tenured devices are behind the entity, as the larger of today's and yesterday's count, so
// that a crowd does not vanish at midnight. It is 0 where no devices are logged.
func (s *state) tenured() float64 {
	return max(distinct(s.members(tenuredToday)), distinct(s.members(tenuredBefore)))
}

// sharing is how many tenured devices behind an address or a network make it a shared one.
const sharing = 3

// shared says that the entity is a place where several known clients come from.
func (s *state) shared() bool {
	switch sundew.Kind(s.Kind) {
	case sundew.KindIP, sundew.KindPrefix:
		return s.tenured() >= sharing
	}
	return false
}

// closeTenure begins a day. What a convicted entity showed makes nobody tenured.
func (s *state) closeTenure(days uint32) {
	if s.DayPoints >= convicted {
		s.setMembers(devicesToday, 0)
	}
	s.slideMembers(devicesToday, devicesBefore, days)
	s.slideMembers(tenuredToday, tenuredBefore, days)
}
