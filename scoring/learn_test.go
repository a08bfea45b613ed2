package scoring

import (
	"testing"
	"time"

	"sundew"
)

// TestAnAttackIsNotLearned: whoever attacks every day is found on each as soon as on the first. A baseline that took the
// attack for the entity's habit would expect it by the second day.
func TestAnAttackIsNotLearned(t *testing.T) {
	e := newEngine(t, 1)
	var found []int
	for day := range 6 {
		most := -1
		for i := range 60 {
			at := time.Duration(day)*24*time.Hour + time.Duration(i)*2*time.Second
			event := request(at, client, func(e *sundew.Event) {
				e.Method, e.Path, e.Auth = "POST", "/v1/login", sundew.OutcomeFailure
			})
			if score, _ := last(e.Score(sundew.Batch{Events: []sundew.Event{event}}), ip); score.Points >= 90 {
				most = i
				break
			}
		}
		found = append(found, most)
	}
	for day, n := range found {
		if n < 0 || n > found[0]+1 {
			t.Errorf("found after %v failures on six days: day %d took longer than the first", found, day+1)
		}
	}
}

// TestFloodThatPaysEvictsNoSuspects lets each invented identifier come as often as the gate of a full table asks, so that
// only the choice of whom to give up stands between it and the suspects, who have all been idle for longer.
func TestFloodThatPaysEvictsNoSuspects(t *testing.T) {
	table := newTable(1_000)
	for i := range uint64(500) { // one in five is a suspect
		if s := table.admit(i+1, sundew.KindDevice, 1); i%5 == 0 {
			s.Points = 40
		}
	}
	admitted := 0
	for i := range uint64(20_000) {
		id := mixed(i) | 1<<63
		for range 8 {
			if table.admit(id, sundew.KindDevice, 2+uint32(i)) != nil {
				admitted++
				break
			}
		}
	}
	if admitted < 10_000 {
		t.Fatalf("only %d identifiers were let in: the flood puts nobody under pressure", admitted)
	}
	for i := range uint64(100) {
		if table.find(5*i+1) == nil {
			t.Fatalf("suspect %d of 100 was evicted by a flood that pays", i+1)
		}
	}
}

// mixed spreads the bits of i (splitmix64).
func mixed(i uint64) uint64 {
	i = (i + 1) * 0x9e3779b97f4a7c15
	i = (i ^ i>>30) * 0xbf58476d1ce4e5b9
	return i ^ i>>27
}
