package scoring

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sundew"
)

// apps is a quiet day of the devices of an app, then half an hour of the next day in which each asks for something every
// 20 seconds. fails says which of those requests are answered with 404.
func apps(devices int, fails func(device, i int) bool) (events []sundew.Event) {
	ask := func(at time.Duration, device, status int) {
		client := fmt.Sprintf("198.51.%d.%d", device/250, 1+device%250)
		events = append(events, request(at, client, func(e *sundew.Event) {
			e.Device, e.Status = fmt.Sprintf("d-%d", device), status
		}))
	}
	for i := range 10 {
		for d := range devices {
			ask(time.Duration(i)*time.Minute, d, 200)
		}
	}
	for i := range 90 {
		for d := range devices {
			status := 200
			if fails(d, i) {
				status = 404
			}
			ask(24*time.Hour+time.Duration(i)*20*time.Second, d, status)
		}
	}
	return events
}

// reaching is how many entities of the kind reach the points.
func reaching(scores []sundew.Score, kind sundew.Kind, points float64) int {
	reached := map[string]bool{}
	for i := range scores {
		if scores[i].Entity.Kind == kind && scores[i].Points >= points {
			reached[scores[i].Entity.Key] = true
		}
	}
	return len(reached)
}

// TestBrokenReleaseConvictsNobody has a release go out that asks for a route which is gone, to device after device.
func TestBrokenReleaseConvictsNobody(t *testing.T) {
	const devices = 200
	broken := func(d, i int) bool { return i > 5+d/10 }
	scores := newEngine(t, 2).Score(sundew.Batch{Events: apps(devices, broken)})
	for _, kind := range []sundew.Kind{sundew.KindIP, sundew.KindDevice} {
		if n := reaching(scores, kind, 50); n > devices/100 {
			t.Errorf("%d of %d entities of kind %s reach 50 points in a broken release", n, devices, kind)
		}
	}
}

// TestOutageConvictsNobody has everything fail for everybody at once.
func TestOutageConvictsNobody(t *testing.T) {
	const devices = 200
	down := func(_, i int) bool { return i > 20 && i < 60 }
	scores := newEngine(t, 2).Score(sundew.Batch{Events: apps(devices, down)})
	for _, kind := range []sundew.Kind{sundew.KindIP, sundew.KindDevice} {
		if n := reaching(scores, kind, 50); n > 0 {
			t.Errorf("%d of %d entities of kind %s reach 50 points in an outage", n, devices, kind)
		}
	}
	lift := func(at time.Duration) float64 {
		i := slices.IndexFunc(scores, func(s sundew.Score) bool { return s.Time.Equal(start.Add(at)) })
		return scores[i].Features[sundew.FailureLift10m]
	}
	if before, in := lift(24*time.Hour+2*time.Minute), lift(24*time.Hour+15*time.Minute); before != 1 || in < leastLift {
		t.Errorf("rules see a lift of %v before the outage and of %v in it, want 1 and at least %v", before, in, leastLift)
	}
}

// TestOneWhoFailsAloneIsSeen is the look-alike: the same failures, but nobody else has them.
func TestOneWhoFailsAloneIsSeen(t *testing.T) {
	alone := func(d, i int) bool { return d == 17 && i > 5 }
	scores := newEngine(t, 2).Score(sundew.Batch{Events: apps(200, alone)})
	if n := reaching(scores, sundew.KindDevice, 50); n != 1 {
		t.Errorf("%d devices reach 50 points, want the one that fails", n)
	}
}

// TestFreshCrowdMakesNoWeather has more fresh addresses fail than there are others: they must not excuse each other.
func TestFreshCrowdMakesNoWeather(t *testing.T) {
	events := apps(100, func(_, _ int) bool { return false })
	for i := range 40 {
		for bot := range 250 {
			at := 24*time.Hour + 30*time.Minute + time.Duration(i)*20*time.Second
			events = append(events, request(at, fmt.Sprintf("203.0.%d.9", bot), func(e *sundew.Event) { e.Path, e.Status = fmt.Sprintf("/%d/%d.php", bot, i), 404 }))
		}
	}
	if n := reaching(newEngine(t, 2).Score(sundew.Batch{Events: events}), sundew.KindIP, 50); n < 250 {
		t.Errorf("%d of 250 fresh addresses reach 50 points", n)
	}
}
