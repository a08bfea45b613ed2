package ingest

import (
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxRatio is how many times its size a body may grow by decompression; text logs reach about 30.
const maxRatio = 100

// ratioFree is how much a body may hold before its ratio counts: small bodies of equal lines compress without end.
const ratioFree = 1 << 20

var (
	errEncoding  = errors.New("unknown content encoding")
	errInflation = errors.New("body grows too much")
)

// decompressed returns the plain content of r and how to give back what that takes.
func decompressed(r io.Reader, encoding string) (*input, error) {
	in := &input{Reader: r, compression: encoding, close: func() {}}
	switch encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		in.Reader = z
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, err
		}
		in.Reader, in.close = z, z.Close
	default:
		return nil, errEncoding
	}
	return in, nil
}

// meter counts what it lets through.
type meter struct {
	r io.Reader
	n int64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	return n, err
}

// inflation stops a body that is a decompression bomb.
type inflation struct {
	r     io.Reader
	raw   *meter
	limit int64
	n     int64
}

func (i *inflation) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.n += int64(n)
	if i.n > i.limit || (i.n > ratioFree && i.n > maxRatio*i.raw.n) {
		return 0, errInflation
	}
	return n, err
}
