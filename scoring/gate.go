package scoring

// gate is a count-min sketch with conservative update (Cormode and Muthukrishnan; Estan and Varghese) that counts how
// often an entity asked to be let in. It decides about admission only. All counts are halved after a fixed number of
// events of the log, so that old noise fades.
type gate struct {
	rows  [gateRows][]uint8
	added uint32
}

const gateRows = 4

func newGate(limit int) gate {
	width := max(limit*4, 64)
	var g gate
	for r := range g.rows {
		g.rows[r] = make([]uint8, width)
	}
	return g
}

// add counts one request for admission and returns how many the sketch has seen, at most 255.
func (g *gate) add(hash uint64) uint8 {
	width := uint64(len(g.rows[0]))
	var at [gateRows]uint64
	least := ^uint8(0)
	for r := range g.rows {
		at[r] = (hash * rowMix[r] >> 32) * width >> 32
		least = min(least, g.rows[r][at[r]])
	}
	if least == ^uint8(0) {
		return least
	}
	for r := range g.rows {
		g.rows[r][at[r]] = max(g.rows[r][at[r]], least+1)
	}
	g.added++
	if g.added >= uint32(len(g.rows[0])*2) {
		g.halve()
	}
	return least + 1
}

func (g *gate) halve() {
	for _, row := range g.rows {
		for i := range row {
			row[i] /= 2
		}
	}
	g.added = 0
}

// rowMix are odd multipliers that give each row its own position for a hash which is already keyed.
var rowMix = [gateRows]uint64{0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0xd6e8feb86659fd93}
