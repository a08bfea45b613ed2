package ingest

import (
	"bytes"

	"sundew"
)

var _ = addFormat(Format{
	Name:    "istio",
	Aliases: []string{"envoy"},
	Help:    "Envoy's and Istio's default text log",
	Rank:    rankProduct,
	New:     func() Decoder { return &envoyDecoder{assembler: newAssembler()} },
	Likely: func(line []byte) bool {
		return len(line) > 25 && line[0] == '[' && line[5] == '-' && line[11] == 'T' && bytes.Contains(line[:40:40][20:], []byte(`] "`))
	},
})

// envoyDecoder reads Envoy's default format string and Istio's, which has three more columns behind the response flags
// and six more at the end. Envoy's has no address of the connection: the client is the last public address of
// X-Forwarded-For there.
type envoyDecoder struct{ assembler }

var envoyFields = map[string]*field{
	"start_time": {"", slotTime, alias, setTime},
	"request":    {"", slotRequestLine, alias, setLine},
	"status":     {"", slotStatus, alias, setStatus},
	"received":   {"", slotRequestBytes, alias, setRequestBytes},
	"sent":       {"", slotResponseBytes, alias, setResponseBytes},
	"duration":   {"", slotDuration, alias, setMilliseconds},
	"forwarded":  {"", slotForwarded, alias, setForwarded},
	"user_agent": {"", slotUserAgent, alias, setUserAgent},
	"request_id": {"", slotRequestID, alias, setRequestID},
	"authority":  {"", slotHost, alias, setAuthority},
	"downstream": {"", slotClient, alias, setClient},
}

var (
	envoyColumns = []string{
		"request", "status", "response_flags", "received", "sent", "duration", "upstream_service_time", "forwarded",
		"user_agent", "request_id", "authority", "upstream_host",
	}
	istioColumns = []string{
		"request", "status", "response_flags", "response_code_details", "connection_termination_details",
		"upstream_transport_failure_reason", "received", "sent", "duration", "upstream_service_time", "forwarded",
		"user_agent", "request_id", "authority", "upstream_host", "upstream_cluster", "upstream_local_address",
		"downstream_local_address", "downstream", "requested_server_name", "route_name",
	}
)

// Decode implements Decoder.
func (d *envoyDecoder) Decode(line []byte, e *sundew.Event) error {
	line = messageOf(line)
	if len(line) == 0 {
		return ErrNoEvent
	}
	clock, _, ok := bytes.Cut(line, []byte(`] "`))
	if !ok || clock[0] != '[' {
		return &LineError{"not an Envoy line", `want: [time] "request" status flags ...`}
	}
	rest := line[len(clock)+len("] "):]
	d.reset()
	d.put(e, envoyFields["start_time"], []byte("start_time"), clock[1:], clock[1:])
	names := istioColumns
	if isEnvoyDefault(rest) {
		names = envoyColumns
	}
	for _, name := range names {
		if len(rest) == 0 {
			break
		}
		var value []byte
		if value, rest = cutValue(rest); len(value) == 0 || string(value) == "-" {
			continue
		}
		if name == "request" && bytes.HasPrefix(value, []byte("- ")) {
			continue // a connection, or a request that could not be parsed
		}
		d.put(e, envoyFields[name], []byte(name), value, value)
	}
	return d.finish(e)
}

// isEnvoyDefault tells the two by the fourth column: the number of bytes received, or the response code's details.
func isEnvoyDefault(b []byte) bool {
	for range 3 {
		_, b = cutValue(b)
	}
	word, _ := cutValue(b)
	_, number := digits(word)
	return number && len(word) > 0
}
