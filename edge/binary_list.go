package edge

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"sundew"
)

// Binary is a list that GET /feed/v1/snapshot.bin gave: one decision for each entity, the hardest, with its expiry rounded
// down to at most a part in two thousand of its lifetime, and no evidence.
type Binary struct {
	sundew.Blocklist
	Allow []sundew.Entity // to be left alone even where a decision covers them
}

// ParseBinary reads a whole binary list. It checks the SHA-256 at its end first, so that an error in what follows means a
// faulty writer; whom the list is from is for the transport to prove. It is given at most what the caller has read, and
// keeps no part of it; it takes memory of about 300 bytes for each entry of 4 bytes or more.
func ParseBinary(data []byte) (Binary, error) {
	var list Binary
	err := parseBinary(data, binaryMagic, &list, func(d sundew.Decision) error {
		list.Decisions = append(list.Decisions, d)
		return d.Validate()
	})
	if err != nil {
		return Binary{}, fmt.Errorf("binary list: %w", err)
	}
	return list, nil
}

// BinaryChanges are what GET /feed/v1/changes.bin gave: of each entity that changed, the decision that stands for it now,
// or that none does.
type BinaryChanges struct {
	Cursor  sundew.Cursor // after the changes
	Changes []sundew.Change
	Allow   []sundew.Entity
}

// ParseBinaryChanges reads an answer as ParseBinary reads a list. Table.ApplyStates carries it over.
func ParseBinaryChanges(data []byte) (BinaryChanges, error) {
	var list Binary
	var changes []sundew.Change
	err := parseBinary(data, binaryChangesMagic, &list, func(d sundew.Decision) error {
		if d.Action == sundew.ActionNone {
			changes = append(changes, sundew.Change{Cursor: list.Cursor, Op: sundew.OpDelete, Decision: d})
			return nil
		}
		changes = append(changes, sundew.Change{Cursor: list.Cursor, Op: sundew.OpAdd, Decision: d})
		return d.Validate()
	})
	if err != nil {
		return BinaryChanges{}, fmt.Errorf("binary changes: %w", err)
	}
	return BinaryChanges{list.Cursor, changes, list.Allow}, nil
}

// parseBinary reads what begins with the given word, and hands out its decisions in order.
func parseBinary(data []byte, magic string, list *Binary, put func(sundew.Decision) error) error {
	body := len(data) - sha256.Size
	if body < 0 || !bytes.HasPrefix(data, []byte(magic)) {
		return errors.New("it does not begin as one: is this what it is taken for, and all of it?")
	}
	if sum := sha256.Sum256(data[:body]); !bytes.Equal(sum[:], data[body:]) {
		return errors.New("its SHA-256 is another: it was cut off or changed on the way; fetch it again")
	}
	r := &binaryReader{rest: data[len(magic):body], changes: magic == binaryChangesMagic}
	list.Cursor = sundew.Cursor{Epoch: r.text(), Seq: r.integer()}
	base := r.integer()
	for range r.count(2) {
		list.Allow = append(list.Allow, r.parseEntity())
	}
	classes := make([]binaryClass, r.count(3))
	for i := range classes {
		classes[i] = r.class()
	}
	if r.err == nil && base > 1<<40 {
		return fmt.Errorf("base time of %d seconds", base)
	}
	at := time.Unix(int64(base), 0).UTC()
	for {
		form := form(r.byte())
		if form == formEnd || r.err != nil {
			break
		}
		if err := r.section(form, classes, at, put); err != nil {
			return err
		}
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes after the last section", len(r.rest))
	}
	return r.err
}

// binaryReader takes a list apart. After its first error it yields zeros.
type binaryReader struct {
	rest    []byte
	changes bool
	err     error
}

func (r *binaryReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *binaryReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail(io.ErrUnexpectedEOF)
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *binaryReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *binaryReader) integer() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail(io.ErrUnexpectedEOF)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count is how many things of at least the given size follow: no more than there is room for.
func (r *binaryReader) count(size int) int {
	n := r.integer()
	if n > uint64(len(r.rest)/size) {
		r.fail(fmt.Errorf("%d entries announced, %d bytes left", n, len(r.rest)))
		return 0
	}
	return int(n)
}

func (r *binaryReader) text() string { return string(r.take(r.integer())) }

func (r *binaryReader) parseEntity() sundew.Entity {
	text := r.text()
	if r.err != nil {
		return sundew.Entity{}
	}
	e, err := sundew.ParseEntity(text)
	if err != nil {
		r.fail(err)
	}
	return e
}

func (r *binaryReader) class() binaryClass {
	c := binaryClass{action: sundew.Action(r.byte())}
	delay := r.integer()
	c.rule = r.text()
	switch {
	case r.err != nil:
	case r.changes && c.action == sundew.ActionNone:
	case !c.action.Enforces() || c.action > sundew.ActionBlock:
		r.fail(fmt.Errorf("unknown action %d", c.action))
	case delay > uint64(24*time.Hour/time.Millisecond):
		r.fail(fmt.Errorf("delay of %d ms", delay))
	}
	c.delay = time.Duration(delay) * time.Millisecond
	return c
}

// section hands out the decisions of a section.
func (r *binaryReader) section(form form, classes []binaryClass, at time.Time, put func(sundew.Decision) error) error {
	e := binaryEntry{form: form, kind: sundew.Kind(r.byte())}
	if r.err == nil && !form.holds(e.kind) {
		return fmt.Errorf("form %d for kind %d", form, e.kind)
	}
	n := r.count(3)
	for i := range n {
		before := e
		e.read(r)
		if r.err != nil {
			return r.err
		}
		if i > 0 && compareEntries(before, e) >= 0 {
			return fmt.Errorf("keys of form %d do not rise", form)
		}
		if e.class >= len(classes) {
			return fmt.Errorf("class %d of %d", e.class, len(classes))
		}
		entity := e.entity()
		if canonical, err := entity.Canonical(); err != nil || canonical != entity {
			return fmt.Errorf("key %q of kind %s is not canonical", entity.Key, entity.Kind)
		}
		c := classes[e.class]
		d := sundew.Decision{
			Time: at, Entity: entity, Action: c.action, Delay: c.delay, Rule: c.rule,
			Expires: at.Add(time.Duration(unpackSeconds(e.lifetime)) * time.Second),
		}
		d.ID = sundew.DecisionID(d.Rule, d.Entity, d.Version)
		if err := put(d); err != nil {
			return err
		}
	}
	return nil
}

// holds says whether a section of the form may be of the kind.
func (f form) holds(kind sundew.Kind) bool {
	switch f {
	case formIPv4, formIPv6:
		return kind == sundew.KindIP
	case formNetwork4, formNetwork6:
		return kind == sundew.KindPrefix
	case formGUID:
		return kind == sundew.KindDevice
	default:
		return f == formText && kind != sundew.KindNone && int(kind) < sundew.NumKinds
	}
}

// read takes the next entry, whose predecessor's key is still in e.
func (e *binaryEntry) read(r *binaryReader) {
	first := r.byte()
	e.class = int(first >> lengthBits)
	if e.class == classAbove {
		e.class = int(min(r.integer(), 1<<31))
	}
	gap := r.take(uint64(first & (1<<lengthBits - 1)))
	if len(gap) > e.form.width() {
		r.fail(fmt.Errorf("a key of form %d has %d bytes", e.form, len(gap)))
		return
	}
	var b [16]byte
	copy(b[16-len(gap):], gap)
	sum, over := e.key.plus(numberOf(b))
	if over || (e.form.width() == 4 && (sum.high > 0 || sum.low > 1<<32-1)) {
		r.fail(fmt.Errorf("a key of form %d is too great", e.form))
		return
	}
	e.key = sum
	switch {
	case e.form.network():
		e.bits = r.byte()
	case e.form == formText:
		e.text = r.text()
	}
	if b := r.take(2); b != nil {
		e.lifetime = binary.LittleEndian.Uint16(b)
	}
}
