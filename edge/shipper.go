package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sundew"
)

// ShipperConfig says where log lines go and how many may wait.
type ShipperConfig struct {
	URL     string        `yaml:"url"`     // of the control plane; lines go to its /ingest/v1/logs
	Token   string        `yaml:"token"`   // its secret
	Gateway string        `yaml:"gateway"` // stamped on every line as gateway.id
	Queue   int           `yaml:"queue"`   // lines that wait at most; the oldest give way
	Batch   int           `yaml:"batch"`   // lines of one request
	Linger  time.Duration `yaml:"linger"`  // how long a line waits for others to go with
	Timeout time.Duration `yaml:"timeout"` // of one request, and of the last attempt at a stop
	Client  *http.Client  `yaml:"-"`       // nil: a client of its own
}

// DefaultShipperConfig keeps 16,384 lines, which is about 10 MB of common ones.
func DefaultShipperConfig() ShipperConfig {
	return ShipperConfig{
		URL: "http://127.0.0.1:8080", Gateway: "edge",
		Queue: 16384, Batch: 1024, Linger: 500 * time.Millisecond, Timeout: 10 * time.Second,
	}
}

// Validate reports the first setting that cannot be used.
func (c ShipperConfig) Validate() error {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("url %q: want http:// or https:// and a host", c.URL)
	}
	if c.Gateway == "" || len(c.Gateway) > sundew.MaxID {
		return fmt.Errorf("gateway %q: want a name of up to %d bytes", c.Gateway, sundew.MaxID)
	}
	if c.Queue < 1 || c.Batch < 1 || c.Linger < 0 || c.Timeout <= 0 {
		return fmt.Errorf("queue %d, batch %d, linger %s, timeout %s: want positive values", c.Queue, c.Batch, c.Linger, c.Timeout)
	}
	return nil
}

func (c ShipperConfig) withDefaults() ShipperConfig {
	d := DefaultShipperConfig()
	if c.Gateway == "" {
		c.Gateway = d.Gateway
	}
	if c.Queue < 1 {
		c.Queue = d.Queue
	}
	if c.Batch < 1 {
		c.Batch = d.Batch
	}
	if c.Linger <= 0 {
		c.Linger = d.Linger
	}
	if c.Timeout <= 0 {
		c.Timeout = d.Timeout
	}
	if c.Client == nil {
		c.Client = &http.Client{}
	}
	return c
}

// Waits between attempts to deliver one batch.
const (
	shipMinBackoff = time.Second
	shipMaxBackoff = time.Minute
)

// A Shipper sends events to ingest, in the order in which they came. It never slows a request down: lines that the
// control plane does not take in time are dropped, the oldest first, and counted. Every line is numbered before it can
// be dropped, so that the other side sees the gap. A batch whose answer was lost is sent again with the same numbers.
type Shipper struct {
	ShipperConfig
	logger  *slog.Logger
	metrics shipperMetrics

	mu       sync.Mutex
	ring     []sundew.Event
	first    int // the oldest
	waiting  int
	epoch    uint64
	sequence uint64
	more     chan struct{} // holds one token while there is something to send
	enough   chan struct{} // holds one token once a whole batch waits
}

type shipperMetrics struct {
	shipped prometheus.Counter
	dropped *prometheus.CounterVec
	failed  prometheus.Counter
	waiting prometheus.Gauge
}

// NewShipper returns a shipper; its start is the gateway's epoch. Settings that are not valid take their defaults.
func NewShipper(c ShipperConfig, reg prometheus.Registerer, logger *slog.Logger) *Shipper {
	f := promauto.With(reg)
	c = c.withDefaults()
	return &Shipper{
		ShipperConfig: c, logger: logger,
		ring:   make([]sundew.Event, c.Queue),
		epoch:  uint64(time.Now().UnixMilli()),
		more:   make(chan struct{}, 1),
		enough: make(chan struct{}, 1),
		metrics: shipperMetrics{
			shipped: f.NewCounter(prometheus.CounterOpts{
				Name: "sundew_edge_shipper_shipped_total", Help: "Log lines that ingest took.",
			}),
			dropped: f.NewCounterVec(prometheus.CounterOpts{
				Name: "sundew_edge_shipper_dropped_total", Help: "Log lines that were lost.",
			}, []string{"reason"}),
			failed: f.NewCounter(prometheus.CounterOpts{
				Name: "sundew_edge_shipper_failed_attempts_total", Help: "Attempts to deliver a batch that failed.",
			}),
			waiting: f.NewGauge(prometheus.GaugeOpts{
				Name: "sundew_edge_shipper_waiting", Help: "Log lines that wait.",
			}),
		},
	}
}

// Ship queues e, stamped with gateway, epoch and sequence. It does not block and may be called from many goroutines.
func (s *Shipper) Ship(e sundew.Event) {
	s.mu.Lock()
	s.sequence++
	e.Gateway, e.GatewayEpoch, e.GatewaySequence = s.Gateway, s.epoch, s.sequence
	if s.waiting == len(s.ring) {
		s.first = (s.first + 1) % len(s.ring)
		s.waiting--
		s.metrics.dropped.WithLabelValues("queue_full").Inc()
	}
	s.ring[(s.first+s.waiting)%len(s.ring)] = e
	s.waiting++
	waiting := s.waiting
	s.mu.Unlock()

	s.metrics.waiting.Set(float64(waiting))
	signal(s.more)
	if waiting >= s.Batch {
		signal(s.enough)
	}
}

// signal leaves a token unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run delivers until ctx ends, then tries once more to deliver what waits, for at most Timeout. It returns nil.
func (s *Shipper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.more:
			s.linger(ctx)
			s.drain(ctx, s.deliver)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout)
	defer cancel()
	s.drain(last, s.deliverOnce)
	s.dropRest(last)
	return nil
}

func (s *Shipper) linger(ctx context.Context) {
	timer := time.NewTimer(s.Linger)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.enough:
	case <-timer.C:
	}
}

// drain hands batches to deliver until none waits or deliver returns false.
func (s *Shipper) drain(ctx context.Context, deliver func(ctx context.Context, lines []byte, n int) bool) {
	for {
		lines, n := s.next()
		if n == 0 || !deliver(ctx, lines, n) {
			return
		}
	}
}

// next takes a batch off the queue as NDJSON.
func (s *Shipper) next() (lines []byte, n int) {
	for _, e := range s.take() {
		lines = append(e.AppendJSON(lines), '\n')
		n++
	}
	return lines, n
}

func (s *Shipper) take() []sundew.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := make([]sundew.Event, min(s.waiting, s.Batch))
	for i := range batch {
		batch[i] = s.ring[s.first]
		s.ring[s.first] = sundew.Event{}
		s.first = (s.first + 1) % len(s.ring)
	}
	s.waiting -= len(batch)
	s.metrics.waiting.Set(float64(s.waiting))
	return batch
}

// deliver repeats a batch until ingest has taken it or refused it for good. It returns false when ctx ended; the
// attempt that runs then is finished, and one more made.
func (s *Shipper) deliver(ctx context.Context, lines []byte, n int) bool {
	for backoff := shipMinBackoff; ; backoff = min(2*backoff, shipMaxBackoff) {
		err := s.post(context.WithoutCancel(ctx), lines)
		if err == nil {
			s.metrics.shipped.Add(float64(n))
			return true
		}
		s.metrics.failed.Inc()
		if errors.Is(err, errRefusedForGood) {
			s.drop(ctx, "refused", n, err)
			return true
		}
		s.logger.WarnContext(ctx, "log lines not delivered, trying again", "lines", n, "error", err, "retry_in", backoff)
		if !sleep(ctx, backoff/2+rand.N(backoff/2)) {
			s.deliverOnce(context.WithoutCancel(ctx), lines, n)
			return false
		}
	}
}

// deliverOnce is for a stop. It returns false when there is no use in trying the next batch.
func (s *Shipper) deliverOnce(ctx context.Context, lines []byte, n int) bool {
	if err := s.post(ctx, lines); err != nil {
		s.metrics.failed.Inc()
		s.drop(ctx, "stopped", n, err)
		return false
	}
	s.metrics.shipped.Add(float64(n))
	return true
}

func (s *Shipper) drop(ctx context.Context, reason string, n int, err error) {
	s.metrics.dropped.WithLabelValues(reason).Add(float64(n))
	s.logger.ErrorContext(ctx, "log lines lost", "reason", reason, "lines", n, "error", err)
}

func (s *Shipper) dropRest(ctx context.Context) {
	for n := len(s.take()); n > 0; n = len(s.take()) {
		s.drop(ctx, "stopped", n, context.DeadlineExceeded)
	}
}

// errRefusedForGood marks answers that the same batch would get again.
var errRefusedForGood = errors.New("refused")

func (s *Shipper) post(ctx context.Context, lines []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.URL, "/")+"/ingest/v1/logs", bytes.NewReader(gzipped(lines)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", contentNDJSON)
	r.Header.Set("Content-Encoding", "gzip")
	if s.Token != "" {
		r.Header.Set("Authorization", "Bearer "+s.Token)
	}
	answer, err := s.Client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	detail, _ := io.ReadAll(io.LimitReader(answer.Body, 512))
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnsupportedMediaType, code == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w with %s: %s", errRefusedForGood, answer.Status, bytes.TrimSpace(detail))
	default:
		return fmt.Errorf("ingest answered %s: %s", answer.Status, bytes.TrimSpace(detail))
	}
}
