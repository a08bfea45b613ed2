package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"

	"sundew"
)

// A snapshot file is one zstd frame (RFC 8878) around, little endian:
//
//	8 bytes  "sundewSN"
//	uint16   format version
//	int32    partition
//	int64    next offset
//	uint32   number of sections, then for each
//	         uint16 length of the name, the name, uint64 length of the state, the state
//	uint32   CRC-32C (RFC 3720, appendix B.4) of all before it
const (
	snapshotMagic   = "sundewSN"
	snapshotVersion = 1

	maxSections      = 64
	maxSnapshotBytes = 8 << 30 // unpacked; a file that claims more is broken
)

var errTruncated = errors.New("it ends too early")

// newerSnapshotError says that a file was written by a program that this one cannot follow.
type newerSnapshotError struct{ version uint16 }

func (e *newerSnapshotError) Error() string {
	return fmt.Sprintf("it has format version %d, this program knows up to %d", e.version, snapshotVersion)
}

// snapshot is the content of a file.
type snapshot struct {
	partition int32
	next      int64
	sections  []section
}

type section struct {
	name  string
	state []byte
}

// appendSnapshot appends the unpacked form of the state of the parts.
func appendSnapshot(dst []byte, at sundew.Position, parts []NamedState) []byte {
	start := len(dst)
	dst = append(dst, snapshotMagic...)
	dst = binary.LittleEndian.AppendUint16(dst, snapshotVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(at.Partition))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at.Next))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(parts)))
	for _, part := range parts {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(part.Name)))
		dst = append(dst, part.Name...)
		length := len(dst)
		dst = binary.LittleEndian.AppendUint64(dst, 0)
		dst = part.State.AppendState(dst)
		binary.LittleEndian.PutUint64(dst[length:], uint64(len(dst)-length-8))
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], crc32.MakeTable(crc32.Castagnoli)))
}

func pack(unpacked []byte) ([]byte, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return encoder.EncodeAll(unpacked, nil), encoder.Close()
}

func unpack(packed []byte) ([]byte, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSnapshotBytes))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return decoder.DecodeAll(packed, nil)
}

// readSnapshot reads what appendSnapshot wrote. States are parts of data. The version is looked at before the checksum,
// since a newer format may keep that elsewhere; a flipped bit cannot pass for a newer version, because zstd has a checksum
// of its own.
func readSnapshot(data []byte) (snapshot, error) {
	var s snapshot
	r := reader{rest: data}
	if string(r.bytes(uint64(len(snapshotMagic)))) != snapshotMagic {
		return s, errors.New("it is no snapshot of sundew")
	}
	if version := r.uint16(); version > snapshotVersion {
		return s, &newerSnapshotError{version}
	}
	if err := checkSum(data); err != nil {
		return s, err
	}
	r.rest = r.rest[:max(0, len(r.rest)-4)]
	s.partition = int32(r.uint32())
	s.next = int64(r.uint64())
	count := r.uint32()
	if count > maxSections {
		return s, fmt.Errorf("it claims %d sections, more than %d", count, maxSections)
	}
	for range count {
		name := string(r.bytes(uint64(r.uint16())))
		s.sections = append(s.sections, section{name, r.bytes(r.uint64())})
	}
	switch {
	case r.short:
		return s, errTruncated
	case len(r.rest) > 0:
		return s, fmt.Errorf("%d bytes follow the last section", len(r.rest))
	case s.next < 0:
		return s, fmt.Errorf("its offset %d is negative", s.next)
	}
	return s, nil
}

func checkSum(data []byte) error {
	if len(data) < 4 {
		return errTruncated
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if got := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)); got != sum {
		return fmt.Errorf("its checksum is %08x, its content has %08x", sum, got)
	}
	return nil
}

// reader takes fields off the front of rest. Once rest was too short it gives zeros.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) bytes(n uint64) []byte {
	if r.short || n > uint64(len(r.rest)) {
		r.short = true
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
