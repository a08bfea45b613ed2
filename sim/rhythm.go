package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// The law of people's requests. Rates differ between people as Gamma(0.6); sessions begin by chance, last a geometric
// number of minutes with mean 1/0.3, and each minute adds a negative binomial count of size 1.2 and mean 4. Human
// traffic is such bursts between long silences, which is what makes plain rate thresholds wrong.
const (
	rateShape       = 0.6
	sessionEnds     = 0.3 // per minute
	minuteSize      = 1.2
	minuteMean      = 4.0
	requestsPerOpen = minuteMean / sessionEnds
	burstShare      = 0.4 // of requests that a screen sends right after the one before
	burstLow        = 30 * time.Millisecond
	burstHigh       = 250 * time.Millisecond
	secondsPerDay   = 86_400.0
)

// arrivals are moments that come by chance at a rate that swings with the time of day.
type arrivals struct {
	rng       *rand.Rand
	perSecond float64 // mean over the day
	season    float64 // 0 to 1
	midnight  time.Duration
	end       time.Duration
}

// after returns the next moment after at, or never when that is past the end. It thins a process at the peak's rate
// (Lewis, Shedler 1979).
func (a *arrivals) after(at time.Duration) time.Duration {
	peak := 1 + a.season
	for {
		gap := exponential(a.rng, a.perSecond*peak)
		if gap >= a.end-at {
			return never
		}
		at += gap
		if a.season == 0 || a.rng.Float64()*peak < a.factor(at) {
			return at
		}
	}
}

// factor is the rate at a moment as a multiple of its mean over the day.
func (a *arrivals) factor(at time.Duration) float64 {
	const day = 24 * time.Hour
	sinceNoon := (at - a.midnight - 12*time.Hour) % day
	return 1 + a.season*math.Sin(2*math.Pi*float64(sinceNoon)/float64(day))
}

// rhythm says when a person with the app sends requests.
type rhythm struct {
	opens     arrivals
	next      time.Duration // next opening of the app
	open      int           // sessions that last into the minute in hand
	minuteEnd time.Duration
	left      int // requests left in the minute
}

// first returns the time of the first request. The traffic begins in the middle of some sessions: as many as are open at
// a moment on average, of which each goes on as if it had just begun, since their law has no memory.
func (r *rhythm) first() time.Duration {
	r.next = r.opens.after(0)
	r.minuteEnd = between(r.opens.rng, 0, time.Minute)
	r.open = poisson(r.opens.rng, r.opens.perSecond*60*r.opens.factor(0)/sessionEnds)
	r.left = r.requests(r.minuteEnd.Minutes())
	at, _ := r.after(0)
	return at
}

// after returns when the person sends the request after the one at at, never when that is past the end, and whether the
// app was opened for it.
func (r *rhythm) after(at time.Duration) (due time.Duration, opened bool) {
	for r.left == 0 {
		at = r.minuteEnd
		if r.closeSome(); r.open == 0 {
			if r.next == never {
				return never, true
			}
			at, opened = max(at, r.next), true
		}
		for r.next <= at {
			r.open++
			r.next = r.opens.after(r.next)
		}
		r.minuteEnd = at + time.Minute
		r.left = r.requests(1)
	}
	due = at + r.gap(r.minuteEnd-at)
	r.left--
	return due, opened
}

// requests draws how many requests the open sessions send in a part of a minute.
func (r *rhythm) requests(part float64) int {
	sessions := float64(r.open) * part
	if sessions == 0 {
		return 0
	}
	return negativeBinomial(r.opens.rng, minuteSize*sessions, minuteMean*sessions)
}

// closeSome ends each open session with the chance that the law gives it.
func (r *rhythm) closeSome() {
	for range r.open {
		if chance(r.opens.rng, sessionEnds) {
			r.open--
		}
	}
}

// gap returns the time to the first of the requests left in what remains of the minute: right after the one before it,
// as a screen loads, or as the first of that many moments that are spread evenly.
func (r *rhythm) gap(remains time.Duration) time.Duration {
	if chance(r.opens.rng, burstShare) {
		return min(remains, between(r.opens.rng, burstLow, burstHigh))
	}
	return time.Duration(float64(remains) * (1 - math.Pow(r.opens.rng.Float64(), 1/float64(r.left))))
}
