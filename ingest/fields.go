package ingest

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"sundew"
)

// A slot is a place in an event that several keys can fill.
type slot uint8

const (
	slotTime slot = iota
	slotDate      // the two halves of a time
	slotClock
	slotClient
	slotForwarded
	slotMethod
	slotHost
	slotTarget // path and query
	slotRequestLine
	slotQuery
	slotRoute
	slotStatus
	slotRequestBytes
	slotResponseBytes
	slotDuration
	slotUserAgent
	slotReferer
	slotHeaders // several of the above in one value
	slotDevice
	slotAccount
	slotAPIKey
	slotSession
	slotJA4
	slotCountry
	slotASN
	slotAuth
	slotAuthUsername
	slotObject
	slotAttestation
	slotAttestationProvider
	slotSignature
	slotCaptcha
	slotDeviceAge
	slotRequestID
	slotGateway
	slotGatewayEpoch
	slotGatewaySequence
	slotEdgeAction
	slotEdgeDelay
	slotDecision
	numSlots
)

// Ranks of keys for one slot: a value never gives way to one of a lower rank.
const (
	vague     = 1 // says nearly the same: all bytes of a response for those of its body
	alias     = 2
	canonical = 3 // the key of the contract
)

// field is a key that the vocabulary knows. set returns false where the text cannot be read as such.
type field struct {
	name string
	slot slot
	rank uint8
	set  func(d *assembler, e *sundew.Event, text []byte) bool
}

// fields holds every known key. It is only read.
var fields = byName(fieldList)

func byName(list []field) map[string]*field {
	m := make(map[string]*field, len(list))
	for i := range list {
		m[list[i].name] = &list[i]
	}
	return m
}

// fieldList has the keys of the contract first in each group, then OpenTelemetry's, ECS's, nginx's, Envoy's and Caddy's
// names. A user name that a server merely copied from the request (remote_user) is left among the attributes: whoever
// sends it chooses it, so no account may answer for it.
var fieldList = []field{
	{"timestamp", slotTime, canonical, setTime},
	{"@timestamp", slotTime, alias, setTime},
	{"time_iso8601", slotTime, alias, setTime},
	{"msec", slotTime, alias, setTime},
	{"ts", slotTime, alias, setTime},
	{"time", slotTime, alias, setTime},
	{"start_time", slotTime, alias, setStartTime},
	{"time_local", slotTime, vague, setTime},

	{"client.address", slotClient, canonical, setClient},
	{"client.ip", slotClient, alias, setClient},
	{"source.ip", slotClient, alias, setClient},
	{"source.address", slotClient, alias, setClient},
	{"client_ip", slotClient, alias, setClient},
	{"clientip", slotClient, alias, setClient},
	{"request.client_ip", slotClient, alias, setClient},
	{"remote_addr", slotClient, alias, setClient},
	{"remote_address", slotClient, alias, setClient},
	{"remote_ip", slotClient, vague, setClient},
	{"request.remote_ip", slotClient, vague, setClient},
	{"downstream_remote_address", slotClient, alias, setClient},

	{"client.forwarded", slotForwarded, canonical, setForwarded},
	{"http.request.header.x-forwarded-for", slotForwarded, alias, setForwarded},
	{"http_x_forwarded_for", slotForwarded, alias, setForwarded},
	{"x_forwarded_for", slotForwarded, alias, setForwarded},
	{"x-forwarded-for", slotForwarded, alias, setForwarded},
	{"request.headers.X-Forwarded-For", slotForwarded, alias, setForwarded},
	{"http_forwarded", slotForwarded, vague, setForwarded},
	{"http_cf_connecting_ip", slotForwarded, vague, setForwarded},
	{"http_true_client_ip", slotForwarded, vague, setForwarded},

	{"http.request.method", slotMethod, canonical, setMethod},
	{"http.method", slotMethod, alias, setMethod},
	{"request_method", slotMethod, alias, setMethod},
	{"request.method", slotMethod, alias, setMethod},
	{"method", slotMethod, alias, setMethod},
	{":method", slotMethod, alias, setMethod},

	{"server.address", slotHost, canonical, setHost},
	{"server.domain", slotHost, alias, setAuthority},
	{"url.domain", slotHost, alias, setAuthority},
	{"http.host", slotHost, alias, setAuthority},
	{"http_host", slotHost, alias, setAuthority},
	{"request.host", slotHost, alias, setAuthority},
	{"authority", slotHost, alias, setAuthority},
	{":authority", slotHost, alias, setAuthority},
	{"host", slotHost, alias, setAuthority},
	{"server_name", slotHost, vague, setAuthority},

	{"url.path", slotTarget, canonical, setPath},
	{"url.original", slotTarget, alias, setTargetText},
	{"url.full", slotTarget, alias, setTargetText},
	{"http.target", slotTarget, alias, setTargetText},
	{"http.url", slotTarget, alias, setTargetText},
	{"request_uri", slotTarget, alias, setTargetText},
	{"request.uri", slotTarget, alias, setTargetText},
	{"uri", slotTarget, vague, setTargetText},
	{"path", slotTarget, alias, setTargetText},
	{":path", slotTarget, alias, setTargetText},
	{"x-envoy-original-path", slotTarget, alias, setTargetText},
	{"x-envoy-origin-path", slotTarget, alias, setTargetText},
	{"request", slotRequestLine, alias, setLine},
	{"request_line", slotRequestLine, alias, setLine},

	{"url.query", slotQuery, canonical, setQuery},
	{"query_string", slotQuery, alias, setQuery},
	{"args", slotQuery, alias, setQuery},
	{"http.route", slotRoute, canonical, setRoute},
	{"route", slotRoute, alias, setRoute},

	{"http.response.status_code", slotStatus, canonical, setStatus},
	{"http.status_code", slotStatus, alias, setStatus},
	{"status", slotStatus, alias, setStatus},
	{"status_code", slotStatus, alias, setStatus},
	{"response_code", slotStatus, alias, setResponseCode},

	{"http.request.body.size", slotRequestBytes, canonical, setRequestBytes},
	{"http.request.body.bytes", slotRequestBytes, alias, setRequestBytes},
	{"http.request_content_length", slotRequestBytes, alias, setRequestBytes},
	{"bytes_received", slotRequestBytes, alias, setRequestBytes},
	{"bytes_read", slotRequestBytes, alias, setRequestBytes},
	{"content_length", slotRequestBytes, alias, setRequestBytes},
	{"http.request.bytes", slotRequestBytes, vague, setRequestBytes},

	{"http.response.body.size", slotResponseBytes, canonical, setResponseBytes},
	{"http.response.body.bytes", slotResponseBytes, alias, setResponseBytes},
	{"http.response_content_length", slotResponseBytes, alias, setResponseBytes},
	{"body_bytes_sent", slotResponseBytes, alias, setResponseBytes},
	{"size", slotResponseBytes, alias, setResponseBytes},
	{"http.response.bytes", slotResponseBytes, vague, setResponseBytes},
	{"bytes_sent", slotResponseBytes, vague, setResponseBytes},
	{"bytes", slotResponseBytes, vague, setResponseBytes},

	{"http.server.request.duration", slotDuration, canonical, setDuration},
	{"request_time", slotDuration, alias, setDuration},
	{"event.duration", slotDuration, alias, setNanoseconds},
	{"duration", slotDuration, vague, keepDuration},

	{"user_agent.original", slotUserAgent, canonical, setUserAgent},
	{"http.user_agent", slotUserAgent, alias, setUserAgent},
	{"http.request.header.user-agent", slotUserAgent, alias, setUserAgent},
	{"http_user_agent", slotUserAgent, alias, setUserAgent},
	{"user_agent", slotUserAgent, alias, setUserAgent},
	{"user-agent", slotUserAgent, alias, setUserAgent},
	{"request.headers.User-Agent", slotUserAgent, alias, setUserAgent},

	{"http.request.header.referer", slotReferer, canonical, setReferer},
	{"http.request.referrer", slotReferer, alias, setReferer},
	{"http_referer", slotReferer, alias, setReferer},
	{"referer", slotReferer, alias, setReferer},
	{"referrer", slotReferer, alias, setReferer},
	{"request.headers.Referer", slotReferer, alias, setReferer},

	identifier("device.id", slotDevice, canonical, deviceOf),
	identifier("device_id", slotDevice, alias, deviceOf),
	identifier("user.id", slotAccount, canonical, accountOf),
	identifier("user.name", slotAccount, vague, accountOf),
	identifier("enduser.id", slotAccount, alias, accountOf),
	identifier("user_id", slotAccount, alias, accountOf),
	identifier("api_key.id", slotAPIKey, canonical, apiKeyOf),
	identifier("api_key_id", slotAPIKey, alias, apiKeyOf),
	identifier("session.id", slotSession, canonical, func(e *sundew.Event) *string { return &e.Session }),
	identifier("session_id", slotSession, alias, func(e *sundew.Event) *string { return &e.Session }),
	identifier("tls.client.ja4", slotJA4, canonical, ja4Of),
	identifier("ja4", slotJA4, alias, ja4Of),

	{"geo.country_iso_code", slotCountry, canonical, setCountry},
	{"client.geo.country_iso_code", slotCountry, alias, setCountry},
	{"source.geo.country_iso_code", slotCountry, alias, setCountry},
	{"geoip_country_code", slotCountry, alias, setCountry},
	{"client.as.number", slotASN, canonical, setASN},
	{"source.as.number", slotASN, alias, setASN},
	{"as.number", slotASN, alias, setASN},

	{"auth.outcome", slotAuth, canonical, setAuth},
	identifier("auth.username", slotAuthUsername, canonical, usernameOf),
	identifier("object.id", slotObject, canonical, func(e *sundew.Event) *string { return &e.Object }),
	{"attestation.status", slotAttestation, canonical, setAttestation},
	identifier("attestation.provider", slotAttestationProvider, canonical, func(e *sundew.Event) *string { return &e.AttestationProvider }),
	{"signature.status", slotSignature, canonical, setSignature},
	{"captcha.score", slotCaptcha, canonical, setCaptcha},
	{"device.age", slotDeviceAge, canonical, setDeviceAge},

	{"request.id", slotRequestID, canonical, setRequestID},
	{"http.request.id", slotRequestID, alias, setRequestID},
	{"request_id", slotRequestID, alias, setRequestID},
	{"x_request_id", slotRequestID, alias, setRequestID},
	{"x-request-id", slotRequestID, alias, setRequestID},
	identifier("gateway.id", slotGateway, canonical, func(e *sundew.Event) *string { return &e.Gateway }),
	{"gateway.epoch", slotGatewayEpoch, canonical, setGatewayEpoch},
	{"gateway.sequence", slotGatewaySequence, canonical, setGatewaySequence},
	{"edge.action", slotEdgeAction, canonical, setEdgeAction},
	{"edge.delay", slotEdgeDelay, canonical, setEdgeDelay},
	identifier("decision.id", slotDecision, canonical, func(e *sundew.Event) *string { return &e.DecisionID }),
}

// identifier is a field whose value is a text of at most sundew.MaxID bytes.
func identifier(name string, s slot, rank uint8, of func(*sundew.Event) *string) field {
	return field{name, s, rank, func(d *assembler, e *sundew.Event, text []byte) bool {
		*of(e) = d.once(text, sundew.MaxID)
		return true
	}}
}

func deviceOf(e *sundew.Event) *string   { return &e.Device }
func accountOf(e *sundew.Event) *string  { return &e.Account }
func apiKeyOf(e *sundew.Event) *string   { return &e.APIKey }
func ja4Of(e *sundew.Event) *string      { return &e.JA4 }
func usernameOf(e *sundew.Event) *string { return &e.AuthUsername }

func setTime(d *assembler, e *sundew.Event, text []byte) bool {
	t, ok := d.minute.timestamp(text)
	if !ok {
		d.badTime = append(d.badTime[:0], text...)
		return false
	}
	e.Time = t
	return true
}

func setStartTime(d *assembler, e *sundew.Event, text []byte) bool {
	d.envoy = true
	return setTime(d, e, text)
}

func setClient(d *assembler, e *sundew.Event, text []byte) bool {
	addr, ok := parseClient(text)
	if !ok {
		d.badAddress = append(d.badAddress[:0], text...)
		return false
	}
	e.Client = addr
	return true
}

func setForwarded(d *assembler, e *sundew.Event, text []byte) bool {
	e.Forwarded = d.text(slotForwarded, text, sundew.MaxText)
	return true
}

func setMethod(d *assembler, e *sundew.Event, text []byte) bool {
	e.Method = d.method(text)
	return true
}

func setHost(d *assembler, e *sundew.Event, text []byte) bool {
	e.Host = d.lower(text, sundew.MaxID)
	return true
}

// setAuthority is setHost for names whose value may carry a port.
func setAuthority(d *assembler, e *sundew.Event, text []byte) bool {
	return setHost(d, e, hostOnly(text))
}

func setPath(d *assembler, e *sundew.Event, text []byte) bool {
	e.Path = d.once(text, sundew.MaxText)
	return true
}

func setQuery(d *assembler, e *sundew.Event, text []byte) bool {
	e.Query = d.once(text, sundew.MaxText)
	return true
}

// setQueryMark is setQuery for values that begin with the question mark.
func setQueryMark(d *assembler, e *sundew.Event, text []byte) bool {
	return setQuery(d, e, bytes.TrimPrefix(text, []byte("?")))
}

// setTargetText reads a target that has a path; without one another key may have it.
func setTargetText(d *assembler, e *sundew.Event, text []byte) bool {
	t := splitTarget(text, nil)
	if len(t.path) == 0 {
		return false
	}
	d.target(e, t)
	return true
}

// setLine reads a request line, whose parts give way to keys of their own.
func setLine(d *assembler, e *sundew.Event, text []byte) bool {
	method, rest, ok := splitRequestLine(text)
	if !ok {
		return false
	}
	if d.ranks[slotMethod] == 0 {
		setMethod(d, e, method)
		d.ranks[slotMethod] = vague
	}
	if d.ranks[slotTarget] == 0 {
		d.target(e, splitTarget(rest, method))
		d.ranks[slotTarget] = vague
	}
	return true
}

// target sets the parts of a request target but those that keys of their own have set.
func (d *assembler) target(e *sundew.Event, t target) {
	if d.ranks[slotHost] > vague {
		t.host = nil
	}
	if d.ranks[slotQuery] > vague {
		t.query = nil
	}
	setTarget(e, t, &d.texts)
}

func setRoute(d *assembler, e *sundew.Event, text []byte) bool {
	e.Route = d.text(slotRoute, text, sundew.MaxText)
	return true
}

// setRouteKey reads "GET /pets/{id}"; of a WebSocket's route key there is no path.
func setRouteKey(d *assembler, e *sundew.Event, text []byte) bool {
	_, route, ok := bytes.Cut(text, []byte(" "))
	return ok && setRoute(d, e, route)
}

func setStatus(_ *assembler, e *sundew.Event, text []byte) bool {
	status, ok := parseStatus(text)
	if ok {
		e.Status = status
	}
	return ok
}

func setResponseCode(d *assembler, e *sundew.Event, text []byte) bool {
	d.envoy = true
	return setStatus(d, e, text)
}

// parseStatus reads a status code; servers write 0 or 000 where no answer was sent.
func parseStatus(text []byte) (int, bool) {
	n, ok := digits(text)
	if !ok || len(text) == 0 || len(text) > 3 || (n < 100 && n != 0) {
		return 0, false
	}
	return n, true
}

func setRequestBytes(_ *assembler, e *sundew.Event, text []byte) bool {
	return setSize(&e.RequestBytes, text)
}

func setResponseBytes(_ *assembler, e *sundew.Event, text []byte) bool {
	return setSize(&e.ResponseBytes, text)
}

func setSize(to *int64, text []byte) bool {
	n, ok := parseDecimal(text, 1)
	if ok {
		*to = n
	}
	return ok
}

func setDuration(_ *assembler, e *sundew.Event, text []byte) bool {
	return setSeconds(&e.Duration, text)
}

func setMilliseconds(_ *assembler, e *sundew.Event, text []byte) bool {
	return setUnits(&e.Duration, text, time.Millisecond)
}

func setMicroseconds(_ *assembler, e *sundew.Event, text []byte) bool {
	return setUnits(&e.Duration, text, time.Microsecond)
}

func setNanoseconds(_ *assembler, e *sundew.Event, text []byte) bool {
	return setUnits(&e.Duration, text, time.Nanosecond)
}

func keepDuration(d *assembler, _ *sundew.Event, text []byte) bool {
	d.duration = append(d.duration[:0], text...)
	return true
}

func setSeconds(to *time.Duration, text []byte) bool { return setUnits(to, text, time.Second) }

// setUnits reads a number of units, which are powers of ten of a nanosecond.
func setUnits(to *time.Duration, text []byte, unit time.Duration) bool {
	n, ok := parseDecimal(text, int64(unit))
	if ok {
		*to = time.Duration(n)
	}
	return ok
}

func setUserAgent(d *assembler, e *sundew.Event, text []byte) bool {
	e.UserAgent = d.text(slotUserAgent, text, sundew.MaxText)
	return true
}

func setReferer(d *assembler, e *sundew.Event, text []byte) bool {
	e.Referer = d.text(slotReferer, text, sundew.MaxText)
	return true
}

func setCountry(d *assembler, e *sundew.Event, text []byte) bool {
	if len(text) != 2 || !isMethod(text, true) {
		return false
	}
	e.Country = d.upper(text, sundew.MaxID)
	return true
}

// setASN reads a number, with or without the letters AS in front.
func setASN(_ *assembler, e *sundew.Event, text []byte) bool {
	n, ok := parseDecimal(bytes.TrimPrefix(text, []byte("AS")), 1)
	if !ok || n > math.MaxUint32 {
		return false
	}
	e.ASN = uint32(n)
	return true
}

func setAuth(_ *assembler, e *sundew.Event, text []byte) bool {
	outcome, ok := sundew.ParseOutcome(string(text))
	if ok {
		e.Auth = outcome
	}
	return ok
}

func setAttestation(_ *assembler, e *sundew.Event, text []byte) bool {
	return setProof(&e.Attestation, text)
}

func setSignature(_ *assembler, e *sundew.Event, text []byte) bool {
	return setProof(&e.Signature, text)
}

func setProof(to *sundew.Proof, text []byte) bool {
	proof, ok := sundew.ParseProof(string(text))
	if ok {
		*to = proof
	}
	return ok
}

func setCaptcha(_ *assembler, e *sundew.Event, text []byte) bool {
	score, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(score) || score < 0 || score > 1 {
		return false
	}
	e.CaptchaScore = score
	return true
}

func setDeviceAge(_ *assembler, e *sundew.Event, text []byte) bool {
	return setSeconds(&e.DeviceAge, text)
}

func setRequestID(d *assembler, e *sundew.Event, text []byte) bool {
	e.RequestID = d.once(text, sundew.MaxID)
	return true
}

func setGatewayEpoch(_ *assembler, e *sundew.Event, text []byte) bool {
	return setCount(&e.GatewayEpoch, text)
}

func setGatewaySequence(_ *assembler, e *sundew.Event, text []byte) bool {
	return setCount(&e.GatewaySequence, text)
}

func setCount(to *uint64, text []byte) bool {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err == nil {
		*to = n
	}
	return err == nil
}

func setEdgeAction(_ *assembler, e *sundew.Event, text []byte) bool {
	return e.EdgeAction.UnmarshalText(text) == nil
}

func setEdgeDelay(_ *assembler, e *sundew.Event, text []byte) bool {
	return setSeconds(&e.EdgeDelay, text)
}
