package edge

import (
	"bytes"
	"encoding/json"
	"net/http"
)

const maxUsageMetrics = 2 << 20 // bytes, decompressed

// usageMetrics takes what bouncers report of themselves every 15 minutes and drops it: what an edge did is in the log
// lines. It judges the body as CrowdSec does, because clients log the answer.
func (c *crowdsec) usageMetrics(w http.ResponseWriter, r *http.Request, _ Key) {
	body, err := decodedBody(r, maxUsageMetrics)
	if err != nil {
		c.message(w, r, http.StatusBadRequest, err.Error())
		return
	}
	var report map[string]json.RawMessage
	if err := json.Unmarshal(body, &report); err != nil {
		c.message(w, r, http.StatusBadRequest, "body is not a JSON object: "+err.Error())
		return
	}
	if len(report) == 0 {
		c.message(w, r, http.StatusBadRequest, "no metrics: want remediation_components or log_processors")
		return
	}
	for _, field := range []string{"remediation_components", "log_processors"} {
		if value, ok := report[field]; ok && !isArray(value) {
			c.message(w, r, http.StatusUnprocessableEntity, field+": want an array")
			return
		}
	}
	c.metrics.answers.WithLabelValues("usage_metrics").Inc()
	w.WriteHeader(http.StatusCreated)
}

// isArray accepts null, which clients send for nothing to report.
func isArray(value json.RawMessage) bool {
	return bytes.HasPrefix(value, []byte("[")) || bytes.Equal(value, []byte("null"))
}
