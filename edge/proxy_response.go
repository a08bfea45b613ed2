package edge

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync"
)

// An observedResponse notes what a request was answered. The methods that it lacks are found through Unwrap.
type observedResponse struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Hijack hands the connection over, which a proxy does to switch protocols.
func (o *observedResponse) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	connection, buffered, err := http.NewResponseController(o.ResponseWriter).Hijack()
	if err == nil {
		o.status = http.StatusSwitchingProtocols
	}
	return connection, buffered, err
}

// Unwrap lets http.ResponseController reach the connection, to flush streams.
func (o *observedResponse) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// WriteHeader notes the final status; informational ones pass.
func (o *observedResponse) WriteHeader(status int) {
	if o.status == 0 && status >= http.StatusOK {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write counts what the connection took.
func (o *observedResponse) Write(p []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	n, err := o.ResponseWriter.Write(p)
	o.bytes += int64(n)
	return n, err
}

// size is the length of the body, -1 where the connection was handed over.
func (o *observedResponse) size() int64 {
	if o.status == http.StatusSwitchingProtocols {
		return -1
	}
	return o.bytes
}

// A bufferPool lends the reverse proxy what it copies bodies with.
type bufferPool struct{ pool sync.Pool }

// Get returns a buffer of 32 KiB.
func (b *bufferPool) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, 32<<10)
}

// Put takes a buffer back.
func (b *bufferPool) Put(buffer []byte) { b.pool.Put(&buffer) }

// hostOf returns the lower-case name of a Host header without its port.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}

// joined is a header that came in several lines as one.
func joined(lines []string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	return strings.Join(lines, ", ")
}
