package law

// Isotonic is the nondecreasing sequence closest to y in squares, weighed by weights, of which y has as many and all are
// positive; nil weighs all the same. It pools adjacent violators (Barlow et al., 1972) and leaves y as it is.
func Isotonic(y, weights []float64) []float64 {
	type block struct {
		sum, weight float64
		n           int
	}
	var blocks []block
	for i, value := range y {
		weight := 1.
		if weights != nil {
			weight = weights[i]
		}
		b := block{float64(value * weight), weight, 1}
		for len(blocks) > 0 {
			before := blocks[len(blocks)-1]
			if before.sum/before.weight < b.sum/b.weight {
				break
			}
			b = block{before.sum + b.sum, before.weight + b.weight, before.n + b.n}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	fitted := make([]float64, 0, len(y))
	for _, b := range blocks {
		for range b.n {
			fitted = append(fitted, b.sum/b.weight)
		}
	}
	return fitted
}
