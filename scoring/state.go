package scoring

import (
	"math"
	"math/bits"
	"time"
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
	chDuration
	chQuota
	chLimited
	chFresh
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
	First, Last uint32 // event time in Unix seconds; the windows and the ledgers stand at Last
	Kind        uint8
	Points      uint8   // after the last event
	DayPoints   uint8   // the most today
	DayMost     float32 // the highest e-value today, before calibration
	Day         uint16  // days since 1970 of the ledgers

	Ledgers [numChannels]ledger
	All     ledger // product of the channels' ratios event by event
	Trials  uint32 // events today

	Minute      uint32  // minutes since 1970 of the open window
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

	ToldMinute uint32    // minutes since 1970 of the last vote on the climate
	Told       uint8     // what was voted on in it
	Devices    [2]uint64 // devices behind it today and the day before, hashed to one bit each
	Tenured    [2]uint64 // of these the tenured ones

	LastObject uint64 // number of the object that was asked for last, 0 before there was one

	Hours uint32 // of the UTC day that were active today, one bit each

	QuotaMean  float32 // mean requests of a day of the trusted past
	QuotaDays  float32 // days it rests on, at most maxQuotaDays
	QuotaLimit float32 // requests that are allowed for today, 0 while there is no measure

	Sets [numSets][2]uint64 // members seen this hour and the hour before

	Counts   [numCounts][2]uint16 // in these 10 minutes and in the 10 before
	PerMin   [2]uint16            // requests in this minute and in the one before
	PerHour  [2]uint32            // requests in this hour and in the one before
	BytesOut [2]uint32            // kibibytes in these 10 minutes and in the 10 before
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
