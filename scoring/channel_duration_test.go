package scoring

import (
	"math"
	"math/bits"
	"testing"
	"time"

	"sundew"
)

// awake has an entity active in the given hours of a day.
func awake(s *state, day int, hours func(hour int) bool) {
	for hour := range 24 {
		if hours(hour) {
			for minute := range 3 {
				liveTo(s, uint32(int64(day)*secondsPerDay+int64(hour)*3600+int64(minute)*60))
				s.judge(&trial{second: s.Last, climate: &calm, status: 200, asset: true})
			}
		}
	}
}

func always(int) bool { return true }

func TestDurationChannel(t *testing.T) {
	for _, test := range []struct {
		name            string
		hours           func(int) bool
		atLeast, atMost float64 // evidence of the channel
	}{
		{"a script works around the clock", always, 2, 6.3},
		{"a script rests for two hours", func(h int) bool { return h != 3 && h != 4 }, 1, 6.3},
		{"a person who leaves out no hour between six and ten", func(h int) bool { return h >= 6 && h < 22 }, 0, 2.5},
		{"a person looks twice at night", func(h int) bool { return h == 1 || h == 4 || (h >= 9 && h < 22 && h%3 > 0) }, 0, 1},
		{"half a day", func(h int) bool { return h < 12 }, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := stateOf(hot{Kind: uint8(sundew.KindDevice)})
			awake(s, 20_000, test.hours)
			if e := float64(*s.ledger(chDuration)); e < test.atLeast || e > test.atMost {
				t.Errorf("a day of %d active hours is worth %.2f, want %v to %v", bits.OnesCount32(s.Hours), e, test.atLeast, test.atMost)
			}
		})
	}
	tell(t, []story{
		{
			"an app polls every 30 seconds, day and night", device, 2880, 30 * time.Second,
			func(_ int, e *sundew.Event) { e.Device = "d-1" }, 0, 1, "",
		},
	})
}

// TestAPollersPastExcusesIt has an app that never sleeps for a week: its last day is no news.
func TestAPollersPastExcusesIt(t *testing.T) {
	s := stateOf(hot{Kind: uint8(sundew.KindDevice)})
	for day := range 6 {
		awake(s, 20_000+day, always)
	}
	awake(s, 20_006, always)
	if e := float64(*s.ledger(chDuration)); e == 0 || e > 1 {
		t.Errorf("the seventh day awake is worth %.2f, want some trials and at most 1", e)
	}
}

// TestDurationIsFair sums the evidence over all courses of the hours after the wakeful ones, settled as requests settle
// them, each course with its probability under the null. What a
// day's last request left unsettled, midnight settles.
func TestDurationIsFair(t *testing.T) {
	const hours = 10
	sum := 0.0
	for course := range 1 << hours {
		s := stateOf(hot{Kind: uint8(sundew.KindAccount), Hours: 1<<wakeful - 1})
		null, chance, e := duel{}, 1.0, 1.0
		for i := range hours {
			hit := course>>i&1 == 1
			p := null.null(durationPrior[s.Kind])
			null.remember(hit)
			if !hit {
				chance *= 1 - p
				continue
			}
			chance *= p
			s.Last = uint32(wakeful+i) * 3600
			ratio, _, _ := durationStep(s, &trial{})
			e *= ratio
		}
		for next := bits.Len32(s.Hours); next < wakeful+hours; next++ {
			e *= s.duel(chDuration).believingStep(durationPrior[s.Kind], restless, false, 1)
		}
		sum += chance * e
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("mean of e is %v, want 1", sum)
	}
}
