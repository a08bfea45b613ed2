package ingest

// Kong's log plugins write one shape, whatever carries it; its proxy access log is nginx's.
var _ = addFormat(objectFormat("kong", "Kong Gateway: file-log, http-log and their kin, JSON",
	[]string{`"started_at"`, `"latencies"`}, nil, []field{
		{"started_at", slotTime, alias, setTime},
		{"client_ip", slotClient, alias, setClient},
		{"request.method", slotMethod, alias, setMethod},
		{"request.uri", slotTarget, alias, setTargetText},
		{"request.url", slotTarget, vague, setTargetText},
		{"request.size", slotRequestBytes, vague, setRequestBytes},
		{"request.id", slotRequestID, alias, setRequestID},
		{"request.headers.host", slotHost, alias, setAuthority},
		{"request.headers.user-agent", slotUserAgent, alias, setUserAgent},
		{"request.headers.referer", slotReferer, alias, setReferer},
		{"request.headers.x-forwarded-for", slotForwarded, alias, setForwarded},
		{"response.status", slotStatus, alias, setStatus},
		{"response.size", slotResponseBytes, vague, setResponseBytes},
		{"latencies.request", slotDuration, alias, setMilliseconds},
		{"consumer.id", slotAccount, alias, identifier("", slotAccount, alias, accountOf).set},
		{"authenticated_entity.id", slotAPIKey, alias, identifier("", slotAPIKey, alias, apiKeyOf).set},
	}))
