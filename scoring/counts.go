package scoring

import "sundew"

// count moves the windows to the state's time and counts the event in them.
func (s *state) count(t *trial) {
	s.slideTo(s.Last)
	addTo(&s.PerMin[0], 1)
	addTo(&s.PerHour[0], 1)
	addTo(&s.BytesOut[0], t.kibibytes)
	for i, counts := range [numCounts]bool{
		cntRequests:     true,
		cntClientErrors: t.clientError,
		cntNotFound:     t.status == 404 || t.status == 410,
		cntDenied:       t.status == 401 || t.status == 403,
		cntServerErrors: t.status >= 500 && t.status <= 599,
		cntRateLimited:  t.status == statusTooManyRequests,
		cntAuthAttempts: t.authAttempt,
		cntAuthFailures: t.authFailure,
	} {
		if counts {
			addTo(&s.Counts[i][0], 1)
		}
	}
	for i, bit := range t.bits {
		s.Sets[i][0] |= bit
	}
	s.meet(t)
}

// slideTo opens new buckets for the time. The bucket numbers of minute and hour follow from that of the ten minutes and
// the hour, which are kept.
func (s *state) slideTo(second int64) {
	minute, ten, hour := int32(second/60), int32(second/600), int32(second/3600)
	if hour != s.SetHour {
		for i := range s.Sets {
			s.Sets[i] = slide(s.Sets[i], hour-s.SetHour)
		}
		s.PerHour = slide(s.PerHour, hour-s.SetHour)
		s.SetHour = hour
	}
	if ten != s.CountTen {
		for i := range s.Counts {
			s.Counts[i] = slide(s.Counts[i], ten-s.CountTen)
		}
		s.BytesOut = slide(s.BytesOut, ten-s.CountTen)
		s.CountTen = ten
	}
	if minute != s.CountMin {
		s.PerMin = slide(s.PerMin, minute-s.CountMin)
		s.CountMin = minute
	}
}

// features fills in the counts that rules may ask for, as of the state's time.
func (s *state) features(f *sundew.Features) {
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
	for i, feature := range setFeatures {
		f[feature] = distinct(s.Sets[i][0] | s.Sets[i][1])
	}
	f[sundew.BytesOut10m] = 1024 * blend(s.BytesOut, ofTen)
	f[sundew.AgeSeconds] = float64(s.Last - s.First)
	f[sundew.TenuredDevices24h] = s.tenured()
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
