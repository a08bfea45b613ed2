package sim

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// law is the mean and the variance of requests per day, and the share of minutes with any.
type law struct{ mean, variance, active float64 }

func measure(days [][]int) law {
	var l law
	minutes := 0
	for _, day := range days {
		total := 0
		for _, n := range day {
			total += n
			minutes++
			if n > 0 {
				l.active++
			}
		}
		l.mean += float64(total)
		l.variance += float64(total) * float64(total)
	}
	n := float64(len(days))
	l.mean /= n
	l.variance = l.variance/n - l.mean*l.mean
	l.active /= float64(minutes)
	return l
}

// slowDay is the law as it is written down: minute by minute, with every session on its own.
func slowDay(rng *rand.Rand, opensPerMinute, season float64) []int {
	day := make([]int, 1440)
	for begin := -120; begin < len(day); begin++ { // a session that begins before midnight lasts into the day
		factor := 1 + season*math.Sin(2*math.Pi*float64(begin-720)/1440)
		for range poisson(rng, opensPerMinute*factor) {
			for minute := begin; ; minute++ {
				if minute >= 0 && minute < len(day) {
					day[minute] += negativeBinomial(rng, minuteSize, minuteMean)
				}
				if rng.Float64() < sessionEnds {
					break
				}
			}
		}
	}
	return day
}

func day(t *testing.T, rng *rand.Rand, opensPerMinute, season float64) []int {
	t.Helper()
	const end = 24 * time.Hour
	r := rhythm{opens: arrivals{rng: rng, perSecond: opensPerMinute / 60, season: season, end: end}}
	minutes := make([]int, 1440)
	last := time.Duration(0)
	for at := r.first(); at < end; at, _ = r.after(at) {
		if at < last {
			t.Fatalf("a request at %s after one at %s", at, last)
		}
		last = at
		minutes[at/time.Minute]++
	}
	return minutes
}

// TestRhythmFollowsTheLaw compares days of the rhythm with as many of the slow model. For 1,000 days of a person of mean
// rate, who opens the app 36 times, the standard error of the mean is 0.75 per cent and that of the variance 4.7 (it is
// nearly normal), and of a difference 1.4 times as much; the tolerances are four of these. A session of the rhythm
// begins within a minute of the clock and so touches up to one minute more than the model's: hence the one-sided room for
// active minutes.
func TestRhythmFollowsTheLaw(t *testing.T) {
	for _, test := range []struct {
		story          string
		opensPerMinute float64
		season         float64
	}{
		{"a person of mean rate", 0.025, 0},
		{"a person of mean rate by night and day", 0.025, 0.6},
		{"somebody who mostly has the app open", 0.1, 0.6},
	} {
		t.Run(test.story, func(t *testing.T) {
			const n = 1000
			fast, slow := make([][]int, n), make([][]int, n)
			rng := newRand(7, forBehaviour, 0)
			for i := range n {
				fast[i] = day(t, rng, test.opensPerMinute, test.season)
				slow[i] = slowDay(rng, test.opensPerMinute, test.season)
			}
			got, want := measure(fast), measure(slow)
			if ratio := got.mean / want.mean; math.Abs(ratio-1) > 0.045 {
				t.Errorf("%.1f requests a day, the law has %.1f", got.mean, want.mean)
			}
			if ratio := got.variance / want.variance; math.Abs(ratio-1) > 0.27 {
				t.Errorf("variance %.0f of requests a day, the law has %.0f", got.variance, want.variance)
			}
			if ratio := got.active / want.active; ratio < 0.95 || ratio > 1.4 {
				t.Errorf("%.4f of all minutes are active, the law has %.4f", got.active, want.active)
			}
		})
	}
}

// TestRequestsPerDay checks the arithmetic behind Config.RatePerClient: sessions times their mean size.
func TestRequestsPerDay(t *testing.T) {
	const perDay = 480.0
	rng := newRand(8, forBehaviour, 0)
	var days [][]int
	for range 1000 {
		days = append(days, day(t, rng, perDay/requestsPerOpen/1440, 0.6))
	}
	if got := measure(days).mean; math.Abs(got/perDay-1) > 0.03 { // four standard errors of 0.75 per cent
		t.Errorf("%.1f requests a day, want %.0f", got, perDay)
	}
}

// TestPeopleDiffer checks Gamma(0.6) rates: mean 1 and variance 1/0.6, with standard errors of 0.4 and 1.7 per cent at
// 100,000 draws (the kurtosis of the law is 13).
func TestPeopleDiffer(t *testing.T) {
	rng := newRand(9, forLayout, 0)
	const n = 100_000
	sum, squares := 0.0, 0.0
	for range n {
		x := share(rng)
		sum += x
		squares += x * x
	}
	mean := sum / n
	variance := squares/n - mean*mean
	if math.Abs(mean-1) > 0.016 || math.Abs(variance*rateShape-1) > 0.07 {
		t.Errorf("mean %.3f and variance %.3f, want 1 and %.3f", mean, variance, 1/rateShape)
	}
}

// TestSeasonPeaksInTheEvening compares the four hours around 18:00 with those around 06:00 UTC, for a start that is not
// midnight. The ratio of the law is (1 + 0.6 x 0.955) / (1 - 0.6 x 0.955) = 3.68.
func TestSeasonPeaksInTheEvening(t *testing.T) {
	const startsAt = 10 * time.Hour
	a := arrivals{rng: newRand(3, forBehaviour, 1), perSecond: 0.5, season: 0.6, midnight: -startsAt, end: 24 * time.Hour}
	evening, morning := 0, 0
	for at := a.after(0); at != never; at = a.after(at) {
		switch hour := int((at + startsAt).Hours()) % 24; {
		case hour >= 16 && hour < 20:
			evening++
		case hour >= 4 && hour < 8:
			morning++
		}
	}
	if ratio := float64(evening) / float64(morning); ratio < 3.3 || ratio > 4.1 {
		t.Errorf("%d arrivals around 18:00 and %d around 06:00: ratio %.2f, want 3.68", evening, morning, ratio)
	}
}

func TestSilentPersonsNeverArrive(t *testing.T) {
	for _, perSecond := range []float64{0, 1e-300} {
		a := arrivals{rng: newRand(3, forBehaviour, 1), perSecond: perSecond, season: 1, end: time.Hour}
		if at := a.after(0); at != never {
			t.Errorf("at the rate %g somebody arrives at %s", perSecond, at)
		}
	}
}
