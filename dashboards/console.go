package dashboards

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// readTimeout bounds what one page may ask of the store.
const readTimeout = 10 * time.Second

// New returns the console. It serves /, /entities, /entity/{kind}/{key}, /decisions, /decision/{id}, /blocklist,
// /rules, /deadletters and /static/, and the same models as JSON under /api/v1/. The handler may be used from many
// goroutines and starts none.
func New(c Config) (http.Handler, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	static, err := loadAssets()
	if err != nil {
		return nil, err
	}
	templates, err := loadTemplates(static)
	if err != nil {
		return nil, err
	}
	counters, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, err
	}
	con := &console{Config: c, assets: static, templates: templates, metrics: counters}
	return con.handler(), nil
}

type console struct {
	Config
	assets    assets
	templates templates
	metrics   metrics
}

// view is one page. HTML and JSON are two ways to write the model that load returns.
type view struct {
	name  string // of the template and of the metric label
	paths []string
	api   string
	load  func(c *console, ctx context.Context, q query) (model, error)
}

// model is what a page shows. It marshals to the JSON answer.
type model interface {
	Heading() string // plain text for the title of the window
}

// views is the plan of the console. A page is a line here, a file page_NAME.go and a template NAME.html.
func views() []view {
	return []view{
		{"overview", []string{"/{$}"}, "/api/v1/overview", (*console).overview},
		{"entities", []string{"/entities"}, "/api/v1/entities", (*console).entities},
		{"entity", []string{"/entity/{kind}/{key...}", "/entity"}, "/api/v1/entities/{kind}/{key...}", (*console).entity},
		{"decisions", []string{"/decisions"}, "/api/v1/decisions", (*console).decisions},
		{"decision", []string{"/decision/{id}"}, "/api/v1/decisions/{id}", (*console).decision},
		{"blocklist", []string{"/blocklist"}, "/api/v1/blocklist", (*console).blocklist},
		{"rules", []string{"/rules"}, "/api/v1/rules", (*console).rules},
		{"deadletters", []string{"/deadletters"}, "/api/v1/deadletters", (*console).deadLetters},
	}
}

func (c *console) handler() http.Handler {
	mux := http.NewServeMux()
	for _, v := range views() {
		for _, path := range append(v.paths, v.api) {
			mux.Handle(path, c.metrics.observe(v.name, c.page(v)))
		}
	}
	mux.Handle("/static/{name}", c.metrics.observe("static", c.assets))
	mux.Handle("/", c.metrics.observe("unknown", http.HandlerFunc(c.unknown)))
	return secure(c.readOnly(mux))
}

// query is a request to a view.
type query struct {
	*http.Request
	Values url.Values
	Span   span
	Now    time.Time // UTC
}

func (c *console) page(v view) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		q := query{Request: r, Values: r.URL.Query(), Now: c.Now().UTC()}
		m, err := c.answer(ctx, v, &q)
		if err != nil {
			c.fail(w, q, err)
			return
		}
		if wantsJSON(r) {
			c.writeJSON(w, q, http.StatusOK, m)
			return
		}
		c.writeHTML(w, q, http.StatusOK, v.name, m)
	})
}

func (c *console) answer(ctx context.Context, v view, q *query) (model, error) {
	var err error
	if q.Span, err = parseSpan(q.Values, q.Now); err != nil {
		return nil, err
	}
	return v.load(c, ctx, *q)
}

func (c *console) unknown(w http.ResponseWriter, r *http.Request) {
	q := query{Request: r, Values: r.URL.Query(), Now: c.Now().UTC()}
	c.fail(w, q, notFound("Page", "Start at the overview, or look an entity up with the box above."))
}

// readOnly refuses every method that could ask for a change.
func (c *console) readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Allow", "GET, HEAD")
		q := query{Request: r, Values: r.URL.Query(), Now: c.Now().UTC()}
		c.fail(w, q, &problem{
			Status: http.StatusMethodNotAllowed,
			Title:  "The console only reads",
			Detail: fmt.Sprintf("It does not answer %s.", clip(r.Method, 16)),
			Remedy: "Use GET or HEAD.",
		})
	})
}

// fail writes the problem that err stands for, and logs it where sundew or the store is at fault. A request whose
// client has left is answered to nobody.
func (c *console) fail(w http.ResponseWriter, q query, err error) {
	if q.Context().Err() != nil {
		return
	}
	p := problemOf(err)
	switch p.Status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
		c.Logger.WarnContext(q.Context(), "store did not answer", "path", q.URL.Path, "error", p.cause)
	case http.StatusInternalServerError:
		c.Logger.ErrorContext(q.Context(), "page failed", "path", q.URL.Path, "error", p.cause)
	}
	if wantsJSON(q.Request) {
		c.writeJSON(w, q, p.Status, p)
		return
	}
	c.writeHTML(w, q, p.Status, "problem", p)
}

// Heading makes a problem a model.
func (p *problem) Heading() string { return p.Title }

// wantsJSON says whether the address is one of the API's.
func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Query().Get("format") == "json"
}

func (c *console) writeJSON(w http.ResponseWriter, q query, status int, m any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		c.broken(w, q, err)
		return
	}
	contentType := "application/json"
	if status >= http.StatusBadRequest {
		contentType = "application/problem+json"
	}
	write(w, status, contentType, body.Bytes())
}

func (c *console) writeHTML(w http.ResponseWriter, q query, status int, name string, m model) {
	var body bytes.Buffer
	if err := c.templates.execute(&body, name, c.frame(q, name, m)); err != nil {
		c.broken(w, q, err)
		return
	}
	write(w, status, "text/html; charset=utf-8", body.Bytes())
}

// broken answers when the answer itself cannot be written, which is a fault of this package.
func (c *console) broken(w http.ResponseWriter, q query, err error) {
	c.Logger.ErrorContext(q.Context(), "page failed", "path", q.URL.Path, "error", err)
	write(w, http.StatusInternalServerError, "text/plain; charset=utf-8", []byte("This page could not be made. sundew's log says why.\n"))
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error here means that the client has left
}
