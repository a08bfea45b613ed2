package scoring

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestCoderCarriesEveryField compares with encoding/binary, which finds the fields by reflection.
func TestCoderCarriesEveryField(t *testing.T) {
	t.Run("hot", func(t *testing.T) { carriesEveryField[hot](t, 12) }) // the numbers of the other parts are left out
	t.Run("cold", func(t *testing.T) { carriesEveryField[cold](t, 0) })
	t.Run("crowd", func(t *testing.T) { carriesEveryField[crowd](t, 0) })
	t.Run("volume", func(t *testing.T) { carriesEveryField[volume](t, 0) })
}

func carriesEveryField[T comparable, P interface {
	*T
	walk(c *coder)
}](t *testing.T, left int,
) {
	rng := rand.New(rand.NewPCG(21, 22))
	var want, got T
	raw := make([]byte, binary.Size(want))
	for i := range raw {
		raw[i] = byte(1 + rng.IntN(126)) // no float of these is a NaN, which would differ from itself
	}
	if _, err := binary.Decode(raw, order, &want); err != nil {
		t.Fatal(err)
	}
	if h, ok := any(&want).(*hot); ok {
		h.Cold, h.Crowd, h.Volume = 0, 0, 0
	}
	written := make([]byte, len(raw)-left)
	writes := coder{raw: written, writes: true}
	P(&want).walk(&writes)
	reads := coder{raw: written}
	P(&got).walk(&reads)
	if got != want {
		t.Errorf("read\n%+v\nwant\n%+v", got, want)
	}
	if len(reads.raw) > 0 || len(writes.raw) > 0 {
		t.Errorf("%d bytes not read, %d not written: does walk know every field?", len(reads.raw), len(writes.raw))
	}
}
