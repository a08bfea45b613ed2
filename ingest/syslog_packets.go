package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// receiveBuffer is what the kernel is asked to hold of packets; it gives what net.core.rmem_max allows.
const receiveBuffer = 8 << 20

// packets is a UDP socket: one message a packet (RFC 5426).
type packets struct{ conn *net.UDPConn }

func openPackets(ctx context.Context, address string) (*packets, error) {
	conn, err := (&net.ListenConfig{Control: countDrops}).ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	udp := conn.(*net.UDPConn)
	if err := udp.SetReadBuffer(receiveBuffer); err != nil {
		return nil, errors.Join(fmt.Errorf("receive buffer: %w", err), udp.Close())
	}
	return &packets{udp}, nil
}

func (p *packets) address() string { return p.conn.LocalAddr().String() }
func (p *packets) close()          { _ = p.conn.Close() }

func (p *packets) run(ctx, _ context.Context, s *Syslog) error {
	defer context.AfterFunc(ctx, func() { _ = p.conn.SetReadDeadline(time.Now().Add(syslogDrain)) })()
	buffer := make([]byte, s.config.MaxMessage+1) // one more, to know a longer one
	control := make([]byte, 64)
	lost := uint32(0) // by the kernel so far
	for {
		n, nc, _, from, err := p.conn.ReadMsgUDPAddrPort(buffer, control)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read packet: %w", err)
		}
		if total, ok := dropsOf(control[:nc]); ok {
			s.metrics.dropped.WithLabelValues("kernel").Add(float64(total - lost)) // the kernel's counter wraps as this does
			lost = total
		}
		p.take(s, from.Addr().Unmap().WithZone(""), buffer[:n])
	}
}

func (p *packets) take(s *Syslog, peer netip.Addr, packet []byte) {
	if !s.config.accepts(peer) {
		s.metrics.refused.WithLabelValues("network").Inc()
		return
	}
	text := trimEnd(packet)
	m := message{peer: peer, text: append([]byte(nil), text[:min(len(text), s.config.MaxMessage)]...), size: len(text)}
	if !s.offerNow(m) {
		s.metrics.dropped.WithLabelValues("queue").Inc()
	}
}

// trimEnd takes off what senders put behind a message: line ends and a NUL.
func trimEnd(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r' || b[len(b)-1] == 0) {
		b = b[:len(b)-1]
	}
	return b
}
