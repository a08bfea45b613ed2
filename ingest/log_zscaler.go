package ingest

import (
	"bytes"

	"sundew"
)

// Zscaler's feed writes NA and None for nothing, and URLs without a scheme.
var _ = addFormat(objectFormat("zscaler-zia", "Zscaler Internet Access, web log of NSS, JSON",
	[]string{`zscalernss-web`}, nil, []field{
		{"event.time", slotTime, alias, setTime},
		{"event.datetime", slotTime, alias, setTime},
		{"event.cip", slotClient, alias, setClient},
		{"event.ClientIP", slotClient, alias, setClient},
		{"event.reqmethod", slotMethod, alias, setZscalerMethod},
		{"event.requestmethod", slotMethod, alias, setZscalerMethod},
		{"event.eurl", slotTarget, alias, setBareURL},
		{"event.url", slotTarget, alias, setBareURL},
		{"event.respcode", slotStatus, alias, setStatus},
		{"event.status", slotStatus, vague, setStatus},
		{"event.eua", slotUserAgent, alias, setEncodedUserAgent},
		{"event.ua", slotUserAgent, alias, setUserAgent},
		{"event.useragent", slotUserAgent, alias, setUserAgent},
		{"event.ereferer", slotReferer, alias, setGivenReferer},
		{"event.reqsize", slotRequestBytes, vague, setRequestBytes},
		{"event.requestsize", slotRequestBytes, vague, setRequestBytes},
		{"event.respsize", slotResponseBytes, vague, setResponseBytes},
		{"event.responsesize", slotResponseBytes, vague, setResponseBytes},
	}))

func setZscalerMethod(d *assembler, e *sundew.Event, text []byte) bool {
	return string(text) == "NA" || setMethod(d, e, text)
}

func setGivenReferer(d *assembler, e *sundew.Event, text []byte) bool {
	return string(text) == "None" || setReferer(d, e, text)
}

// setBareURL reads host/path?query, with or without a scheme in front.
func setBareURL(d *assembler, e *sundew.Event, text []byte) bool {
	if !bytes.Contains(text, []byte("://")) {
		text = append([]byte("http://"), text...)
	}
	return setTargetText(d, e, text)
}
