package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// A proxy forwards what its gate lets through.
type proxy struct {
	gate    *Gate
	failed  prometheus.Counter
	forward *httputil.ReverseProxy
}

// NewProxy returns a reverse proxy behind the gate, to the API at the given URL. It forwards streams and upgraded
// connections too.
func NewProxy(upstream string, gate *Gate, reg prometheus.Registerer, logger *slog.Logger) (http.Handler, error) {
	api, err := upstreamURL(upstream)
	if err != nil {
		return nil, err
	}
	p := &proxy{gate: gate, failed: promauto.With(reg).NewCounter(prometheus.CounterOpts{
		Name: "sundew_edge_proxy_upstream_errors_total", Help: "Requests that the upstream did not answer.",
	})}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(api)
			r.Out.Host, r.Out.URL.RawQuery = r.In.Host, r.In.URL.RawQuery
			p.setForwarded(r)
		},
		Transport:     newTransport(),
		BufferPool:    new(bufferPool),
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ErrorHandler:  p.upstreamFailed,
	}
	return gate.Middleware(p.forward), nil
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
	if p.gate.trusted.Contains(peerOf(r.In)) {
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
	p.failed.Inc()
	writeStatus(w, http.StatusBadGateway, "the service behind this address did not answer")
}

// statusClientLeft is what nginx logs for a client that went away before it was answered.
const statusClientLeft = 499
