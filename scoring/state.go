package scoring

import (
	"math"
	"math/bits"
)

// Channels, in the order of the ledgers. A new channel is appended: the numbers stand in snapshots.
const (
	chRate = iota
	chAuth
	chClientError
	chPaths
	chAccounts
	chDevices
	chObjects
	chForged
	chUnproven
	chCaptcha
	chSequence
	chSignature
	chConsistency
	numChannels
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

// state is all that is kept of one entity. It holds no pointer, so that a table of a million costs the garbage collector
// nothing, and only fixed-size fields, so that a snapshot is its bytes.
type state struct {
	Hash        uint64 // keyed hash of kind and key
	First, Last int64  // event time in Unix seconds
	Day         int32  // days since 1970 of the ledgers
	Kind        uint8
	Points      uint8 // after the last event
	DayPoints   uint8 // the most today
	_           uint8

	Ledgers [numChannels]ledger
	All     ledger // product of the channels' ratios event by event
	Trials  uint32 // events today

	Minute      int32   // minutes since 1970 of the open window
	InMinute    uint16  // requests in it
	Windows     uint16  // active minutes today, saturating
	PastMean    float32 // mean requests per active minute of the trusted past
	PastWindows float32 // active minutes it rests on, at most maxPastWindows
	TodayCount  uint32  // requests in closed minutes today
	LatestMean  float32 // further requests per minute in the latest closed ones
	RateWeights [rateLaws]float32

	Duels [numChannels]duel // chRate's is unused

	Covered [numCovered]uint64 // members seen today, hashed to one bit each
	Faces   uint64             // faces shown today, hashed to one bit each

	Devices [2]uint64 // devices behind it today and the day before, hashed to one bit each
	Tenured [2]uint64 // of these the tenured ones

	LastObject uint64 // number of the object that was asked for last, 0 before there was one

	Sets    [numSets][2]uint64 // members seen this hour and the hour before
	SetHour int32

	Counts   [numCounts][2]uint16 // in these 10 minutes and in the 10 before
	CountTen int32                // tens of minutes since 1970
	CountMin int32                // minutes since 1970
	PerMin   [2]uint16            // requests in this minute and in the one before
	PerHour  [2]uint32            // requests in this hour and in the one before
	BytesOut [2]uint32            // kibibytes in these 10 minutes and in the 10 before
}

const (
	secondsPerDay  = 86_400
	maxPastWindows = 100
	meanShrinkage  = 40 // active minutes that the population's mean weighs against the entity's own
)

// distinct estimates the number of members of a set from its bitmap by linear counting (Whang, Vander-Zanden and Taylor,
// 1990). It saturates at 64 ln 64, about 266.
func distinct(bitmap uint64) float64 { return distinctOf[bits.OnesCount64(bitmap)] }

var distinctOf = func() (estimate [65]float64) {
	for set := range estimate {
		estimate[set] = math.Round(64 * math.Log(64/max(float64(64-set), 1)))
	}
	return estimate
}()

// slide moves a pair of buckets forward by steps and returns it.
func slide[T any](pair [2]T, steps int32) [2]T {
	var zero T
	switch {
	case steps <= 0:
		return pair
	case steps == 1:
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
