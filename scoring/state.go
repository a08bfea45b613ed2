package scoring

import (
	"math"
	"time"
)

// Channels, in the order of the ledgers. The first have something to say about nearly every entity and keep their ledgers
// and duels in the hot part of its state. A new channel is appended: the numbers stand in snapshots.
const (
	chRate = iota
	chClientError
	chPaths
	chDevices
	chLimited
	chAuth
	chAccounts
	chObjects
	chForged
	chUnproven
	chCaptcha
	chSequence
	chSignature
	chConsistency
	chDuration
	chQuota
	chFresh
	chDenied
	chPast
	chNetworks
	chTiming
	chRoutes
	chWrites
	chVolume
	numChannels
	numHot = chLimited + 1
)

// The counts that windows are kept of.
const (
	cntRequests = iota
	cntClientErrors
	cntNotFound
	cntDenied
	cntServerErrors
	cntRateLimited
	cntAuthAttempts
	cntAuthFailures
	numCounts
)

// state is all that is kept of one entity, as its turn sees it. No part holds a pointer, so that a table of millions costs
// the garbage collector nothing, and every part has only fixed-size fields, so that a snapshot is its bytes.
//
// The hot part is what every event of everybody needs. Most entities need no more: the other parts are blank until an
// event writes to them, and are kept from then on until a day's end finds them blank again. They are reached through
// methods alone, which note that they may have been written to.
type state struct {
	*hot
	coldPart   *cold
	crowdPart  *crowd
	volumePart *volume
	believed   *believed // of the population

	coldTouched, crowdTouched, volumeTouched bool
}

// hot is four cache lines.
type hot struct {
	Hash        uint64 // keyed hash of kind and key
	First, Last uint32 // event time in Unix seconds; the windows and the ledgers stand at Last
	Kind        uint8
	Points      uint8   // after the last event
	DayPoints   uint8   // the most today
	Told        uint8   // what was voted on in ToldMinute
	Day         uint16  // days since 1970 of the ledgers
	InMinute    uint16  // requests in Minute
	Minute      uint32  // minutes since 1970 of the open window
	DayMost     float32 // the highest e-value today, before calibration

	HotLedgers [numHot]ledger
	All        ledger // product of the channels' ratios event by event
	Trials     uint32 // events today

	PastMean    float32               // mean requests per active minute of the trusted past
	PastWindows float32               // active minutes it rests on, at most maxPastWindows
	TodayCount  uint32                // requests in closed minutes today
	LatestMean  float32               // further requests per minute in the latest closed ones
	RateWeights [rateLaws - 1]float32 // the last law has the rest
	Volume      uint32                // number of another part, as Cold and Crowd

	PerHour  [2]uint32 // requests in this hour and in the one before
	BytesOut [2]uint32 // kibibytes in these 10 minutes and in the 10 before

	Paths [numHotBitmaps]uint64 // bitmaps of their own

	Counts [numCounts][2]uint16 // in these 10 minutes and in the 10 before
	PerMin [2]uint16            // requests in this minute and in the one before

	Windows  uint16                            // active minutes today, saturating
	HotDuels [numHot - 1]duel                  // of the hot channels after chRate, which has none
	Lone     [numBitmaps - numHotBitmaps]uint8 // the bitmaps with at most one member, see members

	Cold, Crowd uint32 // numbers of the other parts, 0 without

	ToldMinute uint32 // minutes since 1970 of the last vote on the climate
	Hours      uint32 // of the UTC day that were active today, one bit each

	QuotaMean  float32 // mean requests of a day of the trusted past
	QuotaDays  float32 // days it rests on, at most maxQuotaDays
	QuotaLimit float32 // requests that are allowed for today, 0 while there is no measure
}

// cold is what few entities need: the channels that seldom have something to say.
type cold struct {
	LastObject uint64 // number of the object that was asked for last, 0 before there was one
	LastTimed  uint32 // event time in Unix seconds of the last event that the timing channel saw
	LastGap    uint32 // seconds between it and the one before
	Ledgers    [numChannels - numHot]ledger
	Duels      [numChannels - numHot]duel
}

// crowd holds the bitmaps with more than one member.
type crowd struct {
	Many [numBitmaps - numHotBitmaps]uint64
}

// volume holds the requests by route of an entity that sends more than a few in a day.
type volume struct {
	Window uint32  // ten minutes since 1970 that the counts are of
	Most   float32 // the evidence that it has given today, 0 while it has given none
	Of     uint16  // the class of route that gave it
	Usual  uint16  // requests that others stay within
	Routes [routeSlots]routeCount
}

// routeCount is the requests for one class of routes.
type routeCount struct {
	Class  uint16 // 0 for none
	Count  uint8  // in the window, saturating
	Peak   uint8  // bin of the most of any window today
	Before uint8  // the same of the trusted past
}

// hasCold is false where the cold part is surely blank.
func (s *state) hasCold() bool { return s.Cold != 0 || s.coldTouched }

// cold gives the cold part for reading or writing.
func (s *state) cold() *cold {
	s.coldTouched = true
	return s.coldPart
}

// volume gives the day's requests by route for reading or writing.
func (s *state) volume() *volume {
	s.volumeTouched = true
	return s.volumePart
}

// duel is the channel's; chRate has none.
func (s *state) duel(ch int) *duel {
	if ch < numHot {
		return &s.HotDuels[ch-1]
	}
	return &s.cold().Duels[ch-numHot]
}

// trials is how many the channel's duel had today.
func (s *state) trials(ch int) uint16 {
	if ch < numHot {
		return s.HotDuels[ch-1].Trials
	}
	return s.coldPart.Duels[ch-numHot].Trials
}

func (s *state) ledger(ch int) *ledger {
	if ch < numHot {
		return &s.HotLedgers[ch]
	}
	return &s.cold().Ledgers[ch-numHot]
}

// secondOf is a time in Unix seconds, within what 32 bits hold.
func secondOf(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), math.MaxUint32)) }

// minuteOf is the minute, since 1970, of a time in Unix seconds.
func minuteOf(second uint32) uint32 { return second / 60 }

// dayOf is the UTC day, in days since 1970, of a time in Unix seconds.
func dayOf(second uint32) uint16 { return uint16(second / secondsPerDay) }

const (
	secondsPerDay  = 86_400
	maxPastWindows = 100
)

// slide moves a pair of buckets forward by steps and returns it.
func slide[T any](pair [2]T, steps uint32) [2]T {
	var zero T
	switch steps {
	case 0:
		return pair
	case 1:
		return [2]T{zero, pair[0]}
	default:
		return [2]T{zero, zero}
	}
}

// blend is a sliding count: this bucket, and of the one before what the window still covers.
func blend[T uint16 | uint32](pair [2]T, elapsed float64) float64 {
	return float64(pair[0]) + float64(float64(pair[1])*(1-elapsed))
}

// addTo adds n to a bucket that saturates.
func addTo[T uint8 | uint16 | uint32](bucket *T, n T) {
	if sum := *bucket + n; sum >= n {
		*bucket = sum
		return
	}
	*bucket = ^T(0)
}
