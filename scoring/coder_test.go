package scoring

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestCoderCarriesEveryField compares with encoding/binary, which finds the fields by reflection.
func TestCoderCarriesEveryField(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	raw := make([]byte, stateSize)
	for i := range raw {
		raw[i] = byte(rng.IntN(127)) // no float of these is a NaN, which would differ from itself
	}
	var want, got state
	if _, err := binary.Decode(raw, order, &want); err != nil {
		t.Fatal(err)
	}
	reads := coder{raw: raw}
	got.walk(&reads)
	if got != want {
		t.Errorf("read\n%+v\nwant\n%+v", got, want)
	}
	written := make([]byte, stateSize)
	writes := coder{raw: written, writes: true}
	want.walk(&writes)
	if !bytes.Equal(written, raw) {
		t.Errorf("wrote\n%x\nwant\n%x", written, raw)
	}
	if len(reads.raw) > 0 || len(writes.raw) > 0 {
		t.Errorf("%d bytes not read, %d not written: does walk know every field?", len(reads.raw), len(writes.raw))
	}
}
