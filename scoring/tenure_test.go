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

// TestAnOfficeLogsIn has 200 tenured devices behind one address log in to 200 accounts, one attempt in twenty failing, with
// and without one that stuffs passwords among them: neither the address nor its network answers for it.
func TestAnOfficeLogsIn(t *testing.T) {
	login := func(at time.Duration, device, name string, failed bool) sundew.Event {
		return request(at, client, func(e *sundew.Event) {
			e.Method, e.Path, e.AuthUsername, e.JA4 = "POST", "/v1/login", name, fingerprint.Key
			e.Device, e.DeviceAge, e.Auth = device, 30*24*time.Hour, sundew.OutcomeSuccess
			if failed {
				e.Auth = sundew.OutcomeFailure
			}
		})
	}
	for _, bad := range []bool{false, true} {
		var events []sundew.Event
		for i := range 1000 {
			at := time.Duration(i) * 20 * time.Second
			events = append(events, login(at, fmt.Sprint("o-", i%200), fmt.Sprint("u-", i%200), i%20 == 3))
			if bad {
				events = append(events, login(at, device.Key, fmt.Sprint("v-", i), true))
			}
		}
		scores := newEngine(t, 1).Score(sundew.Batch{Events: events})
		for _, shared := range []sundew.Entity{ip, {Kind: sundew.KindPrefix, Key: "198.51.100.0/24"}, fingerprint} {
			if _, most := last(scores, shared); most > 2 {
				t.Errorf("with a bad device %v: %s has %.1f points", bad, shared, most)
			}
		}
		if _, most := last(scores, device); bad && most < 99 {
			t.Errorf("the bad device has %.1f points", most)
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
