package law

// Isotonic is the nondecreasing sequence closest to y in squares, each value with the same weight: pool adjacent violators
// (Barlow et al., 1972). It leaves y as it is.
func Isotonic(y []float64) []float64 {
	type block struct {
		sum float64
		n   int
	}
	var blocks []block
	for _, value := range y {
		b := block{value, 1}
		for len(blocks) > 0 {
			before := blocks[len(blocks)-1]
			if before.sum/float64(before.n) < b.sum/float64(b.n) {
				break
			}
			b = block{before.sum + b.sum, before.n + b.n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	fitted := make([]float64, 0, len(y))
	for _, b := range blocks {
		for range b.n {
			fitted = append(fitted, b.sum/float64(b.n))
		}
	}
	return fitted
}
