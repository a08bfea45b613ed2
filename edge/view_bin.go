package edge

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sundew"
)

var _ = register(viewBinary())

// viewBinary is the list for edges that have little memory or a slow line: about 5 bytes for an address among a million,
// 17 for a device GUID. ParseBinary reads it.
//
// It holds one decision for each entity, the hardest, and the allow-list. Integers are unsigned LEB128 varints unless
// said otherwise; a text is its length and its bytes.
//
//	"SUNDEWB1" or, for changes, "SUNDEWC1"
//	epoch    text      the cursor's
//	sequence integer   the cursor's
//	base     integer   Unix seconds that the lifetimes count from
//	allow    integer   how many follow, each a text "kind:key"
//	classes  integer   how many follow, each an action (byte), a delay in milliseconds (integer), a rule (text)
//	sections           each a form (byte), a kind (byte), a count (integer) and as many entries; form 0 ends them
//	SHA-256  32 bytes  of everything before
//
// An entry begins with a byte: its low five bits are a length n, its high three the class, or 7 and the class follows as an
// integer. Then comes the key by the section's form:
//
//	1  IPv4, 2 IPv6, 3 GUID   n bytes, big-endian: how much the number is greater than the one before
//	4  IPv4, 5 IPv6 network   the same for the network's address, then the length of its mask (byte)
//	6  any key                n = 0, then a text
//
// An entry ends with its lifetime in seconds, two bytes, little-endian: the low twelve bits shifted left by the high four,
// rounded down. Keys of a section rise strictly. In changes, a class of action 0 and a lifetime of 0 are an entity that is
// on the list no longer.
func viewBinary() view {
	return view{extension: "bin", mediaType: "application/octet-stream", narrow: enforced, write: writeBinary}
}

const (
	binaryMagic        = "SUNDEWB1"
	binaryChangesMagic = "SUNDEWC1"
)

// form says how a section of the binary list writes its keys.
type form uint8

const (
	formEnd form = iota
	formIPv4
	formIPv6
	formGUID
	formNetwork4
	formNetwork6
	formText
)

// width is how many bytes the number of a key has, 0 for texts.
func (f form) width() int {
	switch f {
	case formIPv4, formNetwork4:
		return 4
	case formIPv6, formNetwork6, formGUID:
		return 16
	default:
		return 0
	}
}

func (f form) network() bool { return f == formNetwork4 || f == formNetwork6 }

const (
	lengthBits = 5
	classAbove = 7 // in the high bits of an entry's first byte: the class follows
	mantissa   = 12
)

// number is a key of up to 128 bits.
type number struct{ high, low uint64 }

func numberOf(b [16]byte) number {
	return number{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (n number) bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], n.high)
	binary.BigEndian.PutUint64(b[8:], n.low)
	return b
}

func (n number) compare(m number) int {
	return cmp.Or(cmp.Compare(n.high, m.high), cmp.Compare(n.low, m.low))
}

// plus is the sum and whether it does not fit.
func (n number) plus(m number) (sum number, over bool) {
	var carry uint64
	sum.low, carry = bits.Add64(n.low, m.low, 0)
	sum.high, carry = bits.Add64(n.high, m.high, carry)
	return sum, carry != 0
}

func (n number) minus(m number) (rest number) {
	var borrow uint64
	rest.low, borrow = bits.Sub64(n.low, m.low, 0)
	rest.high, _ = bits.Sub64(n.high, m.high, borrow)
	return rest
}

// binaryEntry is a decision with its key as the list writes it.
type binaryEntry struct {
	form     form
	kind     sundew.Kind
	key      number
	bits     uint8  // of a network's mask
	text     string // of formText
	class    int
	lifetime uint16
}

type binaryClass struct {
	action sundew.Action
	delay  time.Duration
	rule   string
}

func writeBinary(w *bufio.Writer, s snapshot) error { return writeBinaryForm(w, binaryMagic, s, nil) }

// writeBinaryForm writes a list, or changes, in which some entities are on the list no longer.
func writeBinaryForm(w *bufio.Writer, magic string, s snapshot, gone []sundew.Entity) error {
	entries, classes := s.binaryEntries(gone)
	hash := sha256.New()
	out := bufio.NewWriter(io.MultiWriter(w, hash))
	_, _ = out.Write(s.binaryHeader(magic, classes)) // the writer keeps its first error for the flush
	var line []byte
	for start := 0; start < len(entries); {
		end := start
		for end < len(entries) && entries[end].form == entries[start].form && entries[end].kind == entries[start].kind {
			end++
		}
		line = append(line[:0], byte(entries[start].form), byte(entries[start].kind))
		line = binary.AppendUvarint(line, uint64(end-start))
		var before number
		for i := start; i < end; i++ {
			line = entries[i].appendTo(line, before)
			before = entries[i].key
			_, _ = out.Write(line)
			line = line[:0]
		}
		start = end
	}
	_ = out.WriteByte(byte(formEnd))
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(hash.Sum(nil))
	return err
}

func (s snapshot) binaryHeader(magic string, classes []binaryClass) []byte {
	head := appendText([]byte(magic), s.cursor.Epoch)
	head = binary.AppendUvarint(head, s.cursor.Seq)
	head = binary.AppendUvarint(head, uint64(max(s.at.Unix(), 0)))
	head = binary.AppendUvarint(head, uint64(len(s.allow.entities)))
	for _, e := range s.allow.entities {
		head = appendText(head, e.String())
	}
	head = binary.AppendUvarint(head, uint64(len(classes)))
	for _, c := range classes {
		head = append(head, byte(c.action))
		head = binary.AppendUvarint(head, uint64(c.delay.Milliseconds()))
		head = appendText(head, c.rule)
	}
	return head
}

// binaryEntries are the entries in the order of the file, and the classes with the most frequent first.
func (s snapshot) binaryEntries(gone []sundew.Entity) ([]binaryEntry, []binaryClass) {
	var entries []binaryEntry
	var classes []binaryClass
	var sizes []int
	known := map[binaryClass]int{}
	put := func(of sundew.Entity, class binaryClass, lifetime uint16) {
		number, ok := known[class]
		if !ok {
			number = len(classes)
			known[class] = number
			classes, sizes = append(classes, class), append(sizes, 0)
		}
		sizes[number]++
		e := binaryEntry{kind: of.Kind, class: number, lifetime: lifetime}
		e.setKey(of)
		entries = append(entries, e)
	}
	for _, entity := range gone {
		put(entity, binaryClass{}, 0)
	}
	s.hardestOf(tooNarrow, func(d *sundew.Decision) bool {
		left := d.Expires.Unix() - max(s.at.Unix(), 0)
		if left <= 0 {
			return true // it ends within this second
		}
		put(d.Entity, binaryClass{d.Action, d.Delay.Truncate(time.Millisecond), d.Rule}, packSeconds(left))
		return true
	})
	slices.SortFunc(entries, compareEntries)
	return entries, byFrequency(entries, classes, sizes)
}

// tooNarrow is why the binary form cannot express a decision, or "".
func tooNarrow(d *sundew.Decision) string {
	if len(d.And) > 0 {
		return "narrowed"
	}
	return ""
}

// byFrequency gives the classes of many entries the low numbers, which cost nothing.
func byFrequency(entries []binaryEntry, classes []binaryClass, sizes []int) []binaryClass {
	order := make([]int, len(classes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sizes[b], sizes[a]) })
	sorted, place := make([]binaryClass, len(classes)), make([]int, len(classes))
	for to, from := range order {
		sorted[to], place[from] = classes[from], to
	}
	for i := range entries {
		entries[i].class = place[entries[i].class]
	}
	return sorted
}

func compareEntries(a, b binaryEntry) int {
	return cmp.Or(
		cmp.Compare(a.form, b.form), cmp.Compare(a.kind, b.kind),
		a.key.compare(b.key), cmp.Compare(a.bits, b.bits), cmp.Compare(a.text, b.text),
	)
}

// setKey chooses the shortest form that gives the key back.
func (e *binaryEntry) setKey(of sundew.Entity) {
	if guid, ok := guidOf(of.Key); ok && of.Kind == sundew.KindDevice {
		e.form, e.key = formGUID, numberOf(guid)
		return
	}
	network, ok := networkOf(of)
	addr := network.Addr()
	if !ok || (of.Kind == sundew.KindIP && addr.String() != of.Key) || (of.Kind == sundew.KindPrefix && network.String() != of.Key) {
		e.form, e.text = formText, of.Key
		return
	}
	switch {
	case of.Kind == sundew.KindIP && addr.Is4():
		e.form = formIPv4
	case of.Kind == sundew.KindIP:
		e.form = formIPv6
	case addr.Is4():
		e.form, e.bits = formNetwork4, uint8(network.Bits())
	default:
		e.form, e.bits = formNetwork6, uint8(network.Bits())
	}
	if addr.Is4() {
		v4 := addr.As4()
		e.key = number{low: uint64(binary.BigEndian.Uint32(v4[:]))}
		return
	}
	e.key = numberOf(addr.As16())
}

// appendTo appends the entry, whose predecessor in the section has the given key.
func (e *binaryEntry) appendTo(dst []byte, before number) []byte {
	var gap []byte
	if e.form != formText {
		b := e.key.minus(before).bytes()
		gap = bytes.TrimLeft(b[:], "\x00")
	}
	first := byte(len(gap)) | byte(min(e.class, classAbove))<<lengthBits
	dst = append(dst, first)
	if e.class >= classAbove {
		dst = binary.AppendUvarint(dst, uint64(e.class))
	}
	dst = append(dst, gap...)
	switch {
	case e.form.network():
		dst = append(dst, e.bits)
	case e.form == formText:
		dst = appendText(dst, e.text)
	}
	return binary.LittleEndian.AppendUint16(dst, e.lifetime)
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// packSeconds rounds down to what two bytes hold: at most one part in two thousand is lost.
func packSeconds(seconds int64) uint16 {
	shift := max(0, bits.Len64(uint64(seconds))-mantissa)
	if shift > 15 {
		return 1<<16 - 1
	}
	return uint16(shift)<<mantissa | uint16(seconds>>shift)
}

func unpackSeconds(packed uint16) int64 {
	return int64(packed&(1<<mantissa-1)) << (packed >> mantissa)
}

// guidOf reads a GUID in its canonical form, lower case with four dashes (RFC 9562, section 4), and no other: the key must
// come back as it was.
func guidOf(key string) (guid [16]byte, ok bool) {
	if len(key) != 36 {
		return guid, false
	}
	digits := make([]byte, 0, 32)
	for i := range len(key) {
		c := key[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return guid, false
			}
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
			digits = append(digits, c)
		default:
			return guid, false
		}
	}
	_, err := hex.Decode(guid[:], digits)
	return guid, err == nil
}

func guidText(guid [16]byte) string {
	digits := hex.EncodeToString(guid[:])
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}

// entity is whom the entry names.
func (e *binaryEntry) entity() sundew.Entity {
	b := e.key.bytes()
	switch e.form {
	case formIPv4:
		return sundew.Entity{Kind: e.kind, Key: netip.AddrFrom4([4]byte(b[12:])).String()}
	case formIPv6:
		return sundew.Entity{Kind: e.kind, Key: netip.AddrFrom16(b).String()}
	case formGUID:
		return sundew.Entity{Kind: e.kind, Key: guidText(b)}
	case formNetwork4:
		return sundew.Entity{Kind: e.kind, Key: netip.AddrFrom4([4]byte(b[12:])).String() + "/" + strconv.Itoa(int(e.bits))}
	case formNetwork6:
		return sundew.Entity{Kind: e.kind, Key: netip.AddrFrom16(b).String() + "/" + strconv.Itoa(int(e.bits))}
	default:
		return sundew.Entity{Kind: e.kind, Key: e.text}
	}
}
