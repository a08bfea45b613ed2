package ingest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	messageTimeout   = 30 * time.Second // from a message's first byte to its last
	handshakeTimeout = 10 * time.Second
	acceptPause      = 50 * time.Millisecond // where the process is out of file descriptors
)

// streams is a TCP socket, with TLS or without.
type streams struct {
	listener net.Listener
	tls      *tls.Config // nil: none
}

func openStreams(ctx context.Context, address string, config *tls.Config) (*streams, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &streams{listener, config}, nil
}

func (t *streams) address() string { return t.listener.Addr().String() }
func (t *streams) close()          { _ = t.listener.Close() }

// run serves each connection in a goroutine of its own, as many as max_connections allows.
func (t *streams) run(ctx, grace context.Context, s *Syslog) error {
	defer context.AfterFunc(ctx, t.close)()
	slots := make(chan struct{}, s.config.MaxConnections)
	var joined sync.WaitGroup
	defer joined.Wait()
	for {
		conn, err := t.listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accept: %w", err)
		}
		if err != nil {
			s.log.WarnContext(ctx, "connection not accepted", "error", err)
			pause(ctx, acceptPause)
			continue
		}
		peer, ok := t.admit(s, conn)
		if !ok {
			_ = conn.Close()
			continue
		}
		select {
		case slots <- struct{}{}:
			joined.Go(func() {
				defer func() { <-slots }()
				t.serve(ctx, grace, s, conn, peer)
			})
		default:
			s.metrics.refused.WithLabelValues("connections").Inc()
			_ = conn.Close()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (t *streams) admit(s *Syslog, conn net.Conn) (netip.Addr, bool) {
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	peer := from.Addr().Unmap().WithZone("")
	if err != nil || !s.config.accepts(peer) {
		s.metrics.refused.WithLabelValues("network").Inc()
		return peer, false
	}
	return peer, true
}

func (t *streams) serve(ctx, grace context.Context, s *Syslog, conn net.Conn, peer netip.Addr) {
	defer func() { _ = conn.Close() }()
	if t.tls != nil {
		secure := tls.Server(conn, t.tls)
		limited, cancel := context.WithTimeout(ctx, handshakeTimeout)
		err := secure.HandshakeContext(limited)
		cancel()
		if err != nil {
			s.metrics.refused.WithLabelValues("handshake").Inc()
			s.log.DebugContext(ctx, "no TLS", "peer", peer.String(), "error", err)
			return
		}
		conn = secure
	}
	s.metrics.connections.Inc()
	defer s.metrics.connections.Dec()
	c := &stream{source: s, conn: conn, peer: peer, frames: newFrames(conn, s.config.MaxMessage)}
	s.metrics.closed.WithLabelValues(c.read(ctx, grace)).Inc()
}

// stream is one connection.
type stream struct {
	source *Syslog
	conn   net.Conn
	peer   netip.Addr
	frames *frames
	stopBy time.Time // when reading ends after ctx has; the zero time before
}

// read takes messages until the connection ends or ctx does, and says which.
func (c *stream) read(ctx, grace context.Context) (reason string) {
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetReadDeadline(time.Now().Add(syslogDrain)) })()
	for {
		c.limit(ctx, c.source.config.IdleTimeout)
		if err := c.frames.wait(); err != nil {
			return c.ended(ctx, err)
		}
		c.limit(ctx, messageTimeout)
		text, size, err := c.frames.next()
		m := message{peer: c.peer, text: bytes.Clone(text), size: size}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return "end"
			}
			m.reason, m.detail = "message cut off", fmt.Sprintf("%d bytes came: %v", len(text), err)
			if errors.Is(err, errFraming) {
				m.reason, m.detail = "message length cannot be read", err.Error()
			}
		}
		if !c.source.offer(grace, m) || err != nil {
			return c.ended(ctx, err)
		}
	}
}

// limit sets how long the next read may take. When ctx ends all reads end soon, also one that this call was about to
// give more time.
func (c *stream) limit(ctx context.Context, d time.Duration) {
	now := time.Now()
	_ = c.conn.SetReadDeadline(now.Add(d)) // a connection that is gone says so when it is read
	if ctx.Err() == nil {
		return
	}
	if c.stopBy.IsZero() {
		c.stopBy = now.Add(syslogDrain)
	}
	_ = c.conn.SetReadDeadline(c.stopBy)
}

func (c *stream) ended(ctx context.Context, err error) string {
	switch {
	case ctx.Err() != nil:
		return "stop"
	case errors.Is(err, io.EOF):
		return "end"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "idle"
	}
	return "broken"
}
