package ingest

import "bytes"

// The SIEM API ends each page with an object that says where the next begins.
var _ = addFormat(objectFormat("akamai-siem", "Akamai SIEM API, JSON",
	[]string{`"attackData"`, `"httpMessage"`}, isAkamaiTrailer, []field{
		{"httpMessage.start", slotTime, alias, setTime},
		{"attackData.clientIP", slotClient, alias, setClient},
		{"httpMessage.method", slotMethod, alias, setMethod},
		{"httpMessage.host", slotHost, alias, setAuthority},
		{"httpMessage.path", slotTarget, alias, setPath},
		{"httpMessage.query", slotQuery, alias, setQuery},
		{"httpMessage.status", slotStatus, alias, setStatus},
		{"httpMessage.bytes", slotResponseBytes, vague, setResponseBytes},
		{"httpMessage.requestHeaders", slotHeaders, alias, setHeaderLines},
		{"httpMessage.requestId", slotRequestID, alias, setRequestID},
		{"geo.country", slotCountry, alias, setCountry},
		{"geo.asn", slotASN, alias, setASN},
	}))

func isAkamaiTrailer(line []byte) bool {
	return bytes.HasPrefix(line, []byte(`{"total":`)) && bytes.Contains(line, []byte(`"offset"`)) && !bytes.Contains(line, []byte(`"httpMessage"`))
}
