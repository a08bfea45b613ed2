package rules

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"

	"sundew"
)

// A variable is a name that conditions and explanations may use. Exactly one of text, integer and number is set; each
// reads the value from a score without allocating. set writes it, from the text that a rule's test gives.
type variable struct {
	name    string
	window  time.Duration // that the value looks back; 0 where there is none
	unit    string        // "" for what has none
	counts  bool          // feature says which count of the entity it is
	feature sundew.Feature
	help    string
	text    func(*sundew.Score) string
	integer func(*sundew.Score) int64
	number  func(*sundew.Score) float64
	set     func(s *sundew.Score, text string) error
}

func (v *variable) celType() *cel.Type {
	switch {
	case v.text != nil:
		return cel.StringType
	case v.integer != nil:
		return cel.IntType
	}
	return cel.DoubleType
}

// vocabulary returns what a rule about the given kind of entity may ask for, ordered by name within each part.
func vocabulary(kind sundew.Kind) []variable {
	vars := requestVariables()
	vars = append(vars, scoreVariables()...)
	return append(vars, featureVariables(kind)...)
}

// featureVariables are the catalogue's counts of the entity, spelled behind its kind: ip.requests_1m.
func featureVariables(kind sundew.Kind) []variable {
	vars := make([]variable, 0, sundew.NumFeatures)
	for i, info := range sundew.Catalogue {
		v := numberVariable(kind.String()+"."+info.Name, info.Help,
			func(s *sundew.Score) *float64 { return &s.Features[i] }).in(info.Unit)
		v.window = info.Window
		v.counts, v.feature = true, sundew.Feature(i)
		vars = append(vars, v)
	}
	return vars
}

func scoreVariables() []variable {
	return []variable{
		numberVariable("score.points", "posterior probability of abuse, 0 to 100", func(s *sundew.Score) *float64 { return &s.Points }).in("points"),
		numberVariable("score.nats", "logarithm of the evidence", func(s *sundew.Score) *float64 { return &s.Nats }).in("nats"),
	}
}

// requestVariables are the request, by the keys of the canonical event.
func requestVariables() []variable {
	return []variable{
		{
			name: "client.address", help: "address of the client",
			text: func(s *sundew.Score) string {
				if !s.Event.Client.IsValid() {
					return ""
				}
				return s.Event.Client.String()
			},
			set: func(s *sundew.Score, text string) (err error) {
				s.Event.Client, err = netip.ParseAddr(text)
				return err
			},
		},
		integerVariable("client.as.number", "autonomous system, 0 unknown",
			func(s *sundew.Score) int64 { return int64(s.Event.ASN) },
			func(s *sundew.Score, v int64) { s.Event.ASN = uint32(v) }),
		textVariable("client.forwarded", "X-Forwarded-For as received", func(s *sundew.Score) *string { return &s.Event.Forwarded }),
		textVariable("geo.country_iso_code", "country, two letters", func(s *sundew.Score) *string { return &s.Event.Country }),
		textVariable("http.request.method", "method, upper case", func(s *sundew.Score) *string { return &s.Event.Method }),
		textVariable("server.address", "host, lower case", func(s *sundew.Score) *string { return &s.Event.Host }),
		textVariable("url.path", "path as sent", func(s *sundew.Score) *string { return &s.Event.Path }),
		textVariable("url.query", "query as sent, without the question mark", func(s *sundew.Score) *string { return &s.Event.Query }),
		textVariable("http.route", "route template", func(s *sundew.Score) *string { return &s.Event.Route }),
		integerVariable("http.response.status_code", "status, 0 unknown or given by the edge itself",
			func(s *sundew.Score) int64 { return int64(statusOf(s.Event)) },
			func(s *sundew.Score, v int64) { s.Event.Status = int(v) }),
		integerVariable("http.request.body.size", "size of what was sent, -1 unknown",
			func(s *sundew.Score) int64 { return s.Event.RequestBytes },
			func(s *sundew.Score, v int64) { s.Event.RequestBytes = v }).in("bytes"),
		integerVariable("http.response.body.size", "size of the answer, -1 unknown",
			func(s *sundew.Score) int64 { return s.Event.ResponseBytes },
			func(s *sundew.Score, v int64) { s.Event.ResponseBytes = v }).in("bytes"),
		secondsVariable("http.server.request.duration", "time that the answer took, -1 unknown", func(s *sundew.Score) *time.Duration { return &s.Event.Duration }),
		textVariable("user_agent.original", "user agent", func(s *sundew.Score) *string { return &s.Event.UserAgent }),
		textVariable("http.request.header.referer", "referrer", func(s *sundew.Score) *string { return &s.Event.Referer }),
		textVariable("device.id", "device GUID", func(s *sundew.Score) *string { return &s.Event.Device }),
		textVariable("user.id", "account", func(s *sundew.Score) *string { return &s.Event.Account }),
		textVariable("api_key.id", "API key", func(s *sundew.Score) *string { return &s.Event.APIKey }),
		textVariable("session.id", "session", func(s *sundew.Score) *string { return &s.Event.Session }),
		textVariable("tls.client.ja4", "TLS client fingerprint", func(s *sundew.Score) *string { return &s.Event.JA4 }),
		wordVariable("auth.outcome", "success, failure or empty", sundew.ParseOutcome, func(s *sundew.Score) *sundew.Outcome { return &s.Event.Auth }),
		textVariable("auth.username", "hashed user name that was tried", func(s *sundew.Score) *string { return &s.Event.AuthUsername }),
		textVariable("object.id", "object asked for", func(s *sundew.Score) *string { return &s.Event.Object }),
		wordVariable("attestation.status", "valid, invalid, expired, missing or empty", sundew.ParseProof, func(s *sundew.Score) *sundew.Proof { return &s.Event.Attestation }),
		textVariable("attestation.provider", "who attested", func(s *sundew.Score) *string { return &s.Event.AttestationProvider }),
		wordVariable("signature.status", "valid, invalid, missing, replayed or empty", sundew.ParseProof, func(s *sundew.Score) *sundew.Proof { return &s.Event.Signature }),
		numberVariable("captcha.score", "0 bot to 1 human, -1 unknown", func(s *sundew.Score) *float64 { return &s.Event.CaptchaScore }),
		secondsVariable("device.age", "time since the device registered, -1 unknown", func(s *sundew.Score) *time.Duration { return &s.Event.DeviceAge }),
		wordVariable("edge.action", "observe, tarpit, challenge, block or empty", parseAction, func(s *sundew.Score) *sundew.Action { return &s.Event.EdgeAction }),
		textVariable("gateway.id", "gateway that wrote the line", func(s *sundew.Score) *string { return &s.Event.Gateway }),
	}
}

// statusOf is what the API answered. The refusal of an edge says nothing about the request: counting it would let a
// block prolong itself.
func statusOf(e *sundew.Event) int {
	if e.EdgeAction >= sundew.ActionChallenge {
		return 0
	}
	return e.Status
}

// in says what a number counts.
func (v variable) in(unit string) variable {
	v.unit = unit
	return v
}

func textVariable(name, help string, at func(*sundew.Score) *string) variable {
	return variable{
		name: name, help: help,
		text: func(s *sundew.Score) string { return *at(s) },
		set:  func(s *sundew.Score, text string) error { *at(s) = text; return nil },
	}
}

func numberVariable(name, help string, at func(*sundew.Score) *float64) variable {
	return variable{
		name: name, help: help,
		number: func(s *sundew.Score) float64 { return *at(s) },
		set: func(s *sundew.Score, text string) (err error) {
			*at(s), err = strconv.ParseFloat(text, 64)
			return err
		},
	}
}

func integerVariable(name, help string, get func(*sundew.Score) int64, put func(*sundew.Score, int64)) variable {
	return variable{
		name: name, help: help,
		integer: get,
		set: func(s *sundew.Score, text string) error {
			v, err := strconv.ParseInt(text, 10, 64)
			put(s, v)
			return err
		},
	}
}

// secondsVariable reads a duration as seconds; a negative one means unknown and reads as -1.
func secondsVariable(name, help string, at func(*sundew.Score) *time.Duration) variable {
	return variable{
		name: name, unit: "seconds", help: help,
		number: func(s *sundew.Score) float64 {
			if d := *at(s); d >= 0 {
				return d.Seconds()
			}
			return -1
		},
		set: func(s *sundew.Score, text string) error {
			v, err := strconv.ParseFloat(text, 64)
			*at(s) = time.Duration(v * float64(time.Second))
			return err
		},
	}
}

func parseAction(word string) (sundew.Action, bool) {
	var a sundew.Action
	ok := word == "" || a.UnmarshalText([]byte(word)) == nil
	return a, ok
}

func wordVariable[T fmt.Stringer](name, help string, parse func(string) (T, bool), at func(*sundew.Score) *T) variable {
	return variable{
		name: name, help: help,
		text: func(s *sundew.Score) string { return (*at(s)).String() },
		set: func(s *sundew.Score, text string) error {
			v, ok := parse(text)
			if !ok {
				return fmt.Errorf("%q is none of %s", text, strings.ReplaceAll(help, " or empty", ""))
			}
			*at(s) = v
			return nil
		},
	}
}
