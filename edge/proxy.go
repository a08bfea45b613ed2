package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sundew"
)

// A proxy enforces a table in front of an API.
type proxy struct {
	ProxyConfig
	table   *Table
	trusted *sundew.Proxies
	names   *sundew.Pseudonyms // of accounts in the list; nil: none
	slots   *slots
	kill    killSwitch
	forward *httputil.ReverseProxy
	ship    func(sundew.Event)
	metrics proxyMetrics
}

type proxyMetrics struct {
	requests *prometheus.CounterVec
	held     prometheus.Gauge
	delay    prometheus.Counter
	left     prometheus.Counter
	full     prometheus.Counter
	upstream prometheus.Counter
}

// NewProxy returns a reverse proxy that looks every request up in t and
//
//   - holds it for a while and then serves it, for a tarpit; when as many as Caps allows are held already, it is answered
//     429 with Retry-After at once. The delay comes before the body is read and before the upstream is called, and ends
//     when the client leaves, which HTTP/1 shows only for requests without a body
//   - answers 403 with a problem document (RFC 9457) of type urn:sundew:challenge or urn:sundew:blocked
//   - forwards it, streams and upgraded connections included, in every other case: unknown clients, addresses on the
//     allow-list, HealthPath, DryRun, KillFile, an empty table.
//
// Clients are told neither which rule decided nor why. shipper gets an event for each request after it was answered; it
// must not block, and may be nil.
func NewProxy(c ProxyConfig, t *Table, reg prometheus.Registerer, logger *slog.Logger, shipper func(sundew.Event)) (http.Handler, error) {
	c = c.withDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	upstream, err := c.upstream()
	if err != nil {
		return nil, err
	}
	trusted, err := sundew.NewProxies(c.TrustedProxies)
	if err != nil {
		return nil, err
	}
	names, err := c.pseudonyms()
	if err != nil {
		return nil, err
	}
	if shipper == nil {
		shipper = func(sundew.Event) {}
	}
	f := promauto.With(reg)
	p := &proxy{
		ProxyConfig: c, table: t, trusted: trusted, names: names, slots: newSlots(c.Caps), kill: killSwitch{file: c.KillFile}, ship: shipper,
		metrics: proxyMetrics{
			requests: f.NewCounterVec(prometheus.CounterOpts{
				Name: "sundew_edge_proxy_requests_total", Help: "Requests, by what the list said and whether it was done.",
			}, []string{"action", "enforced"}),
			held: f.NewGauge(prometheus.GaugeOpts{
				Name: "sundew_edge_proxy_held", Help: "Requests that are held back.",
			}),
			delay: f.NewCounter(prometheus.CounterOpts{
				Name: "sundew_edge_proxy_delay_seconds_total", Help: "Time for which requests were held back.",
			}),
			left: f.NewCounter(prometheus.CounterOpts{
				Name: "sundew_edge_proxy_left_total", Help: "Clients that went away while they were held back.",
			}),
			full: f.NewCounter(prometheus.CounterOpts{
				Name: "sundew_edge_proxy_full_total", Help: "Requests answered 429 because as many as allowed were held back.",
			}),
			upstream: f.NewCounter(prometheus.CounterOpts{
				Name: "sundew_edge_proxy_upstream_errors_total", Help: "Requests that the upstream did not answer.",
			}),
		},
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.Out.Host, r.Out.URL.RawQuery = r.In.Host, r.In.URL.RawQuery
			p.setForwarded(r)
		},
		Transport:     newTransport(),
		BufferPool:    new(bufferPool),
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ErrorHandler:  p.upstreamFailed,
	}
	return p, nil
}

// newTransport keeps enough connections to one upstream, takes the way that is configured and no proxy from the
// environment, and leaves encodings to the client and the upstream.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = 256
	t.DisableCompression = true
	return t
}

// setForwarded hands X-Forwarded-For on only if the peer may write it, and adds the peer.
func (p *proxy) setForwarded(r *httputil.ProxyRequest) {
	if p.trusted.Contains(peerOf(r.In)) {
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	}
	r.SetXForwarded()
}

// upstreamFailed answers for an upstream that did not.
func (p *proxy) upstreamFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		w.WriteHeader(statusClientLeft)
		return
	}
	p.metrics.upstream.Inc()
	writeStatus(w, http.StatusBadGateway, "the service behind this address did not answer")
}

// statusClientLeft is what nginx logs for a client that went away before it was answered.
const statusClientLeft = 499

// ServeHTTP serves one request and ships its event.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	e := p.eventOf(r, start)
	observed := &observedResponse{ResponseWriter: w}
	defer func() {
		e.Status, e.ResponseBytes = observed.status, observed.size()
		e.Duration = time.Since(start)
		p.ship(e)
	}()
	if d, found := p.decisionFor(r, &e, start); found && !p.enforce(observed, r, &e, &d) {
		return
	}
	p.forward.ServeHTTP(observed, r)
}

// decisionFor returns the decision to enforce, and counts the request.
func (p *proxy) decisionFor(r *http.Request, e *sundew.Event, now time.Time) (d sundew.Decision, found bool) {
	if r.URL.Path == p.HealthPath || p.kill.off(now) {
		p.metrics.requests.WithLabelValues("exempt", "no").Inc()
		return d, false
	}
	account := e.Account
	if p.names != nil {
		account = p.names.Name(account, now)
	}
	d, found = p.table.Lookup(e.Client, e.Device, account, e.APIKey, now)
	switch {
	case !found:
		p.metrics.requests.WithLabelValues("none", "no").Inc()
	case p.DryRun:
		p.metrics.requests.WithLabelValues(d.Action.String(), "no").Inc()
		e.Attributes = append(e.Attributes, sundew.Attribute{Key: "edge.dry_run", Value: d.Action.String()})
		return d, false
	default:
		p.metrics.requests.WithLabelValues(d.Action.String(), "yes").Inc()
	}
	return d, found
}

// enforce does what the decision says, notes it in e, and returns whether the request is to be forwarded.
func (p *proxy) enforce(w http.ResponseWriter, r *http.Request, e *sundew.Event, d *sundew.Decision) (forward bool) {
	e.EdgeAction, e.DecisionID = d.Action, d.ID
	switch d.Action {
	case sundew.ActionTarpit:
		return p.tarpit(w, r, e, d)
	case sundew.ActionChallenge:
		writeProblem(w, problem{"urn:sundew:challenge", "Proof required", http.StatusForbidden, "Show that a person or a genuine app is asking, then repeat the request."})
		return false
	case sundew.ActionBlock:
		writeProblem(w, problem{"urn:sundew:blocked", http.StatusText(http.StatusForbidden), http.StatusForbidden, "This request is not served."})
		return false
	default:
		return true
	}
}

// tarpit holds the request if there is room. It returns whether the request is to be forwarded.
func (p *proxy) tarpit(w http.ResponseWriter, r *http.Request, e *sundew.Event, d *sundew.Decision) bool {
	delay := jittered(d.Delay, p.MaxDelay)
	prefix := narrowestPrefix(e.Client)
	if !p.slots.take(d.Entity, prefix) {
		p.metrics.full.Inc()
		setRetryAfter(w.Header(), delay)
		writeStatus(w, http.StatusTooManyRequests, "Slow down and repeat the request later.")
		return false
	}
	p.metrics.held.Inc()
	held, left := hold(r.Context(), delay)
	p.metrics.held.Dec()
	p.slots.giveBack(d.Entity, prefix)

	e.EdgeDelay = held
	p.metrics.delay.Add(held.Seconds())
	if left {
		p.metrics.left.Inc()
		w.WriteHeader(statusClientLeft)
	}
	return !left
}

// eventOf describes the request, within the bounds of an Event.
func (p *proxy) eventOf(r *http.Request, start time.Time) sundew.Event {
	e := sundew.NewEvent()
	e.Time = start.UTC()
	e.Client = p.clientOf(r)
	e.Forwarded = clipped(joined(r.Header["X-Forwarded-For"]), sundew.MaxText)
	e.Method = clipped(r.Method, sundew.MaxID)
	e.Host = clipped(hostOf(r.Host), sundew.MaxID)
	e.Path = clipped(r.URL.EscapedPath(), sundew.MaxText)
	e.Query = clipped(r.URL.RawQuery, sundew.MaxText)
	e.RequestBytes = r.ContentLength
	e.UserAgent = clipped(r.UserAgent(), sundew.MaxText)
	e.Referer = clipped(r.Referer(), sundew.MaxText)
	e.Device = identityOf(r, p.DeviceHeader)
	e.Account = identityOf(r, p.AccountHeader)
	e.APIKey = identityOf(r, p.APIKeyHeader)
	e.RequestID = identityOf(r, "X-Request-Id")
	return e
}

// clientOf returns the address that the request is judged by. A peer without an address, such as a Unix socket, counts
// as unspecified, which no decision names.
func (p *proxy) clientOf(r *http.Request) netip.Addr {
	client := p.trusted.Client(peerOf(r), r.Header["X-Forwarded-For"]...)
	if !client.IsValid() {
		return netip.IPv4Unspecified()
	}
	return client
}

func identityOf(r *http.Request, header string) string {
	if header == "" {
		return ""
	}
	return identifier(r.Header.Get(header), sundew.MaxID)
}
