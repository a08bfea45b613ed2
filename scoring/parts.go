package scoring

// parts holds the parts that only some entities have. They are numbered from 1; 0 is no part.
type parts[T comparable] struct {
	chunks []*[chunk]T
	used   int
	free   []uint32 // numbers of blank parts, the last to be taken first
	blank  T        // lent to entities without a part of their own
}

func (p *parts[T]) at(number uint32) *T {
	if number == 0 {
		return &p.blank
	}
	i := number - 1
	return &p.chunks[i/chunk][i%chunk]
}

// taken is how many parts have an entity.
func (p *parts[T]) taken() int { return p.used - len(p.free) }

// take returns the number of a blank part.
func (p *parts[T]) take() uint32 {
	if last := len(p.free) - 1; last >= 0 {
		number := p.free[last]
		p.free = p.free[:last]
		return number
	}
	if p.used == len(p.chunks)*chunk {
		p.chunks = moreChunks(p.chunks)
	}
	p.used++
	return uint32(p.used)
}

// keep ends an entity's use of its part and returns the number that it has from now on: what was written to the lent part
// gets a place, and a part that has become blank gives its place back.
func (p *parts[T]) keep(number uint32) uint32 {
	var blank T
	part := p.at(number)
	switch isBlank := *part == blank; {
	case number == 0 && !isBlank:
		number = p.take()
		*p.at(number), p.blank = p.blank, blank
	case number != 0 && isBlank:
		p.free = append(p.free, number)
		return 0
	}
	return number
}

// drop gives a part back, whatever is in it.
func (p *parts[T]) drop(number uint32) {
	if number != 0 {
		var blank T
		*p.at(number) = blank
		p.free = append(p.free, number)
	}
}
