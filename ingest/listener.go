package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"sundew"
)

// ListenerConfig says who may send log lines and how many at once.
type ListenerConfig struct {
	Tokens []Token `yaml:"tokens"` // none: only clients on this machine may post
	Format string  `yaml:"format"` // of bodies that do not name theirs
	// Mappings are those of JSON lines, by name: the format mapping:NAME. See NewDecoder for mappings in files.
	Mappings map[string]yaml.Node `yaml:"mappings"`
	// TrustedProxies stand between clients and gateways, and write X-Forwarded-For themselves: addresses, networks, and the
	// names that sundew.NewProxies knows. By default nobody is trusted and the peer is the client.
	TrustedProxies []string `yaml:"trusted_proxies"`

	// Routes are templates of paths, such as /orders/{id}, for lines that name no route: see NewRoutes. RoutesOnly makes
	// one of all other paths.
	Routes     []string `yaml:"routes"`
	RoutesOnly bool     `yaml:"routes_only"`

	Syslog  []SyslogConfig `yaml:"syslog"` // sockets that take lines by syslog
	Privacy PrivacyConfig  `yaml:"privacy"`

	MaxBody     int64         `yaml:"max_body"`      // bytes of a body as sent
	MaxDecoded  int64         `yaml:"max_decoded"`   // bytes of a body without its compression
	MaxInFlight int           `yaml:"max_in_flight"` // requests at once; each may hold MaxDecoded bytes
	ReadTimeout time.Duration `yaml:"read_timeout"`  // for a whole body
	AckTimeout  time.Duration `yaml:"ack_timeout"`   // for the broker to acknowledge the lines of a body
	// MaxAhead is by how much the time of a request may lie in the future; lines beyond it are dead letters.
	MaxAhead time.Duration `yaml:"max_ahead"`
}

// DefaultListenerConfig accepts clients on this machine alone.
func DefaultListenerConfig() ListenerConfig {
	return ListenerConfig{
		Format:      autoName,
		Privacy:     DefaultPrivacyConfig(),
		MaxBody:     8 << 20,
		MaxDecoded:  32 << 20,
		MaxInFlight: 8,
		ReadTimeout: 30 * time.Second,
		AckTimeout:  10 * time.Second,
		MaxAhead:    24 * time.Hour,
	}
}

// Validate reports the first setting that cannot work, and makes c.Mappings known. It reads no file but those of mappings.
func (c ListenerConfig) Validate() error {
	if err := defineMappings(c.Mappings); err != nil {
		return err
	}
	if _, err := NewDecoder(c.Format); err != nil {
		return fmt.Errorf("ingest.format: %w", err)
	}
	if c.MaxBody <= 0 || c.MaxDecoded <= 0 || c.MaxInFlight <= 0 || c.ReadTimeout <= 0 || c.AckTimeout <= 0 || c.MaxAhead <= 0 {
		return errors.New("ingest: max_body, max_decoded, max_in_flight, read_timeout, ack_timeout and max_ahead must be above 0")
	}
	if _, err := sundew.NewProxies(c.TrustedProxies); err != nil {
		return fmt.Errorf("ingest.%w", err)
	}
	if _, err := NewRoutes(c.Routes, c.RoutesOnly, nil); err != nil {
		return err
	}
	if err := c.Privacy.Validate(); err != nil {
		return err
	}
	if err := validateSyslog(c.Syslog); err != nil {
		return err
	}
	return validateTokens(c.Tokens)
}

// treatment reads what every event goes through.
func (c ListenerConfig) treatment(reg prometheus.Registerer) (t treatment, err error) {
	if t.proxies, err = sundew.NewProxies(c.TrustedProxies); err != nil {
		return t, fmt.Errorf("ingest.%w", err)
	}
	if t.routes, err = NewRoutes(c.Routes, c.RoutesOnly, reg); err != nil {
		return t, err
	}
	t.learned = newRouteMemory(reg)
	t.ahead = c.MaxAhead
	t.privacy, err = LoadPrivacy(c.Privacy)
	return t, err
}

// Headers with which a gateway stamps lines that carry no stamp of their own.
const (
	headerGateway    = "Sundew-Gateway"
	headerEpoch      = "Sundew-Epoch"
	headerSequence   = "Sundew-Sequence" // of the first line; it rises by one per line, whatever the line holds
	headerBodyFormat = "Sundew-Format"   // the same as the query's format
)

// listener takes log lines over HTTP.
type listener struct {
	config   ListenerConfig
	producer *Producer
	tokens   []secret
	treatment
	numbers *letterNumbers
	slots   chan struct{}
	origin  *http.CrossOriginProtection
	metrics listenerMetrics
	log     *slog.Logger
}

type listenerMetrics struct {
	answers *prometheus.CounterVec
	lines   *prometheus.CounterVec
	reasons *prometheus.CounterVec
	trimmed *prometheus.CounterVec
}

// NewListener returns the handler of POST /ingest/v1/logs, and of OTLPPath for the OpenTelemetry protocol. It answers 202 with the number of lines accepted and rejected
// only after the broker has acknowledged both; whoever gets another answer sends the body again. p must run.
func NewListener(c ListenerConfig, p *Producer, reg prometheus.Registerer, log *slog.Logger) (http.Handler, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	tokens, err := loadTokens(c.Tokens)
	if err != nil {
		return nil, err
	}
	treatment, err := c.treatment(reg)
	if err != nil {
		return nil, err
	}
	return &listener{
		config:    c,
		producer:  p,
		tokens:    tokens,
		treatment: treatment,
		numbers:   newLetterNumbers(time.Now()),
		slots:     make(chan struct{}, c.MaxInFlight),
		origin:    http.NewCrossOriginProtection(),
		metrics:   newListenerMetrics(reg),
		log:       log,
	}, nil
}

func newListenerMetrics(reg prometheus.Registerer) listenerMetrics {
	return listenerMetrics{
		answers: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_http_requests_total", Help: "Posts of log lines, by status code of the answer.",
		}, []string{"code"})),
		lines: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_http_lines_total", Help: "Lines of acknowledged posts, by result: parsed, skipped, rejected.",
		}, []string{"result"})),
		reasons: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_http_rejected_total", Help: "Lines of acknowledged posts that could not be read, by reason.",
		}, []string{"reason"})),
		trimmed: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_ingest_http_trimmed_total", Help: "Texts cut to their bound and attributes beyond theirs.",
		}, []string{"what"})),
	}
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	text   string
	wait   time.Duration // for Retry-After; 0: none
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, text: fmt.Sprintf(format, args...)}
}

// receipt is the answer to a body that was taken.
type receipt struct {
	Accepted int            `json:"accepted"`
	Rejected int            `json:"rejected"`
	Reasons  map[string]int `json:"reasons"`
}

// ServeHTTP takes one body.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == OTLPPath {
		l.serveOTLP(w, r)
		return
	}
	taken, no := l.take(w, r, func(body []byte) ([]byte, *refusal) { return body, nil })
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if no == nil {
		l.metrics.answers.WithLabelValues("202").Inc()
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(taken) // the client has left where this fails
		return
	}
	text, _ := json.Marshal(map[string]string{"error": no.text}) // strings always encode
	l.refuse(w, no, text)
}

// refuse answers with what the client can do about it in the headers, and the text.
func (l *listener) refuse(w http.ResponseWriter, no *refusal, text []byte) {
	l.metrics.answers.WithLabelValues(strconv.Itoa(no.status)).Inc()
	if no.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(no.wait.Seconds())))
	}
	if no.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if no.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sundew ingest"`)
	}
	if no.status == http.StatusUnsupportedMediaType {
		w.Header().Set("Accept-Encoding", "gzip, zstd, identity")
	}
	w.WriteHeader(no.status)
	_, _ = w.Write(text)
}

// take lets a body, made into lines, into the log.
func (l *listener) take(w http.ResponseWriter, r *http.Request, toLines func([]byte) ([]byte, *refusal)) (receipt, *refusal) {
	if r.Method != http.MethodPost {
		return receipt{}, refuse(http.StatusMethodNotAllowed, "log lines are sent with POST")
	}
	who, no := l.admit(r)
	if no != nil {
		return receipt{}, no
	}
	stamp, no := readStamp(r.Header, who)
	if no != nil {
		return receipt{}, no
	}
	format, decoder, err := l.format(r, who)
	if err != nil {
		return receipt{}, refuse(http.StatusBadRequest, "%v", err)
	}
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	default:
		return receipt{}, &refusal{http.StatusServiceUnavailable, "too many posts at once: send this one again", time.Second}
	}
	room := bodies.Get().(*bytes.Buffer)
	defer giveBack(room)
	body, no := l.body(w, r, room)
	if no == nil {
		body, no = toLines(body)
	}
	if no != nil {
		return receipt{}, no
	}
	p := post{
		intake: intake{
			producer: l.producer, decoder: decoder, format: format, source: sourceOf(who), treatment: l.treatment, numbers: l.numbers,
			tally: newTally(),
		},
		who: who, stamp: stamp, now: time.Now().UTC(),
	}
	ctx, cancel := context.WithTimeout(r.Context(), l.config.AckTimeout)
	defer cancel()
	err = p.run(ctx, body)
	switch {
	case err == nil:
		l.count(&p)
		return p.receipt(), nil
	case errors.Is(err, ErrBusy):
		l.log.WarnContext(r.Context(), "log lines not taken", "source", p.source, "error", err)
		return receipt{}, &refusal{http.StatusServiceUnavailable, "the log cannot take the lines now: send the whole body again", 5 * time.Second}
	}
	l.log.ErrorContext(r.Context(), "log lines refused by the broker", "source", p.source, "error", err)
	return receipt{}, refuse(http.StatusBadGateway, "the broker refuses the lines: see the log of sundew")
}

// admit finds out who posts. Without tokens that is anybody on this machine who talks to us directly: a proxy in front
// would make the whole world look local, and so would a web page in a browser that runs here.
func (l *listener) admit(r *http.Request) (*secret, *refusal) {
	if len(l.tokens) > 0 {
		who := findToken(l.tokens, r.Header.Get("Authorization"))
		if who == nil {
			return nil, refuse(http.StatusUnauthorized, "send the header Authorization: Bearer with a token of ingest.tokens")
		}
		return who, nil
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return nil, refuse(http.StatusForbidden, "only clients on this machine may post without a token: configure ingest.tokens")
	}
	if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("Via") != "" {
		return nil, refuse(http.StatusForbidden, "this request came through a proxy: configure ingest.tokens")
	}
	if err := l.origin.Check(r); err != nil {
		return nil, refuse(http.StatusForbidden, "web pages may not post without a token: configure ingest.tokens")
	}
	return nil, nil
}

// format is what the request names, or else what is configured for its token or for all.
func (l *listener) format(r *http.Request, who *secret) (string, Decoder, error) {
	configured := l.config.Format
	if who != nil {
		configured = cmp.Or(who.format, configured)
	}
	name := cmp.Or(r.URL.Query().Get("format"), r.Header.Get(headerBodyFormat), configured)
	if err := remoteFormat(name, configured); err != nil {
		return "", nil, err
	}
	d, err := NewDecoder(name)
	return name, d, err
}

// bodies holds buffers for the posts to come: nothing of a body is left to anybody when its post has been answered.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptBody is the largest buffer that waits for another post.
const keptBody = 4 << 20

func giveBack(room *bytes.Buffer) {
	if room.Cap() <= keptBody {
		room.Reset()
		bodies.Put(room)
	}
}

// body reads and decompresses the whole body into room, so that nothing of one that is too large gets into the log.
func (l *listener) body(w http.ResponseWriter, r *http.Request, room *bytes.Buffer) ([]byte, *refusal) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(l.config.ReadTimeout)) // tests have no connection
	raw := &meter{r: http.MaxBytesReader(w, r.Body, l.config.MaxBody)}
	plain, err := decompressed(raw, r.Header.Get("Content-Encoding"))
	if errors.Is(err, errEncoding) {
		return nil, refuse(http.StatusUnsupportedMediaType, "Content-Encoding %q is not known: want gzip, zstd or identity", r.Header.Get("Content-Encoding"))
	}
	if err == nil {
		defer plain.close()
		_, err = room.ReadFrom(&inflation{r: plain, raw: raw, limit: l.config.MaxDecoded})
	}
	if err == nil {
		return room.Bytes(), nil
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes: send it in parts", large.Limit)
	}
	if errors.Is(err, errInflation) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes, or more than %d times its size, when decompressed: send it in parts", l.config.MaxDecoded, maxRatio)
	}
	return nil, refuse(http.StatusBadRequest, "the body cannot be read: %v", err)
}

func (l *listener) count(p *post) {
	l.metrics.lines.WithLabelValues("parsed").Add(float64(p.tally.parsed))
	l.metrics.lines.WithLabelValues("skipped").Add(float64(p.tally.skipped))
	l.metrics.lines.WithLabelValues("rejected").Add(float64(p.tally.rejected))
	for reason, n := range p.tally.reasons {
		l.metrics.reasons.WithLabelValues(reason).Add(float64(n))
	}
	trims := trimsOf(p.decoder)
	l.metrics.trimmed.WithLabelValues("text").Add(float64(trims.Cut))
	l.metrics.trimmed.WithLabelValues("attribute").Add(float64(trims.Dropped))
}

// stamp is where the lines of a body stand among those of their gateway.
type stamp struct {
	gateway         string
	epoch, sequence uint64
}

func readStamp(h http.Header, who *secret) (stamp, *refusal) {
	s := stamp{gateway: boundedID(h.Get(headerGateway))}
	if who != nil && who.gateway != "" {
		if s.gateway != "" && s.gateway != who.gateway {
			return stamp{}, refuse(http.StatusForbidden, "this token belongs to another gateway than %s says", headerGateway)
		}
		s.gateway = who.gateway
	}
	for name, to := range map[string]*uint64{headerEpoch: &s.epoch, headerSequence: &s.sequence} {
		text := h.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return stamp{}, refuse(http.StatusBadRequest, "%s is not a whole number", name)
		}
		*to = n
	}
	return s, nil
}

// complete says whether the stamp tells a line that is sent again from all others.
func (s stamp) complete() bool { return s.gateway != "" && s.epoch > 0 && s.sequence > 0 }

// place makes a place of dead letters out of the stamp: a partition for each start of a gateway, below 0, where no other
// letters of listeners are.
func (s stamp) place(n int64) (partition int32, offset int64) {
	start := fnv.New32a()
	_, _ = fmt.Fprintf(start, "%d %s", s.epoch, s.gateway)
	return int32(start.Sum32() | 1<<31), int64((s.sequence + uint64(n)) & math.MaxInt64)
}

// StampPlace returns where the dead letter of a line stands that a gateway stamped by the headers of its post: see
// sundew.DeadLetter.
func StampPlace(gateway string, epoch, sequence uint64) (partition int32, offset int64) {
	return stamp{gateway, epoch, sequence}.place(0)
}

// put stamps the n-th line of a body, counted from 0, where it has no stamp.
func (s stamp) put(e *sundew.Event, n int64) {
	if e.Gateway == "" {
		e.Gateway = s.gateway
	}
	if e.GatewaySequence == 0 && s.sequence > 0 {
		e.GatewayEpoch, e.GatewaySequence = s.epoch, s.sequence+uint64(n)
	}
}
