package ingest

import (
	"bytes"
	"strings"
)

// iisFields are the columns of IIS's W3C logging. IIS writes a plus sign for each blank of a header; time-taken is in
// milliseconds; times are UTC.
var iisFields = byName([]field{
	{"date", slotDate, alias, keepDate},
	{"time", slotClock, alias, keepClock},
	{"c-ip", slotClient, alias, setClient},
	{"x-forwarded-for", slotForwarded, alias, setForwarded},
	{"cs(x-forwarded-for)", slotForwarded, alias, setForwarded},
	{"cs-method", slotMethod, alias, setMethod},
	{"cs-uri-stem", slotTarget, alias, setPath},
	{"cs-uri", slotTarget, alias, setTargetText},
	{"cs-uri-query", slotQuery, alias, setQuery},
	{"cs-host", slotHost, alias, setAuthority},
	{"cs(host)", slotHost, alias, setAuthority},
	{"sc-status", slotStatus, alias, setStatus},
	{"sc-bytes", slotResponseBytes, vague, setResponseBytes},
	{"cs-bytes", slotRequestBytes, vague, setRequestBytes},
	{"time-taken", slotDuration, alias, setMilliseconds},
	{"cs(user-agent)", slotUserAgent, alias, setPlusUserAgent},
	{"cs(referer)", slotReferer, alias, setReferer},
})

var _ = addFormat(Format{
	Name:    "iis",
	Aliases: []string{"w3c"},
	Help:    "IIS and other W3C extended logs with a #Fields line",
	Rank:    rankProduct + 1,
	New:     func() Decoder { return newW3C(iisFields, iisDefault) },
	Likely:  likelyIIS,
})

func likelyIIS(line []byte) bool {
	if line[0] != '#' {
		return startsWithDate(line, ' ')
	}
	for _, directive := range []string{"#Software:", "#Version:", "#Date:", "#Fields:"} {
		if bytes.HasPrefix(line, []byte(directive)) {
			return !bytes.Contains(line, []byte("x-edge-")) // CloudFront's
		}
	}
	return false
}

// The columns that IIS logs unless told otherwise, since version 8 and in 7 and 7.5.
var (
	iisDefault8 = columnsOf(iisFields, "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken")
	iisDefault7 = columnsOf(iisFields, "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus sc-win32-status time-taken")
)

func iisDefault(n int) []namedField {
	switch n {
	case len(iisDefault8):
		return iisDefault8
	case len(iisDefault7):
		return iisDefault7
	}
	return nil
}

func columnsOf(known map[string]*field, names string) []namedField {
	var columns []namedField
	for name := range strings.FieldsSeq(names) {
		columns = append(columns, columnOf(known, name))
	}
	return columns
}
