package edge

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q := strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
		return strings.Trim(q, "0.") != "" || q == ""
	}
	return false
}

// gzipped compresses a body for speed: lists repeat themselves so much that the fastest level gives a tenth.
func gzipped(body []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level is valid
	_, _ = w.Write(body)                              // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// onePacket is the size up to which compression saves nobody anything: the answer is a packet in any case.
const onePacket = 1200

// writeBody answers with a whole body, as gzip where it is long and the client takes that. The client may be gone.
func writeBody(w http.ResponseWriter, r *http.Request, body []byte) {
	if len(body) <= onePacket {
		w.Header().Add("Vary", "Accept-Encoding")
		_, _ = w.Write(body)
		return
	}
	out := encoded(w, r)
	_, _ = out.Write(body)
	_ = out.Close()
}

// encoded returns an answer that starts uncompressed or as gzip, as the client prefers. The caller closes it.
func encoded(w http.ResponseWriter, r *http.Request) io.WriteCloser {
	w.Header().Add("Vary", "Accept-Encoding")
	if !acceptsGzip(r) {
		return nopCloser{w}
	}
	w.Header().Set("Content-Encoding", "gzip")
	zw, _ := compressors.Get().(*gzip.Writer)
	if zw == nil {
		zw, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
	} else {
		zw.Reset(w)
	}
	return &pooledWriter{zw}
}

// compressors are writers that nobody uses: each has a megabyte of tables.
var compressors sync.Pool

// A pooledWriter goes back to the pool when it is closed.
type pooledWriter struct{ *gzip.Writer }

// Close ends the stream; the writer must not be used after it.
func (p *pooledWriter) Close() error {
	err := p.Writer.Close()
	compressors.Put(p.Writer)
	p.Writer = nil
	return err
}

type nopCloser struct{ io.Writer }

// Close does nothing.
func (nopCloser) Close() error { return nil }

// decodedBody reads a request's body, compressed or not, up to limit bytes after decompression.
func decodedBody(r *http.Request, limit int64) ([]byte, error) {
	body := io.Reader(r.Body)
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		zr, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("body is not gzip: %w", err)
		}
		defer func() { _ = zr.Close() }()
		body = zr
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("body has more than %d bytes", limit)
	}
	return data, nil
}
