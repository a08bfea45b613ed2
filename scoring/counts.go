package scoring

import (
	"math/bits"

	"sundew"
)

// count counts the event in the windows.
func (s *state) count(t *trial) {
	addTo(&s.PerMin[0], 1)
	addTo(&s.PerHour[0], 1)
	addTo(&s.BytesOut[0], t.kibibytes)
	for counts := t.counts; counts != 0; counts &= counts - 1 {
		addTo(&s.Counts[bits.TrailingZeros16(counts)][0], 1)
	}
	for set, bit := range t.bits {
		if bit != 0 {
			s.addMembers(inThisHour(set), bit)
		}
	}
	s.meet(t)
}

// countsOf has a bit for each count that the event adds to.
func countsOf(t *trial) (counts uint16) {
	for i, yes := range [numCounts]bool{
		cntRequests:     true,
		cntClientErrors: t.clientError,
		cntNotFound:     t.status == 404 || t.status == 410,
		cntDenied:       t.status == 401 || t.status == 403,
		cntServerErrors: t.status >= 500 && t.status <= 599,
		cntRateLimited:  t.status == statusTooManyRequests,
		cntAuthAttempts: t.authAttempt,
		cntAuthFailures: t.authFailure,
	} {
		if yes {
			counts |= 1 << i
		}
	}
	return counts
}

// advance brings the windows to the time of an event; one from before the last counts as simultaneous with it.
func (s *state) advance(second uint32) {
	before := s.Last
	s.Last = max(before, second)
	s.slide(before, s.Last)
}

// slide opens new buckets for the time from one second to a later one.
func (s *state) slide(from, to uint32) {
	if from/60 == to/60 {
		return
	}
	s.PerMin = slide(s.PerMin, to/60-from/60)
	if steps := to/600 - from/600; steps > 0 {
		for i := range s.Counts {
			s.Counts[i] = slide(s.Counts[i], steps)
		}
		s.BytesOut = slide(s.BytesOut, steps)
	}
	if steps := to/3600 - from/3600; steps > 0 {
		for set := range numSets {
			s.slideMembers(inThisHour(set), inLastHour(set), steps)
		}
		s.PerHour = slide(s.PerHour, steps)
	}
}

// features fills in the counts that rules may ask for, as of the state's time.
func (s *state) features(f *sundew.Features, c *climate) {
	*f = sundew.Features{}
	ofMinute := float64(s.Last%60) / 60
	ofTen := float64(s.Last%600) / 600
	ofHour := float64(s.Last%3600) / 3600
	f[sundew.Requests1m] = blend(s.PerMin, ofMinute)
	f[sundew.Requests1h] = blend(s.PerHour, ofHour)
	for i, feature := range countFeatures {
		f[feature] = blend(s.Counts[i], ofTen)
	}
	f[sundew.ClientErrorRatio10m] = ratio(f[sundew.ClientErrors10m], f[sundew.Requests10m])
	f[sundew.AuthFailureRatio10m] = ratio(f[sundew.AuthFailures10m], f[sundew.AuthAttempts10m])
	for set, feature := range setFeatures {
		f[feature] = distinct(s.members(inThisHour(set)) | s.members(inLastHour(set)))
	}
	f[sundew.BytesOut10m] = 1024 * blend(s.BytesOut, ofTen)
	f[sundew.AgeSeconds] = float64(s.Last - s.First)
	f[sundew.TenuredDevices24h] = s.tenured()
	f[sundew.FailureLift10m] = c.lift(s.Kind)
}

var countFeatures = [numCounts]sundew.Feature{
	cntRequests:     sundew.Requests10m,
	cntClientErrors: sundew.ClientErrors10m,
	cntNotFound:     sundew.NotFound10m,
	cntDenied:       sundew.Denied10m,
	cntServerErrors: sundew.ServerErrors10m,
	cntRateLimited:  sundew.RateLimited10m,
	cntAuthAttempts: sundew.AuthAttempts10m,
	cntAuthFailures: sundew.AuthFailures10m,
}

var setFeatures = [numSets]sundew.Feature{
	setPaths:      sundew.DistinctPaths1h,
	setAccounts:   sundew.DistinctAccounts1h,
	setDevices:    sundew.DistinctDevices1h,
	setObjects:    sundew.DistinctObjects1h,
	setUserAgents: sundew.DistinctUserAgents1h,
	setUsernames:  sundew.DistinctUsernames1h,
}

func ratio(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}
