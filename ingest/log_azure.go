package ingest

import (
	"bytes"
	"time"

	"sundew"
)

// Application Gateway v1 and v2 differ in the case of a key and in the unit of timeTaken.
var _ = addFormat(objectFormat("azure-appgw", "Azure Application Gateway, access and firewall log",
	[]string{`"properties"`, `"ApplicationGateway`}, nil, []field{
		{"time", slotTime, alias, setTime},
		{"timestamp", slotTime, alias, setTime},
		{"timeStamp", slotTime, alias, setTime},
		{"properties.clientIP", slotClient, alias, setClient},
		{"properties.clientIp", slotClient, alias, setClient},
		{"properties.httpMethod", slotMethod, alias, setMethod},
		{"properties.requestUri", slotTarget, alias, setTargetText},
		{"properties.requestQuery", slotQuery, alias, setQuery},
		{"properties.originalRequestUriWithArgs", slotTarget, vague, setTargetText},
		{"properties.userAgent", slotUserAgent, alias, setUserAgent},
		{"properties.httpStatus", slotStatus, alias, setStatus},
		{"properties.receivedBytes", slotRequestBytes, vague, setRequestBytes},
		{"properties.sentBytes", slotResponseBytes, vague, setResponseBytes},
		{"properties.timeTaken", slotDuration, alias, setTimeTaken},
		{"properties.originalHost", slotHost, alias, setAuthority},
		{"properties.host", slotHost, vague, setAuthority},
		{"properties.hostname", slotHost, vague, setAuthority},
		{"properties.transactionId", slotRequestID, alias, setRequestID},
	}))

var _ = addFormat(objectFormat("azure-frontdoor", "Azure Front Door and Azure CDN, access log",
	[]string{`"properties"`, `AccessLog`, `"trackingReference"`}, nil, []field{
		{"time", slotTime, alias, setTime},
		{"properties.clientIp", slotClient, alias, setClient},
		{"properties.clientIP", slotClient, alias, setClient},
		{"properties.socketIp", slotClient, vague, setClient},
		{"properties.httpMethod", slotMethod, alias, setMethod},
		{"properties.requestUri", slotTarget, alias, setTargetText},
		{"properties.hostName", slotHost, alias, setAuthority},
		{"properties.userAgent", slotUserAgent, alias, setUserAgent},
		{"properties.referer", slotReferer, alias, setReferer},
		{"properties.referrer", slotReferer, alias, setReferer},
		{"properties.httpStatusCode", slotStatus, alias, setStatus},
		{"properties.requestBytes", slotRequestBytes, vague, setRequestBytes},
		{"properties.responseBytes", slotResponseBytes, vague, setResponseBytes},
		{"properties.timeTaken", slotDuration, alias, setDuration},
		{"properties.clientCountry", slotCountry, alias, setCountry},
		{"properties.clientJA4FingerPrint", slotJA4, alias, identifier("", slotJA4, alias, ja4Of).set},
		{"properties.trackingReference", slotRequestID, alias, setRequestID},
		{"trackingReference", slotRequestID, vague, setRequestID},
	}))

var _ = addFormat(objectFormat("azure-appservice", "Azure App Service, HTTP log",
	[]string{`"AppServiceHTTPLogs"`}, nil, []field{
		{"time", slotTime, alias, setTime},
		{"properties.CIp", slotClient, alias, setClient},
		{"properties.CsMethod", slotMethod, alias, setMethod},
		{"properties.CsUriStem", slotTarget, alias, setPath},
		{"properties.CsUriQuery", slotQuery, alias, setQuery},
		{"properties.CsHost", slotHost, alias, setAuthority},
		{"properties.UserAgent", slotUserAgent, alias, setPlusUserAgent},
		{"properties.Referer", slotReferer, alias, setReferer},
		{"properties.ScStatus", slotStatus, alias, setStatus},
		{"properties.ScBytes", slotResponseBytes, vague, setResponseBytes},
		{"properties.CsBytes", slotRequestBytes, vague, setRequestBytes},
		{"properties.TimeTaken", slotDuration, alias, setMilliseconds},
	}))

// setTimeTaken reads whole numbers as milliseconds (v1) and others as seconds (v2).
func setTimeTaken(_ *assembler, e *sundew.Event, text []byte) bool {
	unit := time.Millisecond
	if bytes.IndexByte(text, '.') >= 0 {
		unit = time.Second
	}
	return setUnits(&e.Duration, text, unit)
}
