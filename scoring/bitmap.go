package scoring

import (
	"math"
	"math/bits"
)

// The sets whose distinct members are counted. The first four are also what the coverage channels watch.
const (
	setPaths = iota
	setAccounts
	setDevices
	setObjects
	setUserAgents
	setUsernames
	numSets
	numCovered = setObjects + 1
)

// Bitmaps of members, hashed to one bit each. Those of paths fill at once and are hot; most of the others have one
// member, if any, for most entities.
const (
	pathsThisHour = iota
	pathsLastHour
	pathsToday
	numHotBitmaps

	facesToday   = iota - 1 // shown today
	devicesToday            // behind it today and the day before
	devicesBefore
	tenuredToday // of these the tenured ones
	tenuredBefore
	networksToday  // it came from
	networkBefore  // the first one of the latest trusted day
	softwareBefore // likewise
	routeBefore    // of the event before
	thisHour       // of the first set after paths; the others follow
	lastHour       = thisHour + numSets - 1
	today          = lastHour + numSets - 1 // the same for the covered sets
	numBitmaps     = today + numCovered - 1
)

// The bitmaps of a set's members in this hour, in the one before, and today.
func inThisHour(set int) int { return bitmapOf(set, pathsThisHour, thisHour) }
func inLastHour(set int) int { return bitmapOf(set, pathsLastHour, lastHour) }
func inToday(set int) int    { return bitmapOf(set, pathsToday, today) }

func bitmapOf(set, ofPaths, ofOthers int) int {
	if set == setPaths {
		return ofPaths
	}
	return ofOthers + set - 1
}

// many in place of a lone member says that the bitmap is in the crowd part.
const many = ^uint8(0)

// members is a bitmap. A lone member is kept as its number from 1 on.
func (s *state) members(bitmap int) uint64 {
	if bitmap < numHotBitmaps {
		return s.Paths[bitmap]
	}
	bitmap -= numHotBitmaps
	switch lone := s.Lone[bitmap]; lone {
	case 0:
		return 0
	case many:
		return s.crowdPart.Many[bitmap]
	default:
		return 1 << (lone - 1)
	}
}

// setMembers replaces a bitmap.
func (s *state) setMembers(bitmap int, members uint64) {
	if bitmap < numHotBitmaps {
		s.Paths[bitmap] = members
		return
	}
	bitmap -= numHotBitmaps
	lone := &s.Lone[bitmap]
	if members&(members-1) != 0 {
		*lone = many
		s.crowdTouched = true
		s.crowdPart.Many[bitmap] = members
		return
	}
	if *lone == many {
		s.crowdTouched = true
		s.crowdPart.Many[bitmap] = 0
	}
	*lone = uint8(bits.Len64(members))
}

// addMembers adds bits to a bitmap.
func (s *state) addMembers(bitmap int, more uint64) {
	if before := s.members(bitmap); before|more != before {
		s.setMembers(bitmap, before|more)
	}
}

// slideMembers moves a pair of bitmaps forward by steps.
func (s *state) slideMembers(now, before int, steps uint32) {
	if steps == 0 || s.members(now)|s.members(before) == 0 {
		return
	}
	var left uint64
	if steps == 1 {
		left = s.members(now)
	}
	s.setMembers(before, left)
	s.setMembers(now, 0)
}

// distinct estimates the number of members of a set from its bitmap by linear counting (Whang, Vander-Zanden and Taylor,
// 1990). It saturates at 64 ln 64, about 266.
func distinct(bitmap uint64) float64 { return distinctOf[bits.OnesCount64(bitmap)] }

var distinctOf = func() (estimate [65]float64) {
	for set := range estimate {
		estimate[set] = math.Round(64 * math.Log(64/max(float64(64-set), 1)))
	}
	return estimate
}()
