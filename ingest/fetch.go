package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// exchange is one fetch from one partition. The library finds the leader, connects and sends the request; the answer is
// read here, as a whole into one buffer, because its own way copies every answer through pages and allocates per record.
// Whoever gives up on an exchange leaves it alone: the library may still be reading into it.
type exchange struct {
	fetch.Request
	clientID string
	version  int16
	buffer   []byte // of the answer; what it holds when the exchange begins is written over
}

var (
	_ protocol.BrokerMessage = (*exchange)(nil)
	_ protocol.RawExchanger  = (*exchange)(nil)
)

const (
	oldestFetch = 4 // Kafka 0.11, whose record batches have checksums that cover them
	newestFetch = 11

	correlation = 1 // one request at a time is under way on a connection

	// maxAnswer bounds an answer: it is as large as MaxBytes says, or as one batch that is larger.
	maxAnswer = 256 << 20
)

// Required takes note of the version that the library and the broker have agreed on.
func (x *exchange) Required(versions map[protocol.ApiKey]int16) bool {
	x.version = versions[protocol.Fetch]
	return true
}

// RawExchange implements protocol.RawExchanger.
func (x *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if x.version < oldestFetch || x.version > newestFetch {
		return nil, fmt.Errorf("the broker fetches by version %d: want %d, as from Kafka 0.11 on", x.version, oldestFetch)
	}
	if err := protocol.WriteRequest(rw, x.version, correlation, x.clientID, &x.Request); err != nil {
		return nil, err
	}
	x.buffer = sized(x.buffer, 4)
	if _, err := io.ReadFull(rw, x.buffer); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(x.buffer)
	if size < 4 || size > maxAnswer {
		return nil, fmt.Errorf("the broker announces an answer of %d bytes: want at most %d", size, maxAnswer)
	}
	x.buffer = sized(x.buffer, int(size))
	if _, err := io.ReadFull(rw, x.buffer); err != nil {
		return nil, err
	}
	if id := binary.BigEndian.Uint32(x.buffer); id != correlation {
		return nil, fmt.Errorf("the broker answers request %d, not %d", id, correlation)
	}
	return x, nil
}

// sized returns a slice of n bytes, in place of b where that has room. What b held is lost.
func sized(b []byte, n int) []byte {
	if n > cap(b) {
		return make([]byte, n, n+n/4)
	}
	return b[:n]
}

// fetchAnswer is what a broker says about one partition.
type fetchAnswer struct {
	first, end int64  // the offsets of the oldest record and behind the newest
	batches    []byte // whole record batches, and maybe the beginning of another
}

var errShort = errors.New("the answer of the broker ends early")

// answer takes the buffer apart (Kafka protocol guide, Fetch response).
func (x *exchange) answer() (fetchAnswer, error) {
	c := cursor{rest: x.buffer}
	c.skip(4 + 4) // correlation, throttling
	if x.version >= 7 {
		if code := c.int16(); code != 0 {
			return fetchAnswer{}, kafka.Error(code)
		}
		c.skip(4) // session
	}
	if n := c.int32(); n < 1 {
		return fetchAnswer{}, errors.Join(c.err, protocol.ErrNoTopic)
	}
	c.skip(int(c.int16())) // name
	if n := c.int32(); n < 1 {
		return fetchAnswer{}, errors.Join(c.err, protocol.ErrNoPartition)
	}
	c.skip(4) // partition
	code := c.int16()
	f := fetchAnswer{end: c.int64()}
	c.skip(8) // the last stable offset
	if x.version >= 5 {
		f.first = c.int64()
	}
	c.skip(16 * int(max(c.int32(), 0))) // aborted transactions
	if x.version >= 11 {
		c.skip(4) // the replica to read from
	}
	f.batches = c.take(int(max(c.int32(), 0)))
	if c.err != nil {
		return fetchAnswer{}, c.err
	}
	if code != 0 {
		return f, kafka.Error(code)
	}
	return f, nil
}

// cursor reads big-endian numbers. After the end everything is zero and err is set.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.rest, c.err = nil, errShort
		return nil
	}
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) skip(n int) { c.take(n) }

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// varint reads a number in Protobuf's zigzag encoding, as records have them.
func (c *cursor) varint() int64 {
	n, size := binary.Varint(c.rest)
	if size <= 0 {
		c.rest, c.err = nil, errShort
		return 0
	}
	c.rest = c.rest[size:]
	return n
}

// bytes reads a length and as many bytes; nil stands for the length -1.
func (c *cursor) bytes() []byte {
	n := c.varint()
	if n == -1 {
		return nil
	}
	if n < 0 || n > int64(len(c.rest)) {
		c.rest, c.err = nil, errShort
		return nil
	}
	return c.take(int(n))
}
