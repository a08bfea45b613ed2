package scoring

import (
	"fmt"
	"testing"
	"time"

	"sundew"
)

func TestConsistencyChannel(t *testing.T) {
	// shows has a device and an account show the i'th of each at request i.
	shows := func(agent, ja4, country func(i int) int) func(int, *sundew.Event) {
		return func(i int, e *sundew.Event) {
			e.Device, e.Account = "d-1", "a-1"
			e.UserAgent = fmt.Sprintf("Tern/7.%d (Android 16)", agent(i))
			e.JA4 = fmt.Sprintf("t13d14%02dh2_c45550529adf_d9dd6182da81", ja4(i))
			e.Country = string([]byte{'A' + byte(country(i)/26%26), 'A' + byte(country(i)%26)})
		}
	}
	always := func(int) int { return 0 }
	each := func(i int) int { return i }
	every := func(n int) func(int) int { return func(i int) int { return i / n } }
	among := func(n int) func(int) int { return func(i int) int { return i % n } }
	tell(t, []story{
		{"a copied device shows a new user agent each time", device, 30, 5 * time.Second, shows(each, always, always), 90, 100, "consistency"},
		{"an account is used through proxies of country after country", account, 30, 5 * time.Second, shows(always, always, each), 90, 100, "consistency"},
		{"a tool shuffles its fingerprint", device, 30, 5 * time.Second, shows(always, each, always), 90, 100, "consistency"},
		{"an app is updated in the middle of the day", device, 200, time.Minute, shows(every(100), always, always), 0, 1, ""},
		{"a fingerprint alternates between fresh and resumed connections", device, 400, 30 * time.Second, shows(always, among(3), always), 0, 1, ""},
		{"an app starts with six ways to talk: its own, a web view, pictures and films, each fresh and resumed", device, 200, 5 * time.Second, shows(func(i int) int { return min(i, 11) * 7 % 3 }, func(i int) int { return min(i, 11) % 2 }, always), 0, 5, ""},
		{"an app has eight ways to talk and begins with all of them", device, 200, 5 * time.Second, shows(func(i int) int { return i % 8 }, always, always), 0, 30, ""},
		{"a person crosses four borders by train", device, 400, 30 * time.Second, shows(always, always, every(80)), 0, 1, ""},
		{"a person has phone, tablet and laptop, and opens each now and then", account, 300, time.Minute, shows(among(3), among(3), always), 0, 1, ""},
		{"a person's VPN takes another exit every ten minutes", device, 300, 30 * time.Second, shows(always, always, every(20)), 0, 5, ""},
	})
}

func TestFaceOf(t *testing.T) {
	face := func(agent, ja4, country string) uint64 {
		e := sundew.NewEvent()
		e.UserAgent, e.JA4, e.Country = agent, ja4, country
		return newTrial(&e, 7).face
	}
	if got := face("", "", ""); got != 0 {
		t.Errorf("an event that shows nothing has the face %x", got)
	}
	if first, again := face("x", "", ""), face("x", "", ""); first != again {
		t.Errorf("the same client has the faces %x and %x", first, again)
	}
	// With 64 bits a few of many faces collide; if a field did not count, or two could stand in for each other, all would.
	for name, other := range map[string]func(i int) uint64{
		"user agent":  func(i int) uint64 { return face(fmt.Sprint("agent ", i), "j", "DE") },
		"fingerprint": func(i int) uint64 { return face("agent", fmt.Sprint("j", i), "DE") },
		"country":     func(i int) uint64 { return face("agent", "j", fmt.Sprint(i)) },
		"exchanged":   func(i int) uint64 { return face(fmt.Sprint(i), fmt.Sprint(i), "DE") },
	} {
		var seen uint64
		for i := range 64 {
			seen |= other(i)
		}
		if n := distinct(seen); n < 30 {
			t.Errorf("%s: 64 different ones make about %.0f faces", name, n)
		}
	}
}
