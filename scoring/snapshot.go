package scoring

import (
	"encoding/binary"
	"fmt"
)

// The state is written little-endian: version, seed, entity limit, number of cells, the outage watch; then for each
// cell the eviction hand, the gate, and the entities in the order of their slots, which is part of the state because
// eviction follows it.
const stateVersion = 3

var (
	order     = binary.LittleEndian
	stateSize = binary.Size(state{})
)

// AppendState appends the whole state to dst. Equal states append equal bytes.
func (e *Engine) AppendState(dst []byte) []byte {
	dst = order.AppendUint32(dst, stateVersion)
	dst = order.AppendUint64(dst, uint64(e.hash))
	dst = order.AppendUint32(dst, uint32(e.config.Entities))
	dst = order.AppendUint32(dst, cells)
	dst, _ = binary.Append(dst, order, &e.outage) // fails for types without a fixed size alone
	for i := range e.cells {
		dst = e.cells[i].table.appendState(dst)
	}
	return dst
}

func (t *table) appendState(dst []byte) []byte {
	dst = order.AppendUint32(dst, uint32(t.hand))
	dst = order.AppendUint32(dst, t.gate.added)
	for _, row := range t.gate.rows {
		dst = append(dst, row...)
	}
	dst = order.AppendUint32(dst, uint32(len(t.arena)))
	for i := range t.arena {
		dst, _ = binary.Append(dst, order, &t.arena[i]) // fails for types without a fixed size alone
	}
	return dst
}

// RestoreState replaces the state by what AppendState wrote. The seed comes with it; the entity limit must be that of
// the configuration, because the layout of the gate depends on it. After an error the engine has no past.
func (e *Engine) RestoreState(src []byte) error {
	e.reset()
	if err := e.restore(&reader{src: src}); err != nil {
		e.reset()
		return err
	}
	return nil
}

func (e *Engine) restore(r *reader) error {
	version, seed, entities, parts := r.uint32(), r.uint64(), r.uint32(), r.uint32()
	switch {
	case r.short:
		return fmt.Errorf("%w: it ends in the header", errState)
	case version != stateVersion:
		return fmt.Errorf("%w: version %d, this program writes %d", errState, version, stateVersion)
	case int(entities) != e.config.Entities || parts != cells:
		return fmt.Errorf("%w: it was written with scoring.entities %d, the configuration says %d", errState, entities, e.config.Entities)
	}
	raw := r.bytes(binary.Size(e.outage))
	if r.short {
		return fmt.Errorf("%w: it ends in the outage watch", errState)
	}
	if _, err := binary.Decode(raw, order, &e.outage); err != nil {
		return fmt.Errorf("%w: outage watch: %w", errState, err)
	}
	e.hash = hasher(seed)
	for i := range e.cells {
		if err := e.cells[i].table.restore(r); err != nil {
			return fmt.Errorf("cell %d: %w", i, err)
		}
	}
	if len(r.src) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errState, len(r.src))
	}
	return nil
}

func (t *table) restore(r *reader) error {
	hand, added := r.uint32(), r.uint32()
	for _, row := range t.gate.rows {
		copy(row, r.bytes(len(row)))
	}
	n := int(r.uint32())
	if r.short || n > t.limit || int(hand) > n {
		return fmt.Errorf("%w: truncated or over its limit", errState)
	}
	t.hand, t.gate.added = int(hand), added
	t.arena = make([]state, n)
	for i := range t.arena {
		raw := r.bytes(stateSize)
		if r.short {
			return fmt.Errorf("%w: it ends in entity %d of %d", errState, i, n)
		}
		if _, err := binary.Decode(raw, order, &t.arena[i]); err != nil {
			return fmt.Errorf("%w: entity %d: %w", errState, i, err)
		}
	}
	size := firstIndex
	for size < 2*n {
		size *= 2
	}
	t.reindex(size)
	return nil
}

// reader takes fields off the front of a state; short says that it ran out, after which all fields are zero.
type reader struct {
	src   []byte
	short bool
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.src) {
		r.src, r.short = nil, true
		return make([]byte, n)
	}
	out := r.src[:n]
	r.src = r.src[n:]
	return out
}

func (r *reader) uint32() uint32 { return order.Uint32(r.bytes(4)) }
func (r *reader) uint64() uint64 { return order.Uint64(r.bytes(8)) }
