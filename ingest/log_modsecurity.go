package ingest

// ModSecurity 3 nests everything in "transaction"; 2.9 has request and response beside it.
var _ = addFormat(objectFormat("modsecurity-json", "ModSecurity 2.9 and 3, the JSON audit log",
	[]string{`"transaction"`, `"request"`}, nil, []field{
		{"transaction.time_stamp", slotTime, alias, setTime},
		{"transaction.time", slotTime, alias, setTime},
		{"transaction.client_ip", slotClient, alias, setClient},
		{"transaction.remote_address", slotClient, alias, setClient},
		{"transaction.request.method", slotMethod, alias, setMethod},
		{"transaction.request.uri", slotTarget, alias, setTargetText},
		{"transaction.request.headers.Host", slotHost, alias, setAuthority},
		{"transaction.request.headers.host", slotHost, alias, setAuthority},
		{"transaction.request.headers.User-Agent", slotUserAgent, alias, setUserAgent},
		{"transaction.request.headers.user-agent", slotUserAgent, alias, setUserAgent},
		{"transaction.request.headers.Referer", slotReferer, alias, setReferer},
		{"transaction.request.headers.referer", slotReferer, alias, setReferer},
		{"transaction.request.headers.X-Forwarded-For", slotForwarded, alias, setForwarded},
		{"transaction.response.http_code", slotStatus, alias, setStatus},
		{"transaction.id", slotRequestID, alias, setRequestID},
		{"transaction.unique_id", slotRequestID, alias, setRequestID},
		{"transaction.transaction_id", slotRequestID, alias, setRequestID},
		{"request.request_line", slotRequestLine, alias, setLine},
		{"request.headers.Host", slotHost, alias, setAuthority},
		{"request.headers.User-Agent", slotUserAgent, alias, setUserAgent},
		{"request.headers.Referer", slotReferer, alias, setReferer},
		{"request.headers.X-Forwarded-For", slotForwarded, alias, setForwarded},
		{"response.status", slotStatus, alias, setStatus},
	}))
