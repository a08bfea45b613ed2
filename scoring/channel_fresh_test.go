package scoring

import (
	"math"
	"testing"
	"time"

	"sundew"
)

func TestFreshChannel(t *testing.T) {
	aged := func(age func(i int) time.Duration) func(int, *sundew.Event) {
		return func(i int, e *sundew.Event) { e.Device, e.DeviceAge = "d-1", age(i) }
	}
	tell(t, []story{
		{"a person installs the app and tries all of it", device, 300, 10 * time.Second, aged(func(i int) time.Duration { return time.Duration(i) * 10 * time.Second }), 0, 1, ""},
		{"a device claims at each request to be new", device, 2000, 30 * time.Second, aged(func(int) time.Duration { return 0 }), 0, 1, ""},
	})
	most := func(age time.Duration) float64 {
		_, points := last(newEngine(t, 1).Score(sundew.Batch{Events: []sundew.Event{
			request(0, client, func(e *sundew.Event) { e.Device, e.DeviceAge = "d-1", age }),
		}}), device)
		return points
	}
	young, old, unknown := most(freshAge-1), most(freshAge), most(-1)
	if !(young > unknown && unknown > old) {
		t.Errorf("points of a new device, one of unknown age and an old one: %v, %v, %v; want them to fall", young, unknown, old)
	}
}

// TestANewDeviceTipsAScaleByLessThanANat has failing logins on an old and on a new device.
func TestANewDeviceTipsAScaleByLessThanANat(t *testing.T) {
	evidence := func(fresh bool) float64 {
		s := stateOf(hot{Kind: uint8(sundew.KindDevice)})
		for range 6 {
			s.judge(&trial{climate: &calm, authAttempt: true, authFailure: true, aged: true, fresh: fresh})
		}
		return s.evidence(&evenMixture)
	}
	nats := math.Log(evidence(true) / evidence(false))
	if nats <= 0 || nats > 1 {
		t.Errorf("being new adds %.2f nats to failing logins, want up to 1", nats)
	}
}
