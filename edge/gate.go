package edge

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sundew"
)

// A Gate looks every request up in a table and does what the list says:
//
//   - it holds a request for a while and then lets it through, for a tarpit; when as many as Caps allows are held already,
//     it refuses with 429 and Retry-After at once. The delay comes before the body is read, and ends when the client leaves,
//     which HTTP/1 shows only for requests without a body
//   - it refuses with 403 and a problem document (RFC 9457) of type urn:sundew:challenge or urn:sundew:blocked
//   - it lets everything else through: unknown clients, addresses on the allow-list, HealthPath, DryRun, KillFile, an
//     empty table.
//
// Clients are told neither which rule decided nor why. Its methods may be used by many goroutines.
type Gate struct {
	GateConfig
	table   *Table
	trusted *sundew.Proxies
	names   *sundew.Pseudonyms // of accounts in the list; nil: none
	slots   *slots
	kill    killSwitch
	ship    func(sundew.Event)
	metrics gateMetrics
}

type gateMetrics struct {
	requests *prometheus.CounterVec
	held     prometheus.Gauge
	delay    prometheus.Counter
	left     prometheus.Counter
	full     prometheus.Counter
}

// NewGate returns a gate that looks up in t. shipper gets an event for each request of Middleware after it was answered;
// it must not block, and may be nil.
func NewGate(c GateConfig, t *Table, reg prometheus.Registerer, shipper func(sundew.Event)) (*Gate, error) {
	c = c.withDefaults()
	if err := c.Validate(); err != nil {
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
	return &Gate{
		GateConfig: c, table: t, trusted: trusted, names: names, slots: newSlots(c.Caps), kill: killSwitch{file: c.KillFile}, ship: shipper,
		metrics: newGateMetrics(promauto.With(reg)),
	}, nil
}

func newGateMetrics(f promauto.Factory) gateMetrics {
	return gateMetrics{
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
	}
}

// Middleware puts the gate before a handler, and ships the event of each request.
func (g *Gate) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		e := g.eventOf(r, start)
		observed := &observedResponse{ResponseWriter: w}
		defer func() {
			e.Status, e.ResponseBytes = observed.status, observed.size()
			e.Duration = time.Since(start)
			g.ship(e)
		}()
		if v := g.judge(r, &e, start, g.holdHere); v.refuses() {
			v.write(observed)
			return
		}
		next.ServeHTTP(observed, r)
		if observed.status == 0 {
			observed.status = http.StatusOK // as the server will say for a handler that said nothing
		}
	})
}

// A verdict is what became of a request. The zero value lets it through.
type verdict struct {
	action sundew.Action
	status int           // that it is refused with; 0 where it may pass
	retry  time.Duration // to be told with a 429
	held   time.Duration
}

func (v verdict) refuses() bool { return v.status != 0 }

// write answers a request that is refused.
func (v verdict) write(w http.ResponseWriter) {
	if v.status == statusClientLeft {
		w.WriteHeader(statusClientLeft)
		return
	}
	if v.status == http.StatusTooManyRequests {
		setRetryAfter(w.Header(), v.retry)
	}
	writeProblem(w, v.problem())
}

// problem is what the client is told.
func (v verdict) problem() problem {
	switch {
	case v.status == http.StatusTooManyRequests:
		return problem{"about:blank", http.StatusText(v.status), v.status, "Slow down and repeat the request later."}
	case v.action == sundew.ActionChallenge:
		return problem{"urn:sundew:challenge", "Proof required", v.status, "Show that a person or a genuine app is asking, then repeat the request."}
	default:
		return problem{"urn:sundew:blocked", http.StatusText(v.status), v.status, "This request is not served."}
	}
}

// judge looks the request up, has it wait if it must, and notes in e what was done.
func (g *Gate) judge(r *http.Request, e *sundew.Event, now time.Time, wait holder) verdict {
	d, found := g.decisionFor(r, e, now)
	if !found {
		return verdict{}
	}
	e.EdgeAction, e.DecisionID = d.Action, d.ID
	switch d.Action {
	case sundew.ActionTarpit:
		return g.tarpit(r, e, &d, wait)
	case sundew.ActionChallenge, sundew.ActionBlock:
		return verdict{action: d.Action, status: http.StatusForbidden}
	default:
		return verdict{action: d.Action}
	}
}

// decisionFor returns the decision to enforce, and counts the request.
func (g *Gate) decisionFor(r *http.Request, e *sundew.Event, now time.Time) (d sundew.Decision, found bool) {
	if r.URL.Path == g.HealthPath || g.kill.off(now) {
		g.metrics.requests.WithLabelValues("exempt", "no").Inc()
		return d, false
	}
	account := e.Account
	if g.names != nil {
		account = g.names.Name(account, now)
	}
	d, found = g.table.Lookup(e.Client, e.Device, account, e.APIKey, now)
	switch {
	case !found:
		g.metrics.requests.WithLabelValues("none", "no").Inc()
	case g.DryRun:
		g.metrics.requests.WithLabelValues(d.Action.String(), "no").Inc()
		e.Attributes = append(e.Attributes, sundew.Attribute{Key: "edge.dry_run", Value: d.Action.String()})
		return d, false
	default:
		g.metrics.requests.WithLabelValues(d.Action.String(), "yes").Inc()
	}
	return d, found
}

// tarpit holds the request if there is room.
func (g *Gate) tarpit(r *http.Request, e *sundew.Event, d *sundew.Decision, wait holder) verdict {
	delay := jittered(d.Delay, g.MaxDelay)
	s, ok := g.slots.take(d.Entity, narrowestPrefix(e.Client), streamsOf(r))
	if !ok {
		g.metrics.full.Inc()
		return verdict{action: d.Action, status: http.StatusTooManyRequests, retry: delay}
	}
	g.metrics.held.Inc()
	held, left := wait(r.Context(), delay, func() {
		g.metrics.held.Dec()
		s.giveBack()
	})
	e.EdgeDelay = held
	g.metrics.delay.Add(held.Seconds())
	if left {
		g.metrics.left.Inc()
		return verdict{action: d.Action, status: statusClientLeft, held: held}
	}
	return verdict{action: d.Action, held: held}
}

// A holder sees to it that a request waits, and calls done when it does no longer. It returns for how long it waits; left
// is true when the client went away first.
type holder func(ctx context.Context, delay time.Duration, done func()) (held time.Duration, left bool)

func (g *Gate) holdHere(ctx context.Context, delay time.Duration, done func()) (held time.Duration, left bool) {
	defer done()
	return hold(ctx, delay)
}

// holdThere is for a gateway that holds the request itself, as long as it is told.
func (g *Gate) holdThere(_ context.Context, delay time.Duration, done func()) (held time.Duration, left bool) {
	time.AfterFunc(delay, done)
	return delay, false
}

// eventOf describes the request, within the bounds of an Event.
func (g *Gate) eventOf(r *http.Request, start time.Time) sundew.Event {
	e := sundew.NewEvent()
	e.Time = start.UTC()
	e.Client = g.clientOf(r)
	e.Forwarded = clipped(joined(r.Header["X-Forwarded-For"]), sundew.MaxText)
	e.Method = clipped(r.Method, sundew.MaxID)
	e.Host = clipped(hostOf(r.Host), sundew.MaxID)
	e.Path = clipped(r.URL.EscapedPath(), sundew.MaxText)
	e.Query = clipped(r.URL.RawQuery, sundew.MaxText)
	e.RequestBytes = r.ContentLength
	e.UserAgent = clipped(r.UserAgent(), sundew.MaxText)
	e.Referer = clipped(r.Referer(), sundew.MaxText)
	e.Device = identityOf(r, g.DeviceHeader)
	e.Account = identityOf(r, g.AccountHeader)
	e.APIKey = identityOf(r, g.APIKeyHeader)
	e.RequestID = identityOf(r, "X-Request-Id")
	return e
}

// clientOf returns the address that the request is judged by. A peer without an address, such as a Unix socket, counts
// as unspecified, which no decision names.
func (g *Gate) clientOf(r *http.Request) netip.Addr {
	client := g.trusted.Client(peerOf(r), r.Header["X-Forwarded-For"]...)
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
