package ingest

// API Gateway writes what its stage's template says; these are the names of AWS's own examples. A WebSocket's route key
// is an event, not a path.
var _ = addFormat(objectFormat("aws-apigateway", "AWS API Gateway, the JSON access log of REST, HTTP and WebSocket APIs",
	[]string{`"requestId"`, `"requestTime"`}, nil, []field{
		{"requestTime", slotTime, alias, setTime},
		{"requestTimeEpoch", slotTime, alias, setTime},
		{"ip", slotClient, alias, setClient},
		{"sourceIp", slotClient, alias, setClient},
		{"identity.sourceIp", slotClient, alias, setClient},
		{"httpMethod", slotMethod, alias, setMethod},
		{"path", slotTarget, alias, setTargetText},
		{"resourcePath", slotRoute, alias, setRoute},
		{"routeKey", slotRoute, vague, setRouteKey},
		{"status", slotStatus, alias, setStatus},
		{"responseLength", slotResponseBytes, alias, setResponseBytes},
		{"responseLatency", slotDuration, alias, setMilliseconds},
		{"userAgent", slotUserAgent, alias, setUserAgent},
		{"identity.userAgent", slotUserAgent, alias, setUserAgent},
		{"domainName", slotHost, alias, setAuthority},
		{"apiKeyId", slotAPIKey, alias, identifier("", slotAPIKey, alias, apiKeyOf).set},
		{"identity.apiKeyId", slotAPIKey, alias, identifier("", slotAPIKey, alias, apiKeyOf).set},
		{"requestId", slotRequestID, alias, setRequestID},
	}))
