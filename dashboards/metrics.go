package dashboards

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests by page and status; pages are those of views, so the labels are bounded.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) (metrics, error) {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sundew_dashboards_requests_total",
			Help: "Requests to the console by page and status; the status is gone where the client left first.",
		}, []string{"page", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sundew_dashboards_request_seconds",
			Help:    "Time to answer a request to the console by page.",
			Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"page"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, collector := range []prometheus.Collector{m.requests, m.seconds} {
		if err := reg.Register(collector); err != nil {
			return metrics{}, fmt.Errorf("register console metrics: %w", err)
		}
	}
	return m, nil
}

func (m metrics) observe(page string, next http.Handler) http.Handler {
	seconds := m.seconds.WithLabelValues(page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timer := prometheus.NewTimer(seconds)
		defer timer.ObserveDuration()
		seen := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		m.requests.WithLabelValues(page, seen.word()).Inc()
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader passes the status on.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) word() string {
	if w.status == 0 {
		return "gone"
	}
	return strconv.Itoa(w.status)
}
