package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"

	"sundew"
)

// check holds a decoder to what it promises for every line: no panic, an error of the known kinds, an event within its
// bounds, and canonical JSON that reads back as the same event.
func check(t *testing.T, d Decoder, line []byte) {
	t.Helper()
	e := sundew.NewEvent()
	before := bytes.Clone(line)
	err := d.Decode(line, &e)
	if !bytes.Equal(line, before) {
		t.Fatalf("the line was changed to %q", line)
	}
	if err != nil {
		if _, ok := errors.AsType[*LineError](err); !ok && !errors.Is(err, ErrNoEvent) {
			t.Fatalf("error of another kind: %v", err)
		}
		return
	}
	if !e.Client.IsValid() || e.Client.Is4In6() || e.Client.Zone() != "" {
		t.Fatalf("client %v", e.Client)
	}
	if e.Status != 0 && (e.Status < 100 || e.Status > 999) {
		t.Fatalf("status %d", e.Status)
	}
	for _, text := range []string{e.Forwarded, e.Path, e.Query, e.Route, e.UserAgent, e.Referer} {
		within(t, text, sundew.MaxText)
	}
	for _, text := range []string{e.Method, e.Host, e.Device, e.Account, e.APIKey, e.Session, e.JA4, e.Country, e.Object, e.RequestID, e.Gateway} {
		within(t, text, sundew.MaxID)
	}
	if len(e.Attributes) > sundew.MaxAttributes {
		t.Fatalf("%d attributes", len(e.Attributes))
	}
	for _, a := range e.Attributes {
		within(t, a.Key, sundew.MaxID)
		within(t, a.Value, sundew.MaxText)
	}
	again := sundew.NewEvent()
	text := e.AppendJSON(nil)
	if err := newCanonicalJSON().Decode(text, &again); err != nil {
		t.Fatalf("%q gives %s, which cannot be read: %v", line, text, err)
	}
	if second := again.AppendJSON(nil); !bytes.Equal(second, text) {
		t.Fatalf("%q gives\n%s and then\n%s", line, text, second)
	}
}

func within(t *testing.T, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) {
		t.Fatalf("text of %d bytes beyond %d, or not UTF-8: %q", len(text), limit, text)
	}
}

// FuzzCanonicalJSON also holds the scanner against encoding/json: whatever that takes for an object, ours reads, and
// top-level strings, numbers and truth values come out the same.
func FuzzCanonicalJSON(f *testing.F) {
	f.Add([]byte(jsonLine))
	f.Add([]byte(`{"@timestamp":1795521600.5,"source":{"ip":"::1"},"a":[1,"\ud83d\ude00"],"n":-1.5e+3,"t":true,"z":null}`))
	f.Add([]byte(`{"timestamp":"2026-11-24T12:00:00+01:00","client.address":"192.0.2.7:80","url.path":"/\x22","duration":3,"start_time":1}`))
	d := newCanonicalJSON()
	f.Fuzz(func(t *testing.T, line []byte) {
		check(t, d, line)
		agree(t, d, line)
		sameAgain(t, line)
	})
}

// agree compares attributes with encoding/json. The line gets the required keys in front, under an object of its own, so
// that they neither hide nor are hidden by keys of the fuzzer.
func agree(t *testing.T, d *objectDecoder, object []byte) {
	t.Helper()
	var oracle map[string]json.RawMessage
	if len(object) > 8<<10 || json.Unmarshal(object, &oracle) != nil || oracle == nil {
		return
	}
	line := append([]byte(`{"timestamp":1,"client.address":"::1","w":`), object...)
	line = append(line, '}')
	e := sundew.NewEvent()
	if err := d.Decode(line, &e); err != nil {
		t.Fatalf("encoding/json reads %q, and we say %v", line, err)
	}
	if len(oracle) > 8 {
		return // duplicates and depth decide which attributes are left
	}
	got := map[string]string{}
	for _, a := range e.Attributes {
		got[a.Key] = a.Value
	}
	for key, raw := range oracle {
		name := "w." + key
		if len(name) > sundew.MaxID || ambiguous(oracle, key) {
			continue
		}
		var want string
		switch raw[0] {
		case '"':
			if json.Unmarshal(raw, &want) != nil || len(want) > sundew.MaxText {
				continue
			}
		case 't', 'f', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			want = string(raw)
		default:
			continue
		}
		if len(want) <= sundew.MaxText && got[name] != want {
			t.Fatalf("%q: key %q is %q, want %q", line, name, got[name], want)
		}
	}
}

// ambiguous is true where a nested object of another key can flatten to the same name.
func ambiguous(oracle map[string]json.RawMessage, key string) bool {
	for other, raw := range oracle {
		if other != key && raw[0] == '{' && len(key) > len(other) && key[:len(other)] == other {
			return true
		}
	}
	return bytes.Contains([]byte(key), []byte("\ufffd")) || oracle[key][0] == '{'
}

func FuzzNginx(f *testing.F) {
	f.Add([]byte(nginxLine))
	f.Add([]byte(`203.0.113.5, 192.0.2.7 - - [24/Nov/2026:13:00:00 +0100] "GET /\x22\xC3 HTTP/1.1" 200 612 "-" "a\"b" "10.0.0.1" rt=0.5`))
	f.Add([]byte(`192.0.2.7 - - [24/Nov/2026:12:00:00 +0000] "\x16\x03\x01" 400 0 "-" "-`))
	d := newCombined()
	f.Fuzz(func(t *testing.T, line []byte) { check(t, d, line) })
}

func FuzzApache(f *testing.F) {
	f.Add([]byte(`shop.example.com:443 ` + nginxLine))
	f.Add([]byte(`::1 - user name [26/Dec/2016:16:16:48 +0200] "-" 408 -`))
	f.Add([]byte(`"10.1.1.1, 192.0.2.7" 10.2.1.185 - - [22/Jan/2016:13:18:29 +0000] "GET http://H:80?q HTTP/1.1" 200 25 X-Forwarded-For="a b"`))
	d := newCombined()
	f.Fuzz(func(t *testing.T, line []byte) { check(t, d, line) })
}

func FuzzSyslog(f *testing.F) {
	f.Add([]byte(`<134>Nov 24 10:00:00 host nginx: ` + nginxLine))
	f.Add([]byte(`<134>1 2026-11-24T10:00:00Z host app - - [x y="]"] ` + jsonLine))
	f.Add([]byte(`2026-11-24T10:00:00Z stdout F ` + jsonLine))
	f.Fuzz(func(t *testing.T, line []byte) {
		message, ok := stripSyslog(line)
		if !bytes.HasSuffix(line, message) || (!ok && len(message) != len(line)) {
			t.Fatalf("%q: got %q, %v", line, message, ok)
		}
		check(t, newAuto(formatTable()), line)
	})
}

// TestDecodersAreFreeOfTheLineBefore decodes lines after others and alone.
func TestDecodersAreFreeOfTheLineBefore(t *testing.T) {
	lines := []string{
		jsonLine, `{"timestamp":2,"client.address":"::2","duration":5,"start_time":3}`, `{"a":{"b":1},"timestamp":"bad"}`,
		`{"timestamp":2,"client.address":"::2","duration":5}`, `{"client.address":"x"}`, `{"timestamp":1}`, `{"timestamp":1,"client`,
	}
	for _, first := range lines {
		for _, second := range lines {
			used := newCanonicalJSON()
			_, _ = decodeOne(t, used, first)
			got, gotErr := decodeOne(t, used, second)
			want, wantErr := decodeOne(t, newCanonicalJSON(), second)
			if !reflect.DeepEqual(gotErr, wantErr) || (wantErr == nil && !reflect.DeepEqual(got, want)) {
				t.Errorf("%s after %s: got %+v, %v, want %+v, %v", second, first, got, gotErr, want, wantErr)
			}
		}
	}
}
