package ingest

import (
	"bytes"

	"sundew"
)

// GCP writes a LogEntry with an HttpRequest (google.logging.type).
var _ = addFormat(objectFormat("gcp-lb", "Google Cloud load balancer, JSON",
	[]string{`"httpRequest"`, `"requestUrl"`}, nil, []field{
		{"timestamp", slotTime, alias, setTime},
		{"receiveTimestamp", slotTime, vague, setTime},
		{"httpRequest.remoteIp", slotClient, alias, setClient},
		{"httpRequest.requestMethod", slotMethod, alias, setMethod},
		{"httpRequest.requestUrl", slotTarget, alias, setTargetText},
		{"httpRequest.status", slotStatus, alias, setStatus},
		{"httpRequest.requestSize", slotRequestBytes, vague, setRequestBytes},
		{"httpRequest.responseSize", slotResponseBytes, vague, setResponseBytes},
		{"httpRequest.userAgent", slotUserAgent, alias, setUserAgent},
		{"httpRequest.referer", slotReferer, alias, setReferer},
		{"httpRequest.latency", slotDuration, alias, setSecondsUnit},
		{"insertId", slotRequestID, alias, setRequestID},
	}))

// setSecondsUnit reads "0.012s", as protobuf writes durations in JSON.
func setSecondsUnit(d *assembler, e *sundew.Event, text []byte) bool {
	return setDuration(d, e, bytes.TrimSuffix(text, []byte("s")))
}
