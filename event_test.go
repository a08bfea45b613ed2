package sundew_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sundew"
)

func full() sundew.Event {
	return sundew.Event{
		Time: time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.UTC), Client: netip.MustParseAddr("2001:db8::1"), Forwarded: "192.0.2.1, 10.0.0.1",
		Method: "POST", Host: "api.example.com", Path: "/v1/orders/17", Query: "q=a&b=\"c\"", Route: "/v1/orders/{id}", Status: 201,
		RequestBytes: 0, ResponseBytes: 512, Duration: 1500 * time.Microsecond, UserAgent: "app/1.0 \u2028 \x00 \"x\\\" é", Referer: "https://example.com/",
		Device: "d", Account: "a", APIKey: "k", Session: "s", JA4: "t13d", Country: "DE", ASN: 64500,
		Auth: sundew.OutcomeFailure, AuthUsername: "u", Object: "17", Attestation: sundew.ProofExpired, AttestationProvider: "app-check",
		Signature: sundew.ProofReplayed, CaptchaScore: .3, DeviceAge: 90 * time.Second, RequestID: "r", Gateway: "g", GatewayEpoch: 3, GatewaySequence: 9,
		EdgeAction: sundew.ActionTarpit, EdgeDelay: 2 * time.Second, DecisionID: "dec", Attributes: []sundew.Attribute{{Key: "x.y", Value: "z"}},
	}
}

// TestAppendJSONIsJSON lets encoding/json read what AppendJSON writes.
func TestAppendJSONIsJSON(t *testing.T) {
	e := full()
	var got map[string]any
	if err := json.Unmarshal(e.AppendJSON(nil), &got); err != nil {
		t.Fatalf("%v in %s", err, e.AppendJSON(nil))
	}
	want := map[string]any{
		"timestamp": "2026-03-01T10:00:00.123456789Z", "client.address": "2001:db8::1", "client.forwarded": "192.0.2.1, 10.0.0.1",
		"http.request.method": "POST", "server.address": "api.example.com", "url.path": "/v1/orders/17", "url.query": "q=a&b=\"c\"",
		"http.route": "/v1/orders/{id}", "http.response.status_code": 201., "http.request.body.size": 0., "http.response.body.size": 512.,
		"http.server.request.duration": .0015, "user_agent.original": "app/1.0 \u2028 \x00 \"x\\\" é", "http.request.header.referer": "https://example.com/",
		"device.id": "d", "user.id": "a", "api_key.id": "k", "session.id": "s", "tls.client.ja4": "t13d", "geo.country_iso_code": "DE", "client.as.number": 64500.,
		"auth.outcome": "failure", "auth.username": "u", "object.id": "17", "attestation.status": "expired", "attestation.provider": "app-check",
		"signature.status": "replayed", "captcha.score": .3, "device.age": 90., "request.id": "r", "gateway.id": "g", "gateway.epoch": 3., "gateway.sequence": 9.,
		"edge.action": "tarpit", "edge.delay": 2., "decision.id": "dec", "x.y": "z",
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %v, want %v", key, got[key], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d keys, want %d: %v", len(got), len(want), got)
	}
}

func TestAppendJSONLeavesOutTheUnknown(t *testing.T) {
	e := sundew.NewEvent()
	e.Time, e.Client = time.Unix(0, 0), netip.MustParseAddr("192.0.2.1")
	if got, want := string(e.AppendJSON(nil)), `{"timestamp":"1970-01-01T00:00:00Z","client.address":"192.0.2.1"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAppendJSONEscapesEveryByteEverywhere puts every byte at every place of a text that is read eight bytes at a time.
func TestAppendJSONEscapesEveryByteEverywhere(t *testing.T) {
	for c := range 256 {
		for at := range 18 {
			text := strings.Repeat("a", at) + string([]byte{byte(c)}) + strings.Repeat("b", 17-at)
			e := sundew.Event{Client: netip.MustParseAddr("192.0.2.1"), Path: text}
			line := e.AppendJSON(nil)
			var got struct {
				Path string `json:"url.path"`
			}
			if err := json.Unmarshal(line, &got); err != nil || got.Path != string([]rune(text)) {
				t.Fatalf("path %q came back as %q: %v", text, got.Path, err)
			}
			if bare := strings.Contains(string(line), `"url.path":"`+text+`"`); bare != (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
				t.Fatalf("path %q stands in %s", text, line)
			}
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	for _, seed := range []string{"", "plain", "\x00\x1f\x7f", "\xff\xfe", "\u2028\u2029", `"\`, "</script>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := sundew.NewEvent()
		e.Client, e.Path = netip.MustParseAddr("192.0.2.1"), text
		e.Attributes = []sundew.Attribute{{Key: "k" + text, Value: text}}
		line := e.AppendJSON(nil)
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if want := string([]rune(text)); text != "" && got["url.path"] != want {
			t.Errorf("path %q came back as %q", text, got["url.path"])
		}
		if strings.ContainsAny(string(line), "\n\r\u2028\u2029") {
			t.Errorf("the line has a line break: %q", line)
		}
	})
}

func TestEntities(t *testing.T) {
	e := full()
	want := []string{
		"ip:2001:db8::1", "prefix:2001:db8::/64", "prefix:2001:db8::/48", "device:d", "account:a", "api_key:k", "fingerprint:t13d", "asn:64500",
	}
	var got []string
	for _, entity := range e.AppendEntities(nil) {
		got = append(got, entity.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseEntity(t *testing.T) {
	tests := []struct{ text, want, err string }{
		{"ip:::ffff:192.0.2.1", "ip:192.0.2.1", ""},
		{"ip:2001:0DB8:0:0::1", "ip:2001:db8::1", ""},
		{"prefix:192.0.2.77/24", "prefix:192.0.2.0/24", ""},
		{"device:a:b:c", "device:a:b:c", ""},
		{"asn:64500", "asn:64500", ""},
		{"ip:example.com", "", "entity of kind ip"},
		{"prefix:192.0.2.0", "", "no '/'"},
		{"asn:AS64500", "", "not an autonomous system number"},
		{"planet:mars", "", "unknown entity kind"},
		{"ip", "", "want kind:key"},
		{"device:" + strings.Repeat("x", sundew.MaxID+1), "", "at most 256"},
	}
	for _, test := range tests {
		t.Run(test.text[:min(len(test.text), 30)], func(t *testing.T) {
			got, err := sundew.ParseEntity(test.text)
			switch {
			case test.err == "" && (err != nil || got.String() != test.want):
				t.Errorf("got %v, %v; want %s", got, err, test.want)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("got %v, %v; want an error with %q", got, err, test.err)
			}
		})
	}
}

func TestPartitionKeyKeepsANetworkTogether(t *testing.T) {
	for addr, want := range map[string]string{"192.0.2.77": "192.0.2.0/24", "2001:db8:1:2::3": "2001:db8:1::/48"} {
		if got := sundew.PartitionKey(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s goes to %s, want %s", addr, got, want)
		}
	}
}
