package scoring

import (
	"math"

	"sundew"
)

// farthestNeighbour is how far apart two numbers may be for the second to follow the first.
const farthestNeighbour = 3

// sequencePrior is for the next object given that it is another one. Few people's own objects have neighbouring numbers,
// but who flips through an album or works off a list goes from one to the next and is honest. So the prior of a person
// takes two steps in three for such a walk: forty in a row say little, hundreds in a row much. Behind a key or an
// address there may be software that works off whole tables all day, which no count tells from theft; there the channel
// takes the walk for a habit.
var sequencePrior = priorOf{
	sundew.KindIP:      {.01, .2},
	sundew.KindDevice:  {6, 3},
	sundew.KindAccount: {6, 3},
	sundew.KindAPIKey:  {.01, .2},
}

const sequenceAbusers = .2

// sequenceChannel sees an entity go through objects by number.
func sequenceChannel() channel {
	return channel{
		name:    "sequence_objects",
		kinds:   kinds(sundew.KindIP, sundew.KindDevice, sundew.KindAccount, sundew.KindAPIKey),
		step:    sequenceStep,
		explain: outcomeExplain(chSequence, &sequencePrior, "%d of %d objects were numbered next to the one before, %.1f expected"),
	}
}

func sequenceStep(s *state, t *trial) (ratio, start float64, tried bool) {
	if t.object == 0 {
		return 1, 0, false
	}
	last := &s.cold().LastObject
	before := *last
	*last = t.object
	if before == 0 || before == t.object {
		return 1, 0, false
	}
	next := max(before, t.object)-min(before, t.object) <= farthestNeighbour
	if kind := sundew.Kind(s.Kind); kind == sundew.KindIP || kind == sundew.KindAPIKey {
		return habit(s, chSequence, &sequencePrior, next, sequenceAbusers)
	}
	return bernoulli(s, chSequence, &sequencePrior, next, 1)
}

// numberOf reads an object id of decimal digits, 0 for any other.
func numberOf(object string) uint64 {
	var n uint64
	for i := range len(object) {
		digit := uint64(object[i]) - '0'
		if digit > 9 || n > (math.MaxUint64-digit)/10 {
			return 0
		}
		n = n*10 + digit
	}
	return n
}
