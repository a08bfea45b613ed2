package ingest

var _ = addFormat(objectFormat("aws-waf", "AWS WAF, JSON",
	[]string{`"webaclId"`, `"httpRequest"`}, nil, []field{
		{"timestamp", slotTime, alias, setTime},
		{"httpRequest.clientIp", slotClient, alias, setClient},
		{"httpRequest.country", slotCountry, alias, setCountry},
		{"httpRequest.headers", slotHeaders, alias, setHeaderPairs},
		{"httpRequest.uri", slotTarget, alias, setPath},
		{"httpRequest.args", slotQuery, alias, setQuery},
		{"httpRequest.httpMethod", slotMethod, alias, setMethod},
		{"httpRequest.host", slotHost, alias, setAuthority},
		{"httpRequest.requestId", slotRequestID, alias, setRequestID},
		{"responseCodeSent", slotStatus, alias, setStatus},
		{"ja4Fingerprint", slotJA4, alias, identifier("", slotJA4, alias, ja4Of).set},
	}))
