package edge

import (
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"sundew"
)

// What the answers about a request say of it, for the log of the gateway that asked.
const (
	headerAction   = "X-Sundew-Action"
	headerDelay    = "X-Sundew-Delay-Ms" // for which the request was held
	headerDecision = "X-Sundew-Decision"
	headerStatus   = "X-Sundew-Status" // what the client is to be answered, in the form for nginx
)

// ForwardAuthPrefix is what the path of a question may begin with: what follows is the path that is asked about, unless a
// header says it.
const ForwardAuthPrefix = "/auth"

// ForwardAuth answers what a gateway asks about each request that it has received: nginx with auth_request, Traefik with
// ForwardAuth, Caddy with forward_auth, Envoy with ext_authz over HTTP. The answer is 200 for a request that may pass, and
// comes after the delay of a tarpit; else 403, or 429 with Retry-After, with the body that the client is to get.
//
// The question describes the request by X-Forwarded-Method, -Host, -Uri and -For (Traefik, Caddy), by X-Original-Method,
// X-Original-URI and X-Real-IP (nginx), or is itself that request behind ForwardAuthPrefix (Envoy). A description is
// believed only of TrustedProxies: of anybody else it is the peer that is looked up. With form=nginx in the query every
// refusal is 403, because auth_request takes other statuses for failures; X-Sundew-Status has the one that is meant.
//
// No event is shipped: the gateway knows how the request ended, and its log has the X-Sundew headers of the answer.
func (g *Gate) ForwardAuth(logger *slog.Logger) http.Handler {
	stranger := sync.OnceFunc(func() {
		logger.Warn("a question about a request came from nobody who is trusted, so what it says of the client is not believed: name the gateway in edge.proxy.trusted_proxies")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, question *http.Request) {
		r := question
		if g.trusted.Contains(peerOf(question)) {
			r = described(question)
		} else {
			stranger()
		}
		start := time.Now()
		e := g.eventOf(r, start)
		v := g.judge(r, &e, start, g.holdHere)
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		for name, value := range notes(v, &e) {
			h.Set(name, value)
		}
		switch {
		case !v.refuses():
			w.WriteHeader(http.StatusOK)
		case question.URL.Query().Get("form") == "nginx":
			h.Set(headerStatus, strconv.Itoa(v.status))
			if v.status == http.StatusTooManyRequests {
				setRetryAfter(h, v.retry)
			}
			w.WriteHeader(http.StatusForbidden)
		default:
			v.write(w)
		}
	})
}

// notes are the headers that say what was done.
func notes(v verdict, e *sundew.Event) map[string]string {
	if v.action == sundew.ActionNone {
		return nil
	}
	return map[string]string{
		headerAction:   v.action.String(),
		headerDelay:    strconv.FormatInt(v.held.Milliseconds(), 10),
		headerDecision: e.DecisionID,
	}
}

// described is the request that a gateway asks about.
func described(question *http.Request) *http.Request {
	r := question.Clone(question.Context())
	h := r.Header
	r.Method = firstText(h.Get("X-Original-Method"), h.Get("X-Forwarded-Method"), r.Method)
	r.Host = firstText(h.Get("X-Forwarded-Host"), r.Host)
	if target := firstText(h.Get("X-Original-URI"), h.Get("X-Forwarded-Uri")); target != "" {
		r.URL = targetOf(target)
	} else {
		r.URL = targetOf(firstText(strings.TrimPrefix(r.URL.RequestURI(), ForwardAuthPrefix), "/"))
	}
	if h.Get("X-Forwarded-For") == "" && h.Get("X-Real-IP") != "" {
		h.Set("X-Forwarded-For", h.Get("X-Real-IP"))
	}
	return r
}

// targetOf reads a request target (RFC 9112, section 3.2). What cannot be read is a path as it stands.
func targetOf(target string) *url.URL {
	if u, err := url.ParseRequestURI(target); err == nil {
		return u
	}
	return &url.URL{Path: target}
}

func firstText(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
