package scoring

import (
	"strconv"
	"testing"
	"time"

	"sundew"
)

func TestSequenceChannel(t *testing.T) {
	asks := func(who sundew.Entity, object func(i int) int) func(int, *sundew.Event) {
		return func(i int, e *sundew.Event) {
			switch who.Kind {
			case sundew.KindDevice:
				e.Device = who.Key
			case sundew.KindAccount:
				e.Account = who.Key
			case sundew.KindAPIKey:
				e.APIKey = who.Key
			}
			e.Object = strconv.Itoa(object(i))
			e.Path = "/v1/orders/" + e.Object
		}
	}
	upwards := func(i int) int { return 5000 + 2*i }
	tell(t, []story{
		{
			"an account counts through everybody's orders, and all are served", account, 300, 3 * time.Second,
			asks(account, upwards), 90, 100, "sequence_objects",
		},
		{
			"a device counts downwards", device, 300, 3 * time.Second,
			asks(device, func(i int) int { return 90_000 - i }), 90, 100, "sequence_objects",
		},
		{
			"a person flips through an album of 40 pictures", device, 40, 3 * time.Second,
			asks(device, upwards), 0, 25, "",
		},
		{
			"a person reads the same two neighbours all day", account, 400, time.Minute,
			asks(account, func(i int) int { return 5000 + i/20%2 }), 0, 1, "",
		},
		{
			"a person's own orders lie apart", account, 300, 20 * time.Second,
			asks(account, func(i int) int { return 1000 + 7919*i%104729 }), 0, 10, "",
		},
		{
			"a partner's software works off a table of 3000", apiKey, 3000, 10 * time.Second,
			asks(apiKey, upwards), 0, 5, "",
		},
	})
}

// TestEnumerationIsFoundBySequenceSooner has the same walk through fresh objects in order and in no order.
func TestEnumerationIsFoundBySequenceSooner(t *testing.T) {
	points := func(object func(i int) int) float64 {
		var events []sundew.Event
		for i := range 100 {
			events = append(events, request(time.Duration(i)*3*time.Second, client, func(e *sundew.Event) {
				e.Account, e.Object = "a-1", strconv.Itoa(object(i))
			}))
		}
		_, most := last(newEngine(t, 1).Score(sundew.Batch{Events: events}), account)
		return most
	}
	inOrder, apart := points(func(i int) int { return 1 + i }), points(func(i int) int { return 1 + 7919*i%104729 })
	if inOrder < 2*apart {
		t.Errorf("100 objects in order give %.1f points, in no order %.1f", inOrder, apart)
	}
}

func TestNumberOf(t *testing.T) {
	for object, want := range map[string]uint64{
		"": 0, "0": 0, "17": 17, "018": 18, "18446744073709551615": 18446744073709551615,
		"18446744073709551616": 0, "-4": 0, "+4": 0, "1e3": 0, "0x10": 0, "17a": 0, "SPRING-17": 0, "1_000": 0,
	} {
		if got := numberOf(object); got != want {
			t.Errorf("numberOf(%q) is %d, want %d", object, got, want)
		}
	}
}

// FuzzNumberOf compares with the standard library, which makes an error for each id that is not a number.
func FuzzNumberOf(f *testing.F) {
	f.Add("17")
	f.Add("18446744073709551616")
	f.Fuzz(func(t *testing.T, object string) {
		want, err := strconv.ParseUint(object, 10, 64)
		if err != nil {
			want = 0
		}
		if got := numberOf(object); got != want {
			t.Errorf("numberOf(%q) is %d, want %d", object, got, want)
		}
	})
}
