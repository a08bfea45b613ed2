package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// batchOf has the library write a batch, without the size in front.
func batchOf(t testing.TB, compression kafka.Compression, records ...kafka.Record) []byte {
	t.Helper()
	set := protocol.RecordSet{Version: 2, Attributes: protocol.Attributes(compression), Records: protocol.NewRecordReader(records...)}
	var b bytes.Buffer
	if _, err := set.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[4:]
}

func recordsOf(n int) (records []kafka.Record) {
	for i := range n {
		r := kafka.Record{Time: time.UnixMilli(1795521600000 + int64(i%7)*1000)}
		if i%3 > 0 {
			r.Key = kafka.NewBytes([]byte(strings.Repeat("k", i%3-1)))
		}
		if i%5 > 0 {
			r.Value = kafka.NewBytes([]byte(strings.Repeat("value ", i%5-1)))
		}
		for j := range i % 4 {
			r.Headers = append(r.Headers, kafka.Header{Key: []string{"format", "other", "treated"}[j], Value: fmt.Appendf(nil, "json-%d", i%2)})
		}
		records = append(records, r)
	}
	return records
}

// library reads batches as kafka-go does.
func library(t testing.TB, batches []byte) (all []record) {
	t.Helper()
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(batches))), batches...))); err != nil {
		t.Fatal(err)
	}
	read := func(b protocol.Bytes) []byte {
		if b == nil {
			return nil
		}
		text, err := io.ReadAll(b)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for {
		rec, err := set.Records.ReadRecord()
		if err != nil {
			return all
		}
		r := record{offset: rec.Offset, time: rec.Time, key: read(rec.Key), value: read(rec.Value), tombstone: rec.Value == nil}
		for _, h := range rec.Headers {
			switch h.Key {
			case headerFormat:
				r.format = string(h.Value)
			case headerTreated:
				r.treated = true
			}
		}
		all = append(all, r)
	}
}

func TestBatchesReadAsTheLibraryReadsThem(t *testing.T) {
	for _, compression := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		for _, n := range []int{1, 2, 60, 5000} {
			batch := batchOf(t, compression, recordsOf(n)...)
			for _, tail := range [][]byte{nil, batch[:10], batch[:len(batch)-1]} {
				r := partitionReader{end: int64(n)}
				got, err := r.collect(append(bytes.Clone(batch), tail...))
				if want := library(t, batch); err != nil || r.next != int64(n) || !reflect.DeepEqual(got, want) {
					t.Fatalf("%v, %d records, %d bytes behind them: next is %d, error %v, records\n%v\nwant\n%v", compression, n, len(tail), r.next, err, got, want)
				}
			}
		}
	}
}

// TestDamagedBatchesAreRefused turns every bit of a batch, one at a time: what the checksum does not cover is the offset,
// which leaves a gap, the leader's epoch, which nobody reads, and length and format.
func TestDamagedBatchesAreRefused(t *testing.T) {
	batch := batchOf(t, kafka.Lz4, recordsOf(20)...)
	for i := range len(batch) * 8 {
		if at := i / 8; at >= 12 && at < batchFormat {
			continue
		}
		damaged := bytes.Clone(batch)
		damaged[i/8] ^= 1 << (i % 8)
		r := partitionReader{end: 20}
		if got, err := r.collect(damaged); err == nil && len(got) > 0 {
			t.Fatalf("bit %d of byte %d turned: read %d records", i%8, i/8, len(got))
		}
	}
}

func TestHalfABatchIsAnError(t *testing.T) {
	batch := batchOf(t, 0, recordsOf(20)...)
	for n := 1; n < len(batch); n++ {
		r := partitionReader{end: 20}
		if got, err := r.collect(batch[:n]); err == nil || len(got) > 0 || r.next != 0 {
			t.Fatalf("%d bytes of %d: %d records, next %d, no error", n, len(batch), len(got), r.next)
		}
	}
}

// FuzzRecordBatch puts any records into a batch with a checksum that fits.
func FuzzRecordBatch(f *testing.F) {
	for _, compression := range []kafka.Compression{0, kafka.Lz4, kafka.Zstd, kafka.Snappy, kafka.Gzip} {
		batch := batchOf(f, compression, recordsOf(12)...)
		f.Add(int16(compression), int32(12), batch[batchRecords:])
	}
	f.Fuzz(func(t *testing.T, attributes int16, count int32, records []byte) {
		batch := make([]byte, batchRecords, batchRecords+len(records))
		batch[batchFormat] = 2
		binary.BigEndian.PutUint16(batch[batchBody:], uint16(attributes))
		binary.BigEndian.PutUint32(batch[23:], uint32(max(count, 1)-1))
		binary.BigEndian.PutUint32(batch[57:], uint32(count))
		batch = append(batch, records...)
		binary.BigEndian.PutUint32(batch[batchLength:], uint32(len(batch)-batchLength-4))
		binary.BigEndian.PutUint32(batch[batchCRC:], crc32.Checksum(batch[batchBody:], castagnoli))
		r := partitionReader{end: int64(count)}
		got, err := r.collect(batch)
		if err != nil {
			return
		}
		for i, rec := range got {
			if rec.offset != int64(i) {
				t.Fatalf("record %d has offset %d", i, rec.offset)
			}
		}
	})
}

// FuzzFetchAnswer takes any answer of any version.
func FuzzFetchAnswer(f *testing.F) {
	f.Add(int16(11), []byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01"))
	f.Fuzz(func(_ *testing.T, version int16, buffer []byte) {
		x := exchange{version: version, buffer: buffer}
		if answer, err := x.answer(); err == nil {
			r := partitionReader{next: answer.first}
			_, _ = r.collect(answer.batches)
		}
	})
}
