package ingest

import "bytes"

// BIG-IP's Telemetry Streaming sends one object per request (LTM, ASM), per aggregate of requests (AVR), and per
// measurement of the machine, which is no request.
var _ = addFormat(objectFormat("f5-bigip", "F5 BIG-IP through Telemetry Streaming: LTM, ASM and AVR, JSON",
	[]string{`"telemetryEventCategory"`}, isMeasurement, []field{
		{"event_timestamp", slotTime, alias, setTime},
		{"req_start_time", slotTime, alias, setTime},
		{"date_time", slotTime, alias, setTime},
		{"EOCTimestamp", slotTime, alias, setTime},
		{"client_ip", slotClient, alias, setClient},
		{"ip_client", slotClient, alias, setClient},
		{"src_ip", slotClient, alias, setClient},
		{"ClientIP", slotClient, alias, setClient},
		{"x_forwarded_for_header_value", slotForwarded, alias, setForwarded},
		{"http_method", slotMethod, alias, setMethod},
		{"method", slotMethod, alias, setMethod},
		{"Method", slotMethod, alias, setMethod},
		{"http_host", slotHost, alias, setAuthority},
		{"http_uri", slotTarget, alias, setTargetText},
		{"http_url", slotTarget, vague, setTargetText},
		{"uri", slotTarget, alias, setTargetText},
		{"URL", slotTarget, alias, setTargetText},
		{"query_string", slotQuery, alias, setQuery},
		{"http_status", slotStatus, alias, setStatus},
		{"response_code", slotStatus, alias, setStatus},
		{"ResponseCode", slotStatus, alias, setStatus},
		{"http_user_agent", slotUserAgent, alias, setUserAgent},
		{"UserAgent", slotUserAgent, alias, setUserAgent},
		{"http_referrer", slotReferer, alias, setReferer},
		{"bytes_in", slotRequestBytes, vague, setRequestBytes},
		{"bytes_out", slotResponseBytes, vague, setResponseBytes},
		{"req_elapsed_time", slotDuration, alias, setMilliseconds},
		{"GeoCountry", slotCountry, alias, setCountry},
		{"geo_location", slotCountry, alias, setCountry},
		{"support_id", slotRequestID, alias, setRequestID},
	}))

func isMeasurement(line []byte) bool {
	return bytes.Contains(line, []byte(`"telemetryEventCategory"`)) && !bytes.Contains(line, []byte(`ethod"`))
}
