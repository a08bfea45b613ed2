package ingest

import (
	"errors"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"sundew"
)

const shopMapping = `
timestamp: {path: meta.at, layout: "%d/%m/%Y %H:%M:%S", zone: Europe/Berlin}
client.address: [peer.real, peer.chain.0]
http.request.method: req.verb
url.original: req.target
http.response.status_code: res.codes.1
http.server.request.duration: {path: timing.total, unit: ms}
device.age: {path: age, unit: us}
user.id: {path: user, value: nobody}
gateway.id: {value: shop-1}
object.id: items.0.parts.1.id
`

func mapped(t *testing.T, text string) Decoder {
	t.Helper()
	m, err := parseMapping("shop.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m.decoder()
}

// TestMappingsOfTheConfiguration reads them as they stand in the file of settings.
func TestMappingsOfTheConfiguration(t *testing.T) {
	read := func(text string) ListenerConfig {
		c := DefaultListenerConfig()
		if err := yaml.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	const shop = "format: mapping:inline\nmappings:\n  inline:\n    timestamp: at\n    client.address: [real, peer]\n"
	if err := read(shop).Validate(); err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder("mapping:inline")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := decodeOne(t, d, `{"at":"2026-11-24T12:00:00Z","peer":"192.0.2.9"}`); err != nil || e.Client.String() != "192.0.2.9" {
		t.Errorf("%s, %v", e.AppendJSON(nil), err)
	}
	for text, want := range map[string]string{
		"mappings:\n  inline:\n    timestamp: at\n    client.adress: peer\n": `ingest.mappings.inline:4: no field of events is called "client.adress", did you mean "client.address"?`,
		"mappings: {inline: [at]}":     "ingest.mappings.inline:1: a mapping has one line per field",
		"format: mapping:nowhere.yaml": "nowhere.yaml",
	} {
		if err := read(text).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestMapping(t *testing.T) {
	d := mapped(t, shopMapping)
	const line = `{"meta":{"at":"24/11/2026 13:00:00"},"peer":{"chain":["192.0.2.9","10.0.0.1"],"real":"192.0.2.7"},` +
		`"req":{"verb":"get","target":"/a?b=1"},"res":{"codes":[100,200,[3,{}],"x\"y",null,true]},"timing":{"total":12.5},` +
		`"age":2000000,"items":[{"parts":[{"id":"p0"},{"id":"p1","colour":"red"}]},{"parts":[]}],"extra":[1,2]}`
	want := event(func(e *sundew.Event) {
		e.Time, e.Client = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), netip.MustParseAddr("192.0.2.7")
		e.Method, e.Path, e.Query, e.Status = "GET", "/a", "b=1", 200
		e.Duration, e.DeviceAge = 12500*time.Microsecond, 2*time.Second
		e.Account, e.Gateway, e.Object = "nobody", "shop-1", "p1"
	})
	for range 2 { // the second time along the order of the first
		got, err := decodeOne(t, d, line)
		if err != nil {
			t.Fatal(err)
		}
		if got.Status != want.Status || got.Time != want.Time || got.Client != want.Client || got.Method != want.Method || got.Path != want.Path ||
			got.Query != want.Query || got.Duration != want.Duration || got.DeviceAge != want.DeviceAge ||
			got.Account != want.Account || got.Gateway != want.Gateway || got.Object != want.Object {
			t.Errorf("got  %s\nwant %s", got.AppendJSON(nil), want.AppendJSON(nil))
		}
		if last := got.Attributes[len(got.Attributes)-1]; last.Key != "extra" || last.Value != "[1,2]" {
			t.Errorf("attributes %v", got.Attributes)
		}
	}
	tests := []struct {
		name, line, reason string
		ok                 func(e sundew.Event) bool
	}{
		{
			"a later path where the first says nothing", `{"meta.at":"24/11/2026 13:00:00.25","peer":{"real":"-","chain":["192.0.2.9"]}}`, "",
			func(e sundew.Event) bool { return e.Client.String() == "192.0.2.9" && e.Time.Nanosecond() == 250e6 },
		},
		{
			"the first path behind the later one", `{"meta":{"at":"24/11/2026 13:00:00"},"peer":{"chain":["192.0.2.9"],"real":"192.0.2.8"},"user":"eve"}`, "",
			func(e sundew.Event) bool { return e.Client.String() == "192.0.2.8" && e.Account == "eve" },
		},
		{"a time of another layout", `{"meta":{"at":"2026-11-24T12:00:00Z"},"peer":{"real":"192.0.2.8"}}`, "timestamp cannot be read", nil},
		{"no client", `{"meta":{"at":"24/11/2026 13:00:00"}}`, "client address missing", nil},
		{"an array that is not closed", `{"peer":{"chain":["192.0.2.9",`, "JSON cannot be read", nil},
	}
	for _, tt := range tests {
		got, err := decodeOne(t, d, tt.line)
		if bad, _ := errors.AsType[*LineError](err); (bad != nil && bad.Reason != tt.reason) || (err == nil) != (tt.reason == "") {
			t.Errorf("%s: %v", tt.name, err)
		} else if tt.ok != nil && !tt.ok(got) {
			t.Errorf("%s: %s", tt.name, got.AppendJSON(nil))
		}
	}
}

func TestMappingTimes(t *testing.T) {
	want := time.Date(2026, 11, 24, 12, 0, 0, 500e6, time.UTC)
	for entry, value := range map[string]string{
		`{path: t, unit: s}`:           `1795521600.5`,
		`{path: t, unit: ms}`:          `"1795521600500"`,
		`{path: t, unit: us}`:          `1795521600500000`,
		`{path: t, unit: ns}`:          `1795521600500000000`,
		`t`:                            `"2026-11-24T13:00:00.5+01:00"`,
		`{path: t, layout: "%FT%T%z"}`: `"2026-11-24T10:30:00.5-0130"`,
		`{path: t, layout: "[%e %B %y, %I:%M:%S %p]"}`:   `"[24 November 26, 12:00:00.5 PM]"`,
		`{path: t, layout: "%Y %j %T", zone: "Etc/GMT"}`: `"2026 328 12:00:00,5"`,
	} {
		d := mapped(t, "client.address: c\ntimestamp: "+entry)
		got, err := decodeOne(t, d, `{"c":"192.0.2.7","t":`+value+`}`)
		if err != nil || !got.Time.Equal(want) {
			t.Errorf("%s of %s: %v, %v", entry, value, got.Time, err)
		}
	}
}

func TestMappingMistakes(t *testing.T) {
	const good = "timestamp: t\nclient.address: c\n"
	tests := []struct{ text, want string }{
		{"", "shop.yaml:1: a mapping has one line per field"},
		{"- a", "one line per field"},
		{"a: [", "shop.yaml: line"},
		{"client.address: c", "it has no time"},
		{"timestamp: t", "it has no client"},
		{good + "http.request.metod: m", `shop.yaml:3: no field of events is called "http.request.metod", did you mean "http.request.method"?`},
		{good + "client.address: d", "client.address stands twice"},
		{good + "user.id: c", `the path "c" fills two fields`},
		{good + "user.id: a..b", "empty part"},
		{good + "user.id: a.b.c.d.e.f.g.h.i", "more than 8 parts"},
		{good + "user.id: {}", "neither a path nor a value"},
		{good + "user.id: {path: {a: b}}", "must be texts"},
		{good + "user.id: {pfad: u}", `unknown key "pfad"`},
		{good + "user.id: {path: u, unit: ms}", "only times and durations have a unit"},
		{good + "user.id: {path: u, layout: '%Y'}", "only timestamp has a layout"},
		{good + "device.age: {path: u, unit: h}", `the unit "h" is not known`},
		{good + "auth.outcome: {value: maybe}", `auth.outcome cannot be "maybe"`},
		{"client.address: c\ntimestamp: {path: t, layout: 2006-01-02}", "want conversions of strftime"},
		{"client.address: c\ntimestamp: {path: t, layout: '%Q'}", "a conversion that is not known"},
		{"client.address: c\ntimestamp: {path: t, layout: '%'}", "a conversion that is not known"},
		{"client.address: c\ntimestamp: {path: t, layout: '%T', unit: s}", "give either unit"},
		{"client.address: c\ntimestamp: {path: t, layout: '%T', zone: Mars/Base}", `the zone "Mars/Base" is not known`},
		{"client.address: c\ntimestamp: {path: t, layout: '%T', zone: Local}", "is not known"},
		{"client.address: c\ntimestamp: {path: t, zone: UTC}", "zone needs a layout"},
	}
	for _, tt := range tests {
		if _, err := parseMapping("shop.yaml", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
	for _, name := range []string{"mapping:", "mapping:nowhere.yaml", "mapping:" + t.TempDir()} {
		if _, err := NewDecoder(name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestOnlyTheConfigurationChoosesMappings posts with formats that would make us open files.
func TestOnlyTheConfigurationChoosesMappings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte("timestamp: t\nclient.address: c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := remoteFormat("mapping:"+file, autoName, ""); err == nil {
		t.Error("a file that the configuration does not name is taken")
	}
	if err := remoteFormat("mapping:"+file, autoName, "mapping:"+file); err != nil {
		t.Error(err)
	}
	l := &listener{config: DefaultListenerConfig()}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest/v1/logs?format=mapping:"+file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.format(r, nil); err == nil || strings.Contains(err.Error(), "no such file") {
		t.Errorf("a request chooses a file: %v", err)
	}
	if _, _, err := l.format(r, &secret{format: "mapping:" + file}); err != nil {
		t.Errorf("the token's own format: %v", err)
	}
}

// FuzzMapping reads lines with whatever comes of a text as a mapping.
func FuzzMapping(f *testing.F) {
	f.Add(shopMapping, []byte(`{"meta":{"at":"24/11/2026 13:00:00"},"peer":{"chain":["192.0.2.9"]},"res":{"codes":[1,200]}}`))
	f.Add("timestamp: a.0.1\nclient.address: a.1", []byte(`{"a":[[0,1795521600],"192.0.2.7",{"b":[[]]}]}`))
	f.Fuzz(func(t *testing.T, text string, line []byte) {
		m, err := parseMapping("fuzz.yaml", []byte(text))
		if err != nil {
			return
		}
		d := m.decoder()
		check(t, d, line)
		check(t, d, line)
	})
}
