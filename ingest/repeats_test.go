package ingest

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"sundew"
)

func stamped(gateway string, epoch, sequence uint64, offset int64) *sundew.Event {
	e := event(func(e *sundew.Event) {
		e.Gateway, e.GatewayEpoch, e.GatewaySequence, e.Offset = gateway, epoch, sequence, offset
	})
	return &e
}

func TestRepeats(t *testing.T) {
	type call struct {
		gateway         string
		epoch, sequence uint64
		offset          int64
		want            bool
	}
	tests := []struct {
		name  string
		calls []call
	}{
		{"the same line", []call{{"a", 1, 7, 0, false}, {"a", 1, 7, 1, true}, {"a", 1, 7, 2, true}}},
		{"neighbours in a block", []call{{"a", 1, 64, 0, false}, {"a", 1, 65, 1, false}, {"a", 1, 127, 2, false}, {"a", 1, 128, 3, false}}},
		{"another gateway", []call{{"a", 1, 7, 0, false}, {"b", 1, 7, 1, false}}},
		{"the gateway starts again", []call{{"a", 1, 7, 0, false}, {"a", 2, 7, 1, false}, {"a", 1, 7, 2, true}}},
		{"no gateway", []call{{"", 1, 7, 0, false}, {"", 1, 7, 1, false}}},
		{"no epoch: a start would count as a repeat", []call{{"a", 0, 7, 0, false}, {"a", 0, 7, 1, false}}},
		{"no sequence", []call{{"a", 1, 0, 0, false}, {"a", 1, 0, 1, false}}},
		{"a generation later", []call{{"a", 1, 7, 0, false}, {"a", 1, 7, 2*generation - 1, true}, {"a", 1, 7, 2 * generation, true}}},
		{"two generations later", []call{{"a", 1, 7, 0, false}, {"a", 1, 7, 2 * generation, false}}},
		{"a leap over generations", []call{{"a", 1, 7, 0, false}, {"a", 1, 8, 9 * generation, false}, {"a", 1, 7, 9*generation + 1, false}}},
		{"the last sequence", []call{{"a", 1, 1<<64 - 1, 0, false}, {"a", 1, 1<<64 - 1, 1, true}}},
	}
	for _, tt := range tests {
		var r repeats
		for i, c := range tt.calls {
			if got := r.seen(stamped(c.gateway, c.epoch, c.sequence, c.offset)); got != c.want {
				t.Errorf("%s: call %d says %v", tt.name, i, got)
			}
		}
	}
}

// TestRepeatsAreAFunctionOfTheLog begins at places in the middle of a log and says of each line what a reader from its
// start says, which is what a plain memory of offsets says.
func TestRepeatsAreAFunctionOfTheLog(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var log []*sundew.Event
	offset := int64(0)
	for range 4000 {
		offset += random.Int64N(3 * generation / 1000)
		log = append(log, stamped(strconv.Itoa(random.IntN(3)), 1+random.Uint64N(2), 1+random.Uint64N(300), offset))
		offset++
	}
	type stamp struct {
		gateway         string
		epoch, sequence uint64
	}
	last := map[stamp]int64{}
	var want []bool
	var whole repeats
	repeated, fresh := 0, 0
	for _, e := range log {
		key := stamp{e.Gateway, e.GatewayEpoch, e.GatewaySequence}
		at, known := last[key]
		want = append(want, known && at >= warmFrom(e.Offset))
		last[key] = e.Offset
		if got := whole.seen(e); got != want[len(want)-1] {
			t.Fatalf("offset %d: %v, the model says %v", e.Offset, got, !got)
		}
		if want[len(want)-1] {
			repeated++
		} else if known {
			fresh++
		}
	}
	if repeated == 0 || fresh == 0 {
		t.Fatalf("%d repeats, %d forgotten: the log shows nothing", repeated, fresh)
	}
	for _, start := range []int{1, 700, 1999, 3990} {
		var r repeats
		for i, e := range log {
			if e.Offset < warmFrom(log[start].Offset) {
				continue
			}
			if got := r.seen(e); i >= start && got != want[i] {
				t.Fatalf("begun at offset %d, offset %d: %v", log[start].Offset, e.Offset, got)
			}
		}
	}
}
