package ingest

// Cloudflare's time fields are RFC 3339, seconds or nanoseconds, as the job is configured. ClientRequestURI has the
// query and ClientRequestPath has not.
var _ = addFormat(objectFormat("cloudflare", "Cloudflare Logpull and Logpush, HTTP requests",
	[]string{`"ClientIP"`, `"EdgeStartTimestamp"`}, nil, []field{
		{"EdgeStartTimestamp", slotTime, alias, setTime},
		{"EdgeEndTimestamp", slotTime, vague, setTime},
		{"ClientIP", slotClient, alias, setClient},
		{"ClientCountry", slotCountry, alias, setCountry},
		{"ClientASN", slotASN, alias, setASN},
		{"ClientRequestMethod", slotMethod, alias, setMethod},
		{"ClientRequestHost", slotHost, alias, setAuthority},
		{"ClientRequestURI", slotTarget, alias, setTargetText},
		{"ClientRequestPath", slotTarget, vague, setPath},
		{"ClientRequestUserAgent", slotUserAgent, alias, setUserAgent},
		{"ClientRequestReferer", slotReferer, alias, setReferer},
		{"ClientRequestBytes", slotRequestBytes, vague, setRequestBytes},
		{"EdgeResponseStatus", slotStatus, alias, setStatus},
		{"EdgeResponseBodyBytes", slotResponseBytes, alias, setResponseBytes},
		{"EdgeResponseBytes", slotResponseBytes, vague, setResponseBytes},
		{"JA4", slotJA4, alias, identifier("", slotJA4, alias, ja4Of).set},
		{"RayID", slotRequestID, alias, setRequestID},
	}))

var _ = addFormat(objectFormat("cloudflare-gateway", "Cloudflare Gateway, HTTP",
	[]string{`"SourceIP"`, `"HTTPMethod"`}, nil, []field{
		{"Datetime", slotTime, alias, setTime},
		{"SourceIP", slotClient, alias, setClient},
		{"HTTPMethod", slotMethod, alias, setMethod},
		{"HTTPHost", slotHost, alias, setAuthority},
		{"URL", slotTarget, alias, setTargetText},
		{"HTTPStatusCode", slotStatus, alias, setStatus},
		{"UserAgent", slotUserAgent, alias, setUserAgent},
		{"Referer", slotReferer, alias, setReferer},
		{"DeviceID", slotDevice, alias, identifier("", slotDevice, alias, deviceOf).set},
		{"UserID", slotAccount, alias, identifier("", slotAccount, alias, accountOf).set},
		{"SourceCountryCode", slotCountry, alias, setCountry},
		{"RequestID", slotRequestID, alias, setRequestID},
	}))
