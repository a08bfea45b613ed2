package scoring

import (
	"testing"
	"time"

	"sundew"
)

func TestLimitedChannel(t *testing.T) {
	limited := func(when func(i int) bool) func(int, *sundew.Event) {
		return func(i int, e *sundew.Event) {
			if e.Device = "d-1"; when(i) {
				e.Status = statusTooManyRequests
			}
		}
	}
	tell(t, []story{
		{"a script goes on at full speed though it is told to slow down", device, 60, time.Second, limited(func(i int) bool { return i >= 20 }), 90, 100, "outcome_limited"},
		{"an address scrapes on and is answered now and then", ip, 200, time.Second, limited(func(i int) bool { return i >= 20 && i%20 > 0 }), 90, 100, "outcome_limited"},
		{"an app starts with what it saved up, retries four times and backs off", device, 200, 10 * time.Second, limited(func(i int) bool { return i%100 >= 6 && i%100 < 10 }), 0, 2, ""},
		{"one request in ten is limited all day", device, 500, 10 * time.Second, limited(func(i int) bool { return i%10 == 9 }), 0, 1, ""},
		{
			"an edge of ours refuses, and the client keeps asking", device, 200, 10 * time.Second,
			func(_ int, e *sundew.Event) {
				e.Device, e.Status, e.EdgeAction = "d-1", statusTooManyRequests, sundew.ActionChallenge
			},
			0, 1, "",
		},
	})
}
