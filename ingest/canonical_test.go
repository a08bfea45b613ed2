package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sundew"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// event returns a fresh event of one client at noon, changed by change.
func event(change func(e *sundew.Event)) sundew.Event {
	e := sundew.NewEvent()
	e.Time = at("2026-11-24T12:00:00Z")
	e.Client = netip.MustParseAddr("192.0.2.7")
	change(&e)
	return e
}

func decodeOne(t *testing.T, d Decoder, line string) (sundew.Event, error) {
	t.Helper()
	e := sundew.NewEvent()
	err := d.Decode([]byte(line), &e)
	return e, err
}

func TestCanonicalJSONReadsItsManyNames(t *testing.T) {
	const head = `{"timestamp":"2026-11-24T12:00:00Z","client.address":"192.0.2.7"`
	tests := []struct {
		name, line string
		want       sundew.Event
	}{
		{"the two required keys", head + `}`, event(func(*sundew.Event) {})},
		{
			"nginx log_format with escape=json",
			`{"time_iso8601":"2026-11-24T13:00:00+01:00","remote_addr":"192.0.2.7","request_method":"get","request_uri":"/a?b=c","status":"404","body_bytes_sent":"12","bytes_sent":"300","request_time":"0.005","http_user_agent":"curl/8","http_referer":"","host":"API.example.com:8443"}`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Query, e.Status, e.ResponseBytes = "GET", "/a", "b=c", 404, 12
				e.Duration, e.UserAgent, e.Host = 5*time.Millisecond, "curl/8", "api.example.com"
				e.Attributes = []sundew.Attribute{{Key: "bytes_sent", Value: "300"}}
			}),
		},
		{
			"nginx with the request line and a hyphen for nothing",
			`{"msec":"1795521600.000","remote_addr":"192.0.2.7","request":"POST /login?next=%2F HTTP/1.1","status":401,"http_referer":"-","http_x_forwarded_for":"198.51.100.1, 10.0.0.1"}`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Query, e.Status, e.Forwarded = "POST", "/login", "next=%2F", 401, "198.51.100.1, 10.0.0.1"
			}),
		},
		{
			"ECS, nested",
			`{"@timestamp":"2026-11-24T12:00:00.000Z","source":{"address":"host.example","ip":"192.0.2.7","geo":{"country_iso_code":"de"},"as":{"number":64500}},"http":{"request":{"method":"GET","referrer":"https://example.com/","body":{"bytes":3}},"response":{"status_code":200,"bytes":900,"body":{"bytes":512}}},"url":{"original":"/x?y=1","path":"/x","query":"y=1","domain":"example.com"},"user_agent":{"original":"Mozilla/5.0","name":"Firefox"},"user":{"name":"ada"},"event":{"duration":1500000}}`,
			event(func(e *sundew.Event) {
				e.Country, e.ASN, e.Method, e.Referer, e.RequestBytes = "DE", 64500, "GET", "https://example.com/", 3
				e.Status, e.ResponseBytes, e.Path, e.Query, e.Host = 200, 512, "/x", "y=1", "example.com"
				e.UserAgent, e.Account, e.Duration = "Mozilla/5.0", "ada", 1500*time.Microsecond
				e.Attributes = []sundew.Attribute{{Key: "source.address", Value: "host.example"}, {Key: "user_agent.name", Value: "Firefox"}}
			}),
		},
		{
			"Envoy: milliseconds, address with port",
			`{"start_time":"2026-11-24T12:00:00.000Z","downstream_remote_address":"192.0.2.7:51234","method":"GET","path":"/p?q","response_code":200,"bytes_received":0,"bytes_sent":77,"duration":12,"user_agent":"grpc","authority":"svc:9000","x_forwarded_for":null,"request_id":"r-1"}`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Query, e.Status, e.RequestBytes, e.ResponseBytes = "GET", "/p", "q", 200, 0, 77
				e.Duration, e.UserAgent, e.Host, e.RequestID = 12*time.Millisecond, "grpc", "svc", "r-1"
			}),
		},
		{
			"Caddy: seconds, header lists, the client behind a trusted proxy",
			`{"level":"info","ts":1795521600.25,"request":{"remote_ip":"10.0.0.1","client_ip":"192.0.2.7","method":"GET","host":"example.com","uri":"/c","headers":{"User-Agent":["curl/7.82.0"],"X-Forwarded-For":["192.0.2.7","10.0.0.1"]}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":200}`,
			event(func(e *sundew.Event) {
				e.Time = at("2026-11-24T12:00:00.25Z")
				e.Method, e.Host, e.Path, e.UserAgent, e.Forwarded = "GET", "example.com", "/c", "curl/7.82.0", "192.0.2.7"
				e.RequestBytes, e.Duration, e.ResponseBytes, e.Status = 0, 929675*time.Nanosecond, 10900, 200
				e.Attributes = []sundew.Attribute{{Key: "level", Value: "info"}}
			}),
		},
		{
			"an alias never beats the key of the contract, wherever it stands",
			head + `,"remote_addr":"198.51.100.9","status":500,"http.response.status_code":200,"response_code":302}`,
			event(func(e *sundew.Event) {
				e.Status = 200
				e.Attributes = []sundew.Attribute{{Key: "remote_addr", Value: "198.51.100.9"}, {Key: "response_code", Value: "302"}}
			}),
		},
		{"the last of equal keys holds", head + `,"url.path":"/a","url.path":"/b"}`, event(func(e *sundew.Event) { e.Path = "/b" })},
		{
			"an optional value that cannot be read stays visible and costs nothing else",
			head + `,"http.response.status_code":99,"http.request.body.size":-1,"captcha.score":7,"geo.country_iso_code":"xyz","http.server.request.duration":"soon","url.path":"/"}`,
			event(func(e *sundew.Event) {
				e.Path = "/"
				e.Attributes = []sundew.Attribute{
					{Key: "http.response.status_code", Value: "99"},
					{Key: "http.request.body.size", Value: "-1"},
					{Key: "captcha.score", Value: "7"},
					{Key: "geo.country_iso_code", Value: "xyz"},
					{Key: "http.server.request.duration", Value: "soon"},
				}
			}),
		},
		{
			"unknown keys of any type",
			head + `,"s":"t\u0041","n":-1.5e3,"b":true,"z":null,"a":[1,{"k":"]"}],"o":{"p":{"q":1}},"e":{}}`,
			event(func(e *sundew.Event) {
				e.Attributes = []sundew.Attribute{
					{Key: "s", Value: "tA"},
					{Key: "n", Value: "-1.5e3"},
					{Key: "b", Value: "true"},
					{Key: "a", Value: `[1,{"k":"]"}]`},
					{Key: "o.p.q", Value: "1"},
				}
			}),
		},
		{
			"a user name that a server copied from the request is no account",
			head + `,"remote_user":"root"}`,
			event(func(e *sundew.Event) { e.Attributes = []sundew.Attribute{{Key: "remote_user", Value: "root"}} }),
		},
		{
			"old nginx escapes bytes with \\x, which is no JSON",
			head + `,"url.path":"/\x22\xC3\xA9"}`,
			event(func(e *sundew.Event) { e.Path = `/"é` }),
		},
		{"invalid UTF-8 is replaced", head + ",\"url.path\":\"/\xff\xfe\"}", event(func(e *sundew.Event) { e.Path = "/\ufffd\ufffd" })},
		{"mapped address with zone", `{"timestamp":0,"client.address":"::ffff:192.0.2.7"}`, event(func(e *sundew.Event) { e.Time = time.Unix(0, 0).UTC() })},
		{"behind syslog", `<190>Nov 24 12:00:00 web1 nginx: ` + head + `}`, event(func(*sundew.Event) {})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeOne(t, newCanonicalJSON(), tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestCanonicalJSONReadsTimestamps(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"seconds", `1795521600`, "2026-11-24T12:00:00Z"},
		{"seconds with a fraction", `1795521600.123456789`, "2026-11-24T12:00:00.123456789Z"},
		{"milliseconds", `1795521600123`, "2026-11-24T12:00:00.123Z"},
		{"microseconds as text", `"1795521600123456"`, "2026-11-24T12:00:00.123456Z"},
		{"nanoseconds", `1795521600123456789`, "2026-11-24T12:00:00.123456789Z"},
		{"exponent", `1.7955216e9`, "2026-11-24T12:00:00Z"},
		{"offset", `"2026-11-24T07:00:00-05:00"`, "2026-11-24T12:00:00Z"},
		{"offset without colon", `"2026-11-24T12:00:00.5+0000"`, "2026-11-24T12:00:00.5Z"},
		{"blank for T, no zone", `"2026-11-24 12:00:00"`, "2026-11-24T12:00:00Z"},
		{"common log format", `"24/Nov/2026:13:00:00 +0100"`, "2026-11-24T12:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := decodeOne(t, newCanonicalJSON(), `{"timestamp":`+tt.value+`,"client.address":"::1"}`)
			if err != nil || !e.Time.Equal(at(tt.want)) || e.Time.Location() != time.UTC {
				t.Errorf("got %v, %v, want %s", e.Time, err, tt.want)
			}
		})
	}
}

func TestCanonicalJSONRejectsWithReason(t *testing.T) {
	tests := []struct{ name, line, reason string }{
		{"no time", `{"client.address":"192.0.2.7"}`, "timestamp missing"},
		{"null time", `{"timestamp":null,"client.address":"192.0.2.7"}`, "timestamp missing"},
		{"time of day", `{"timestamp":"noon","client.address":"192.0.2.7"}`, "timestamp cannot be read"},
		{"not a number", `{"timestamp":"NaN","client.address":"192.0.2.7"}`, "timestamp cannot be read"},
		{"before 1970", `{"timestamp":-5,"client.address":"192.0.2.7"}`, "timestamp cannot be read"},
		{"no client", `{"timestamp":1}`, "client address missing"},
		{"host name", `{"timestamp":1,"client.address":"localhost"}`, "client address is not an IP address"},
		{"octal octet", `{"timestamp":1,"client.address":"192.0.02.7"}`, "client address is not an IP address"},
		{"cut off", `{"timestamp":1,"client.address":"192.0.2.7"`, "JSON cannot be read"},
		{"trailing comma", `{"timestamp":1,}`, "JSON cannot be read"},
		{"leading zero", `{"timestamp":01,"client.address":"192.0.2.7"}`, "JSON cannot be read"},
		{"bad escape", `{"timestamp":1,"client.address":"\q"}`, "JSON cannot be read"},
		{"two objects", `{"timestamp":1,"client.address":"192.0.2.7"} {}`, "text behind the JSON object"},
		{"array", `[1]`, "not a JSON object"},
		{"text", `hello`, "not a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decodeOne(t, newCanonicalJSON(), tt.line)
			if bad, ok := errors.AsType[*LineError](err); !ok || bad.Reason != tt.reason {
				t.Errorf("got %v, want %s", err, tt.reason)
			}
		})
	}
	if _, err := decodeOne(t, newCanonicalJSON(), " \t"); !errors.Is(err, ErrNoEvent) {
		t.Errorf("blank line: got %v, want ErrNoEvent", err)
	}
}

func TestBoundsHoldWhateverALineSays(t *testing.T) {
	var line strings.Builder
	line.WriteString(`{"timestamp":1,"client.address":"192.0.2.7","url.path":"` + strings.Repeat("é", sundew.MaxText) + `"`)
	line.WriteString(`,"device.id":"` + strings.Repeat("d", sundew.MaxID+1) + `"`)
	for i := range sundew.MaxAttributes + 3 {
		fmt.Fprintf(&line, `,"k%d":"v"`, i)
	}
	line.WriteString(`,"deep":` + strings.Repeat(`{"d":`, 5000) + "1" + strings.Repeat("}", 5000) + "}")

	d := newCanonicalJSON()
	e, err := decodeOne(t, d, line.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Path) != sundew.MaxText || !utf8.ValidString(e.Path) {
		t.Errorf("path has %d bytes, valid UTF-8 %v", len(e.Path), utf8.ValidString(e.Path))
	}
	if len(e.Device) != sundew.MaxID || len(e.Attributes) != sundew.MaxAttributes {
		t.Errorf("device has %d bytes, %d attributes", len(e.Device), len(e.Attributes))
	}
	if got, want := d.trims(), (Trims{Cut: 2, Dropped: 4}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestCanonicalJSONRoundTrip writes random events and reads them back.
func TestCanonicalJSONRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	d := newCanonicalJSON()
	for range 3000 {
		want := randomEvent(random)
		line := want.AppendJSON(nil)
		got := sundew.NewEvent()
		if err := d.Decode(line, &got); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("line %s\ngot  %+v\nwant %+v", line, got, want)
		}
	}
}

func randomEvent(random *rand.Rand) sundew.Event {
	text := func(limit int) string {
		alphabet := []rune("aZ09 -/?\"\\\n\t\x00\x7f<é\u2028\ufffd😀")
		runes := make([]rune, random.IntN(12))
		for i := range runes {
			runes[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(runes[:min(len(runes), limit)])
	}
	number := func() int64 {
		return []int64{-1, 0, 1, random.Int64N(1e6), random.Int64(), math.MaxInt64}[random.IntN(6)]
	}
	e := sundew.NewEvent()
	e.Time = time.Unix(random.Int64N(4e9), random.Int64N(1e9)).UTC()
	var a [16]byte
	for i := range a {
		a[i] = byte(random.Uint32())
	}
	e.Client = netip.AddrFrom16(a)
	if random.IntN(2) == 0 {
		e.Client = netip.AddrFrom4([4]byte(a[:4]))
	}
	e.Method, e.Host = strings.ToUpper(text(9)), strings.ToLower(text(9))
	for _, to := range []*string{
		&e.Forwarded, &e.Path, &e.Query, &e.Route, &e.UserAgent, &e.Referer, &e.Device, &e.Account, &e.APIKey, &e.Session,
		&e.JA4, &e.AuthUsername, &e.Object, &e.AttestationProvider, &e.RequestID, &e.Gateway, &e.DecisionID,
	} {
		*to = text(100)
	}
	e.Status = []int{0, 100, 999, 404}[random.IntN(4)]
	e.RequestBytes, e.ResponseBytes = number(), number()
	e.Duration, e.DeviceAge = time.Duration(number()), time.Duration(number())
	e.EdgeDelay = max(0, time.Duration(number()))
	e.Country = []string{"", "DE", "US"}[random.IntN(3)]
	e.ASN = random.Uint32() * random.Uint32N(2)
	e.Auth = sundew.Outcome(random.IntN(3))
	e.Attestation, e.Signature = sundew.Proof(random.IntN(6)), sundew.Proof(random.IntN(6))
	e.EdgeAction = sundew.Action(random.IntN(5))
	e.GatewayEpoch, e.GatewaySequence = random.Uint64()*random.Uint64N(2), random.Uint64()
	if random.IntN(2) == 0 {
		e.CaptchaScore = random.Float64()
	}
	for i := range random.IntN(4) {
		e.Attributes = append(e.Attributes, sundew.Attribute{Key: fmt.Sprintf("x%d.%s", i, text(9)), Value: text(100)})
	}
	return e
}

// TestStringsAsEncodingJSONReadsThem holds the scanner against the standard library on strings that are hard to get right.
func TestStringsAsEncodingJSONReadsThem(t *testing.T) {
	for _, raw := range []string{
		`plain`, ``, `a\"b\\c\/d`, `\b\f\n\r\t`, `\u00e9\u20ac`, `\ud83d\ude00`, `\ud83d`, `\ude00x`, `\ud83d\u0041`, `\ud83d\ud83d\ude00`,
		"1234567\\\"", "12345678\\\\", strings.Repeat("x", 100) + `\u0041`, "\xff", "é\xe2\x82", "\u2028",
	} {
		line := `{"timestamp":1,"client.address":"::1","x":"` + raw + `"}`
		var oracle map[string]any
		if err := json.Unmarshal([]byte(line), &oracle); err != nil {
			t.Fatalf("%q: the test's own line: %v", raw, err)
		}
		e, err := decodeOne(t, newCanonicalJSON(), line)
		if err != nil || len(e.Attributes) != 1 || e.Attributes[0].Value != oracle["x"] {
			t.Errorf("%q: got %+v, %v, want %q", raw, e.Attributes, err, oracle["x"])
		}
	}
}
