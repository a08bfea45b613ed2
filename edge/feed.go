package edge

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const contentNDJSON = "application/x-ndjson"

// A feed serves the log to sundew's own edges and to proxies that read map files.
type feed struct {
	FeedConfig
	log     *Log
	logger  *slog.Logger
	metrics feedMetrics
}

type feedMetrics struct {
	answers *prometheus.CounterVec
	waiting prometheus.Gauge
	omitted *prometheus.CounterVec
}

// NewFeed returns the handler of
//
//	GET /feed/v1/changes?cursor=&wait=30s      changes after a cursor, held until there are some
//	GET /feed/v1/changes.bin?cursor=&wait=30s  the same by entity, in a few bytes each; see ParseBinaryChanges
//	GET /feed/v1/snapshot.{ndjson,bin,mmdb,haproxy,nginx,ipset,nft,varnish}   the whole list; ETag is the cursor
//	GET /feed/v1/stream                        changes as server-sent events
//	GET /feed/v1/keys                          the public keys that signatures are checked with
//
// each with kinds= and actions=, comma-separated, to ask for less. A client shows its key as Authorization: Bearer or
// X-Api-Key; with no keys configured only clients on this machine are served, and none that came through a proxy.
// Until the log is ready every answer is 503.
func NewFeed(c FeedConfig, log *Log, reg prometheus.Registerer, logger *slog.Logger) http.Handler {
	factory := promauto.With(reg)
	f := &feed{c.withDefaults(), log, logger, feedMetrics{
		answers: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_edge_feed_answers_total", Help: "Answers of the feed, by what they were.",
		}, []string{"answer"}),
		waiting: factory.NewGauge(prometheus.GaugeOpts{
			Name: "sundew_edge_feed_waiting", Help: "Requests that are held until the list changes.",
		}),
		omitted: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_edge_feed_omitted_total", Help: "Decisions left out of a snapshot because its format cannot express them.",
		}, []string{"format", "reason"}),
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feed/v1/changes", f.changes)
	mux.HandleFunc("GET /feed/v1/changes.bin", f.binaryChanges)
	mux.HandleFunc("GET /feed/v1/stream", f.stream)
	mux.HandleFunc("GET /feed/v1/keys", f.keys)
	for _, v := range views {
		mux.HandleFunc("GET /feed/v1/snapshot."+v.extension, func(w http.ResponseWriter, r *http.Request) { f.snapshot(w, r, v) })
	}
	return f.guarded(mux)
}

// guarded lets known clients through once the log is ready.
func (f *feed) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := keyring(f.Keys).admit(r, bearerOrKey(r.Header)); !ok {
			f.metrics.answers.WithLabelValues("denied").Inc()
			w.Header().Set("WWW-Authenticate", `Bearer realm="sundew"`)
			writeStatus(w, http.StatusUnauthorized, "unknown key: show a configured one as Authorization: Bearer, or ask from this machine where none is configured")
			return
		}
		if !f.log.Ready() {
			f.metrics.answers.WithLabelValues("not_ready").Inc()
			setRetryAfter(w.Header(), 0)
			writeStatus(w, http.StatusServiceUnavailable, errNotReady.Error())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// keys answers GET /feed/v1/keys. Who takes keys from here trusts the way on which they come; later answers need no trust.
func (f *feed) keys(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		PublicKeys []PublicKey `json:"public_keys"`
	}{[]PublicKey{}}
	if f.Signer != nil {
		answer.PublicKeys = f.Signer.PublicKeys()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// requestFilter reads kinds= and actions=.
func requestFilter(r *http.Request) (filter, error) {
	q := r.URL.Query()
	return parseFilter(q.Get("kinds"), q.Get("actions"))
}
