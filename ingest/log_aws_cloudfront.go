package ingest

import "bytes"

// cloudfrontFields are the columns of standard logging, version 1 (tabs) and 2 (also JSON). User agents are
// percent-encoded, as the file is, so a percent sign in one is encoded twice; time-taken is in seconds.
var cloudfrontFields = byName([]field{
	{"date", slotDate, alias, keepDate},
	{"time", slotClock, alias, keepClock},
	{"timestamp", slotTime, alias, setTime},
	{"timestamp(ms)", slotTime, alias, setTime},
	{"c-ip", slotClient, alias, setClient},
	{"x-forwarded-for", slotForwarded, alias, setEncodedForwarded},
	{"c-country", slotCountry, alias, setCountry},
	{"asn", slotASN, alias, setASN},
	{"cs-method", slotMethod, alias, setMethod},
	{"x-host-header", slotHost, alias, setAuthority},
	{"cs(host)", slotHost, vague, setAuthority},
	{"cs-uri-stem", slotTarget, alias, setPath},
	{"cs-uri-query", slotQuery, alias, setQuery},
	{"sc-status", slotStatus, alias, setStatus},
	{"sc-content-len", slotResponseBytes, alias, setResponseBytes},
	{"sc-bytes", slotResponseBytes, vague, setResponseBytes},
	{"cs-bytes", slotRequestBytes, vague, setRequestBytes},
	{"time-taken", slotDuration, alias, setDuration},
	{"cs(user-agent)", slotUserAgent, alias, setEncodedUserAgent},
	{"cs(referer)", slotReferer, alias, setReferer},
	{"x-edge-request-id", slotRequestID, alias, setRequestID},
})

var _ = addFormat(Format{
	Name: "aws-cloudfront",
	Help: "AWS CloudFront standard logs with a #Fields line",
	Rank: rankProduct,
	New:  func() Decoder { return newW3C(cloudfrontFields, cloudfrontDefault) },
	Likely: func(line []byte) bool {
		return startsWithDate(line, '\t') || (bytes.HasPrefix(line, []byte("#Fields:")) && bytes.Contains(line, []byte("x-edge-")))
	},
})

var cloudfrontColumns = columnsOf(cloudfrontFields, "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "+
	"cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes "+
	"time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status "+
	"fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end")

// cloudfrontDefault has the columns of version 1, whose order AWS fixed.
func cloudfrontDefault(n int) []namedField {
	if n == len(cloudfrontColumns) {
		return cloudfrontColumns
	}
	return nil
}
