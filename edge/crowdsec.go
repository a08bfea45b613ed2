package edge

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// crowdsec is the local API of CrowdSec v1.7 (pkg/apiserver, basePath /v1) as far as bouncers use it, with the answers
// that deployed bouncers can read: some die of a missing field or an empty array.
type crowdsec struct {
	FeedConfig
	log     *Log
	pollers *pollers
	logger  *slog.Logger
	metrics crowdsecMetrics
}

type crowdsecMetrics struct {
	answers *prometheus.CounterVec
	omitted *prometheus.CounterVec
	shared  *prometheus.CounterVec
	held    prometheus.Counter
}

// NewCrowdSec returns the handler of
//
//	GET, HEAD /v1/decisions/stream  what changed since this client's last complete answer
//	GET, HEAD /v1/decisions         what stands for an address, range or value
//	POST      /v1/usage-metrics     taken and dropped
//	GET       /health
//
// for CrowdSec's bouncers. Open its listener only once the log is ready: an error on their first call stops packaged
// clients for good, and an empty first list stays empty.
//
// A client is a key and an address. What it has seen is kept in memory alone: after a restart it gets the whole list
// again. Its place moves only after an answer was written completely. Clients forget entries by the duration that they
// were given, so a lost answer to a deletion ends with the decision at the latest.
//
// Decisions narrowed by other entities, and ranges in which something is on the allow-list, cannot be expressed and are
// left out. A tarpit is what the key's Tarpit setting says, by default nothing: no bouncer can delay.
func NewCrowdSec(c FeedConfig, log *Log, reg prometheus.Registerer, logger *slog.Logger) http.Handler {
	f := promauto.With(reg)
	return &crowdsec{c.withDefaults(), log, newPollers(), logger, crowdsecMetrics{
		answers: f.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_edge_crowdsec_answers_total", Help: "Answers to CrowdSec's clients, by what they were.",
		}, []string{"answer"}),
		omitted: f.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_edge_crowdsec_omitted_total", Help: "Times that a decision was left out because the protocol cannot express it.",
		}, []string{"reason"}),
		shared: f.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_edge_crowdsec_shared_key_total", Help: "Polls that looked like two clients taking turns with one key at one address.",
		}, []string{"key"}),
		held: f.NewCounter(prometheus.CounterOpts{
			Name: "sundew_edge_crowdsec_held_total", Help: "Announcements put off because the client would have ignored them.",
		}),
	}}
}

// ServeHTTP answers what bouncers ask and nothing else.
func (c *crowdsec) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := strings.TrimSuffix(r.URL.Path, "/"); path {
	case "/health":
		if allowed(w, r, http.MethodGet, http.MethodHead) {
			c.answer(w, r, http.StatusOK, []byte(`{"status":"up"}`))
		}
	case "/v1/decisions/stream":
		c.guarded(w, r, c.stream, http.MethodGet, http.MethodHead)
	case "/v1/decisions":
		c.guarded(w, r, c.live, http.MethodGet, http.MethodHead)
	case "/v1/usage-metrics":
		c.guarded(w, r, c.usageMetrics, http.MethodPost)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// allowed answers 405, empty, to other methods.
func allowed(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	w.WriteHeader(http.StatusMethodNotAllowed)
	return false
}

func (c *crowdsec) guarded(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request, Key), methods ...string) {
	if !allowed(w, r, methods...) {
		return
	}
	key, ok := keyring(c.Keys).admit(r, r.Header.Get("X-Api-Key"))
	if !ok {
		c.metrics.answers.WithLabelValues("denied").Inc()
		c.message(w, r, http.StatusForbidden, "access forbidden")
		return
	}
	if !c.log.Ready() {
		c.metrics.answers.WithLabelValues("not_ready").Inc()
		setRetryAfter(w.Header(), 0)
		c.message(w, r, http.StatusServiceUnavailable, errNotReady.Error())
		return
	}
	if r.Method == http.MethodHead { // asks whether the key is good, and must not move the client's place
		c.metrics.answers.WithLabelValues("head").Inc()
		c.answer(w, r, http.StatusOK, nil)
		return
	}
	next(w, r, key)
}

// answer writes a whole JSON body and reports whether the client's connection took it.
func (c *crowdsec) answer(w http.ResponseWriter, r *http.Request, status int, body []byte) bool {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Add("Vary", "Accept-Encoding")
	if len(body) > 1<<10 && acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		body = gzipped(body)
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return true
	}
	if _, err := w.Write(body); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil && r.Context().Err() == nil
}

func (c *crowdsec) message(w http.ResponseWriter, r *http.Request, status int, text string) {
	body, _ := json.Marshal(struct { // a string
		Message string `json:"message"`
	}{text})
	c.answer(w, r, status, body)
}
