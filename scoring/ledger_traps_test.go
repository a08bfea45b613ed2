package scoring

import (
	"testing"

	"sundew"
)

// TestStartWeightIsSpentOnce keeps a long day from buying evidence with time alone. If each of 1,440 active minutes gave
// out 1/300, a ledger whose every bet came out even would stand at 4.8 by midnight, and Ville's bound would be lost.
func TestStartWeightIsSpentOnce(t *testing.T) {
	s := stateOf(hot{Kind: uint8(sundew.KindIP), RateWeights: evenly})
	var rate, duels ledger
	given, trials := 0.0, uint32(0)
	for minute := range int64(24 * 60) {
		_, start, tried := rateStep(s, &trial{second: uint32(60 * minute)})
		if !tried {
			t.Fatalf("minute %d was no trial", minute)
		}
		given += start
		rate.step(start, 1)
		for range 5 {
			duels.step(startWeight(trials), 1)
			trials++
		}
	}
	if given > 1+1e-12 || given < .99 {
		t.Errorf("the rate channel gave out %v of start weight in a day, want 1", given)
	}
	for name, m := range map[string]ledger{"rate": rate, "duels": duels} {
		if m > 1+1e-12 {
			t.Errorf("%s: even bets brought evidence %v", name, m)
		}
	}
}
