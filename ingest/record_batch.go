package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

// recordBatch is the header of a batch of format 2 (Kafka documentation, Record Batch) and the records behind it.
type recordBatch struct {
	base       int64 // the offset that those of the records count from
	last       int64 // the offset of the last record that was in the batch when it was written
	attributes int16
	firstTime  int64 // milliseconds since 1970
	maxTime    int64
	count      int32
	records    []byte // compressed as the attributes say
}

// Places in a batch.
const (
	batchLength  = 8
	batchFormat  = 16
	batchCRC     = 17
	batchBody    = 21 // what the checksum covers begins here
	batchRecords = 61
)

// Attributes of a batch.
const (
	compressionBits = 0x07
	appendTimeBit   = 0x08 // the broker has set the time of all records
	controlBit      = 0x20 // the records say how transactions ended
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// nextBatch takes the first batch off b and compares its checksum, which covers everything but its offset and length.
// whole is false where b holds less than one batch.
func nextBatch(b []byte) (batch recordBatch, rest []byte, whole bool, err error) {
	if len(b) < batchFormat+1 {
		return batch, b, false, nil
	}
	size := int64(int32(binary.BigEndian.Uint32(b[batchLength:]))) + batchLength + 4
	if format := b[batchFormat]; format != 2 {
		return batch, b, false, fmt.Errorf("the log holds records of format %d: want 2, as from Kafka 0.11 on", format)
	}
	if size < batchRecords {
		return batch, b, false, fmt.Errorf("a batch claims to have %d bytes", size)
	}
	if size > int64(len(b)) {
		return batch, b, false, nil
	}
	b, rest = b[:size:size], b[size:]
	want, got := binary.BigEndian.Uint32(b[batchCRC:]), crc32.Checksum(b[batchBody:], castagnoli)
	if got != want {
		return batch, rest, false, fmt.Errorf("a batch is damaged: its checksum is %08x, want %08x", got, want)
	}
	c := cursor{rest: b}
	batch.base = c.int64()
	c.skip(batchBody - 8)
	batch.attributes = c.int16()
	batch.last = batch.base + int64(c.int32())
	batch.firstTime, batch.maxTime = c.int64(), c.int64()
	c.skip(8 + 2 + 4) // producer, its epoch, sequence
	batch.count, batch.records = c.int32(), c.rest
	return batch, rest, true, nil
}

func (b *recordBatch) control() bool { return b.attributes&controlBit != 0 }

// maxInflated bounds what a batch holds without its compression: as much as lz4 makes of the largest batch that brokers
// take by default.
const maxInflated = 256 << 20

// plain returns the records without compression: behind what dst holds where there was one, or in a larger array.
func (b *recordBatch) plain(dst []byte) (records, grown []byte, err error) {
	compression := kafka.Compression(b.attributes & compressionBits)
	if compression == 0 {
		return b.records, dst, nil
	}
	codec := compression.Codec()
	if codec == nil {
		return nil, dst, fmt.Errorf("a batch has compression %d, which is not known", compression)
	}
	r := codec.NewReader(bytes.NewReader(b.records))
	defer func() { _ = r.Close() }() // gives the reader back; it has been read to its end
	start := len(dst)
	for {
		if len(dst) == cap(dst) { // the batches in front keep the old array
			grown := make([]byte, len(dst)-start, max(2*cap(dst), 1<<20))
			copy(grown, dst[start:])
			dst, start = grown, 0
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst[start:len(dst):len(dst)], dst, nil
		}
		if err != nil {
			return nil, dst, fmt.Errorf("decompress a batch: %w", err)
		}
		if len(dst)-start > maxInflated {
			return nil, dst, fmt.Errorf("a batch has more than %d bytes without its compression", maxInflated)
		}
	}
}

// record reads the next record of the batch. Its key and value are part of what c reads.
func (b *recordBatch) record(c *cursor, format *string) record {
	body := cursor{rest: c.bytes()}
	if body.rest == nil {
		c.err = errShort
		return record{}
	}
	body.skip(1) // attributes, of which there are none
	ms := b.firstTime + body.varint()
	if b.attributes&appendTimeBit != 0 {
		ms = b.maxTime
	}
	r := record{offset: b.base + body.varint(), time: time.UnixMilli(ms)}
	r.key, r.value = body.bytes(), body.bytes()
	r.tombstone = r.value == nil
	for n := body.varint(); n > 0 && body.err == nil; n-- {
		switch name, value := body.bytes(), body.bytes(); string(name) {
		case headerFormat:
			if *format != string(value) {
				*format = string(value)
			}
			r.format = *format
		case headerTreated:
			r.treated = true
		}
	}
	c.err = body.err
	return r
}
