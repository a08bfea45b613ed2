package scoring

import "math"

// Evidence is binned by the bits of its number alone: eight bins to each power of two, from 1 on. So a bin is the same
// on every machine, and finding it takes no logarithm.
const (
	binsPerOctave = 8
	evidenceBins  = 512 // up to 2^64, which is 44 nats; the last bin holds the rest
	mantissaShift = 52 - 3
	exponentBias  = 1023
)

// evidenceBin is the bin of an e-value; what is below 1 is in bin 0.
func evidenceBin(e float64) int {
	if !(e > 1) {
		return 0
	}
	bin := int(math.Float64bits(e)>>mantissaShift) - exponentBias*binsPerOctave
	return min(bin, evidenceBins-1)
}

// evidenceFloor is the least e-value of a bin.
func evidenceFloor(bin int) float64 {
	return math.Float64frombits(uint64(bin+exponentBias*binsPerOctave) << mantissaShift)
}
