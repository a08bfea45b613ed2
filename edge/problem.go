package edge

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// A problem is the body of an answer that is not what was asked for (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// writeProblem answers with p, which must not say which rule decided.
func writeProblem(w http.ResponseWriter, p problem) {
	body, _ := json.Marshal(p) // strings and a number
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}

func writeStatus(w http.ResponseWriter, status int, detail string) {
	writeProblem(w, problem{"about:blank", http.StatusText(status), status, detail})
}

// setRetryAfter rounds up to whole seconds, at least one.
func setRetryAfter(h http.Header, d time.Duration) {
	seconds := max(1, int64((d+time.Second-1)/time.Second))
	h.Set("Retry-After", strconv.FormatInt(seconds, 10))
}
