package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"sundew"
)

// How long a stopping source goes on reading what has arrived, and waits for the broker to acknowledge it.
const (
	syslogDrain = 250 * time.Millisecond
	syslogGrace = 10 * time.Second
)

// Syslog takes log lines by syslog (RFC 5424 and RFC 3164) on one socket: UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC
// 5425). Connections wait while the queue is full, so that their senders do; packets are dropped and counted. Syslog has
// no acknowledgements: what stands in the buffers of the sockets when a machine fails is lost.
//
// Lines without a stamp get one: the source's gateway, the nanosecond of its start and their number.
type Syslog struct {
	config  SyslogConfig
	socket  socket
	intake  intake
	peer    netip.Addr // of the last message
	queue   chan message
	room    *semaphore.Weighted // bytes of the queue
	metrics syslogMetrics
	log     *slog.Logger
}

// socket brings messages to the queue.
type socket interface {
	// run reads until ctx ends, and a moment longer what has arrived by then; grace ends later.
	run(ctx, grace context.Context, s *Syslog) error
	address() string
	close()
}

// message is what a sender sent, on its way to the writer.
type message struct {
	peer   netip.Addr
	text   []byte // at most sundew.MaxLine bytes; owned
	size   int    // of the whole message
	reason string // why it cannot be read whatever it says; "" reads it
	detail string
}

// messageOverhead is what a message takes in the queue beside its text.
const messageOverhead = 128

// usualMessage is what a message weighs at least where the queue's bytes are to run out before its places do.
const usualMessage = 256

// OpenSyslog binds the socket of one entry of all.Syslog. Nothing is read until Run runs, and p must run as long as that does.
func OpenSyslog(ctx context.Context, c SyslogConfig, all ListenerConfig, p *Producer, reg prometheus.Registerer, log *slog.Logger) (*Syslog, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	treatment, err := all.treatment(reg)
	if err != nil {
		return nil, err
	}
	decoder, err := NewDecoder(c.Format)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	stamp := stamp{gateway: boundedID(c.Gateway), epoch: uint64(now.UnixNano()), sequence: 1}
	s := &Syslog{
		config: c,
		intake: intake{
			treatment: treatment, producer: p, decoder: decoder, format: c.Format, numbers: newLetterNumbers(now), tally: newTally(),
			complete: func(e *sundew.Event, n int64) *LineError {
				stamp.put(e, n)
				return nil
			},
		},
		queue:   make(chan message, max(c.QueueBytes/usualMessage, 64)),
		room:    semaphore.NewWeighted(c.QueueBytes),
		metrics: newSyslogMetrics(reg, c.Name),
		log:     log.With("source", "syslog:"+c.Name),
	}
	if s.socket, err = openSocket(ctx, c, s.log); err != nil {
		return nil, fmt.Errorf("syslog %s: %w", c.Name, err)
	}
	return s, nil
}

func openSocket(ctx context.Context, c SyslogConfig, log *slog.Logger) (socket, error) {
	protocol, address, _ := strings.Cut(c.Listen, "://")
	switch protocol {
	case "udp":
		return openPackets(ctx, address)
	case "tls":
		files, err := openTLSFiles(c, log)
		if err != nil {
			return nil, err
		}
		return openStreams(ctx, address, files.server())
	}
	return openStreams(ctx, address, nil)
}

// Address is where the source listens, as protocol://host:port.
func (s *Syslog) Address() string {
	protocol, _, _ := strings.Cut(s.config.Listen, "://")
	return protocol + "://" + s.socket.address()
}

// Close frees the socket of a source that does not run.
func (s *Syslog) Close() { s.socket.close() }

// Run takes messages until ctx ends, and returns when the broker has acknowledged those that had arrived, or has not for
// ten seconds.
func (s *Syslog) Run(ctx context.Context) error {
	grace, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(syslogGrace, cancel) })()
	failed := make(chan error, 1)
	go func() {
		defer close(s.queue)
		failed <- s.socket.run(ctx, grace, s)
	}()
	s.write(grace)
	s.socket.close()
	return <-failed
}

// offer puts a message into the queue and waits for room as long as ctx lets it.
func (s *Syslog) offer(ctx context.Context, m message) bool {
	if s.room.Acquire(ctx, m.weight()) != nil {
		s.metrics.lost.Inc()
		return false
	}
	s.queue <- m // full only where messages are tiny; the writer takes them whatever happens
	return true
}

// offerNow is offer for a sender that does not wait.
func (s *Syslog) offerNow(m message) bool {
	if !s.room.TryAcquire(m.weight()) {
		return false
	}
	select {
	case s.queue <- m:
		return true
	default:
		s.room.Release(m.weight())
		return false
	}
}

func (m *message) weight() int64 { return int64(messageOverhead + len(m.text) + len(m.detail)) }

// write carries messages into the log until the queue is closed. While the broker is away it waits, and the queue fills.
func (s *Syslog) write(ctx context.Context) {
	held := int64(0)
	for m := range s.queue {
		s.add(&m)
		held += m.weight()
		if len(s.queue) > 0 && s.intake.size < chunk {
			continue
		}
		s.flush(ctx)
		s.room.Release(held)
		held = 0
	}
}

func (s *Syslog) add(m *message) {
	now := time.Now().UTC()
	if m.peer != s.peer {
		s.peer, s.intake.source = m.peer, "syslog:"+s.config.Name+":"+m.peer.String()
	}
	switch {
	case m.reason != "":
		s.intake.reject(s.intake.letter(s.config.Format, m.reason, m.detail, m.text), now)
	case m.size > s.config.MaxMessage:
		detail := fmt.Sprintf("%d bytes, at most %d are read", m.size, s.config.MaxMessage)
		s.intake.reject(s.intake.letter(s.config.Format, reasonTooLong, detail, m.text), now)
	default:
		s.intake.add(m.text, m.size, now)
	}
}

// flush waits for the broker and counts what became of the lines.
func (s *Syslog) flush(ctx context.Context) {
	tally := s.intake.tally
	s.intake.tally = newTally()
	if err := s.intake.flush(ctx); err != nil {
		left := s.intake.discard()
		s.metrics.lost.Add(float64(left))
		s.log.ErrorContext(ctx, "log lines are lost: the broker did not take them", "lines", left, "error", err)
		return
	}
	s.metrics.count(tally)
}

// syslogMetrics are those of one source.
type syslogMetrics struct {
	lines       *prometheus.CounterVec // by result
	reasons     *prometheus.CounterVec
	dropped     *prometheus.CounterVec // by where
	refused     *prometheus.CounterVec // by reason
	closed      *prometheus.CounterVec // by reason
	connections prometheus.Gauge
	lost        prometheus.Counter
}

func newSyslogMetrics(reg prometheus.Registerer, name string) syslogMetrics {
	if reg != nil {
		reg = prometheus.WrapRegistererWith(prometheus.Labels{"source": name}, reg)
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sundew_ingest_syslog_" + name, Help: help}, []string{label}))
	}
	return syslogMetrics{
		lines:   counters("lines_total", "Syslog messages that the broker has acknowledged, by result: parsed, skipped, rejected.", "result"),
		reasons: counters("rejected_total", "Syslog messages that could not be read, by reason.", "reason"),
		dropped: counters("dropped_total", "Packets that were dropped because they came faster than the broker takes them, by where: queue, kernel.", "where"),
		refused: counters("refused_total", "Connections, and packets of UDP, that were not let in, by reason: network, connections, handshake.", "reason"),
		closed:  counters("closed_total", "Connections that ended, by reason: end, idle, broken, stop.", "reason"),
		connections: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sundew_ingest_syslog_connections", Help: "Connections that are open.",
		})),
		lost: register(reg, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_ingest_syslog_lost_total", Help: "Messages that were read and that the broker refused, or did not take before the end.",
		})),
	}
}

func (m *syslogMetrics) count(t tally) {
	m.lines.WithLabelValues("parsed").Add(float64(t.parsed))
	m.lines.WithLabelValues("skipped").Add(float64(t.skipped))
	m.lines.WithLabelValues("rejected").Add(float64(t.rejected))
	for reason, n := range t.reasons {
		m.reasons.WithLabelValues(reason).Add(float64(n))
	}
}
