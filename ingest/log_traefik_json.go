package ingest

// Traefik's headers have names of their own behind request_, as far as they are kept.
var _ = addFormat(objectFormat("traefik-json", "Traefik, JSON access log",
	[]string{`"ClientHost"`, `"RequestMethod"`}, nil, []field{
		{"StartUTC", slotTime, vague, setTime},
		{"time", slotTime, alias, setTime},
		{"ClientHost", slotClient, alias, setClient},
		{"ClientAddr", slotClient, vague, setClient},
		{"RequestMethod", slotMethod, alias, setMethod},
		{"RequestHost", slotHost, alias, setAuthority},
		{"RequestAddr", slotHost, vague, setAuthority},
		{"RequestPath", slotTarget, alias, setTargetText},
		{"RequestLine", slotRequestLine, vague, setLine},
		{"RequestContentSize", slotRequestBytes, alias, setRequestBytes},
		{"DownstreamStatus", slotStatus, alias, setStatus},
		{"DownstreamContentSize", slotResponseBytes, alias, setResponseBytes},
		{"Duration", slotDuration, alias, setNanoseconds},
		{"request_User-Agent", slotUserAgent, alias, setUserAgent},
		{"request_Referer", slotReferer, alias, setReferer},
		{"request_X-Forwarded-For", slotForwarded, alias, setForwarded},
		{"request_X-Request-Id", slotRequestID, alias, setRequestID},
	}))
