package scoring

import (
	"fmt"
	"testing"
	"time"

	"sundew"
)

// TestOneBadDeviceBehindACrowd has a carrier's address with 30 tenured devices, one of which stuffs passwords.
func TestOneBadDeviceBehindACrowd(t *testing.T) {
	var events []sundew.Event
	for i := range 1200 {
		events = append(events, request(time.Duration(i)*2*time.Second, client, func(e *sundew.Event) {
			e.Device, e.DeviceAge = fmt.Sprint("d-", 1+i%30), 40*24*time.Hour
			if e.Device == device.Key {
				e.Method, e.Path, e.Auth = "POST", "/v1/login", sundew.OutcomeFailure
			}
		}))
	}
	scores := newEngine(t, 1).Score(sundew.Batch{Events: events})
	if _, most := last(scores, device); most < 90 {
		t.Errorf("the bad device has %.1f points", most)
	}
	if s, _ := last(scores, sundew.Entity{Kind: sundew.KindDevice, Key: "d-2"}); s.Points > 5 {
		t.Errorf("a good device has %.1f points", s.Points)
	}
	network := sundew.Entity{Kind: sundew.KindPrefix, Key: "198.51.100.0/24"}
	for _, shared := range []sundew.Entity{ip, network} {
		if s, _ := last(scores, shared); s.Features[sundew.TenuredDevices24h] < 20 {
			t.Errorf("%s has %v tenured devices, want about 30", shared, s.Features[sundew.TenuredDevices24h])
		}
	}
}

func TestTenuredDevices(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name string
		days []func(i int, e *sundew.Event) // twenty requests on each
		want float64
	}{
		{"no devices are logged", []func(int, *sundew.Event){nil}, 0},
		{"invented devices buy nothing", []func(int, *sundew.Event){
			func(i int, e *sundew.Event) { e.Device, e.DeviceAge = fmt.Sprint(i), 0 },
			func(i int, e *sundew.Event) { e.Device, e.DeviceAge = fmt.Sprint(i), day-time.Second },
		}, 0},
		{"a tenured device counts at once", []func(int, *sundew.Event){
			func(_ int, e *sundew.Event) { e.Device, e.DeviceAge = "a", day },
		}, 1},
		{"and on the day after", []func(int, *sundew.Event){
			func(_ int, e *sundew.Event) { e.Device, e.DeviceAge = "a", day },
			nil,
		}, 1},
		{"but not on the one after that", []func(int, *sundew.Event){
			func(_ int, e *sundew.Event) { e.Device, e.DeviceAge = "a", day },
			nil,
			nil,
		}, 0},
		{"without ages, who comes back the next day is tenured", []func(int, *sundew.Event){
			func(_ int, e *sundew.Event) { e.Device = "a" },
			func(_ int, e *sundew.Event) { e.Device = "a" },
		}, 1},
		{"without ages, who is new is not", []func(int, *sundew.Event){
			func(_ int, e *sundew.Event) { e.Device = "a" },
			func(_ int, e *sundew.Event) { e.Device = "b" },
		}, 0},
		{"what a convicted address showed makes nobody tenured", []func(int, *sundew.Event){
			func(_ int, e *sundew.Event) {
				e.Device, e.Path, e.Method, e.Auth = "a", "/v1/login", "POST", sundew.OutcomeFailure
			},
			func(_ int, e *sundew.Event) { e.Device = "a" },
		}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var events []sundew.Event
			for d, change := range test.days {
				for i := range 20 {
					events = append(events, request(time.Duration(d)*day+time.Duration(i)*10*time.Second, client, func(e *sundew.Event) {
						if change != nil {
							change(i, e)
						}
					}))
				}
			}
			score, _ := last(newEngine(t, 1).Score(sundew.Batch{Events: events}), ip)
			if got := score.Features[sundew.TenuredDevices24h]; got != test.want {
				t.Errorf("%v tenured devices, want %v", got, test.want)
			}
		})
	}
}

// TestInventedDevicesRaiseNoExpectation has a flood that shows a new device with every request: it must be found as soon
// as one that shows none.
func TestInventedDevicesRaiseNoExpectation(t *testing.T) {
	rate := func(change func(i int, e *sundew.Event)) *state {
		s := stateOf(hot{Kind: uint8(sundew.KindIP), RateWeights: evenly})
		for i := range 1000 {
			e := request(time.Duration(i)*100*time.Millisecond, client, func(e *sundew.Event) { change(i, e) })
			trial := newTrial(&e, 7)
			trial.climate = &calm
			s.advance(trial.second)
			s.count(&trial)
			s.judge(&trial)
		}
		return s
	}
	without := rate(func(int, *sundew.Event) {})
	with := rate(func(i int, e *sundew.Event) { e.Device, e.DeviceAge = fmt.Sprint("made-up-", i), 0 })
	if got, want := with.rateExpected(), without.rateExpected(); got != want {
		t.Errorf("1000 invented devices take the expectation from %v to %v", want, got)
	}
	if got, want := *with.ledger(chRate), *without.ledger(chRate); got != want {
		t.Errorf("rate evidence %v, without devices %v", got, want)
	}
}
