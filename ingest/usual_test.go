package ingest

import (
	"reflect"
	"strings"
	"testing"

	"sundew"
)

// TestMinuteReadsWhatTheParsersRead goes through times in one order and back, so that each finds the minute of another.
func TestMinuteReadsWhatTheParsersRead(t *testing.T) {
	times := []string{
		"2026-11-24T12:00:00Z", "2026-11-24T12:00:59.5Z", "2026-11-24T12:00:60Z", "2026-11-24T12:00:07.123456789Z",
		"2026-11-24T12:00:07.1234567891Z", "2026-11-24T12:00:07.Z", "2026-11-24T12:00:07,5Z", "2026-11-24T12:00:7Z", "2026-11-24T12:00:0aZ",
		"2026-11-24T12:00:07.5aZ", "2026-11-24T12:01:00Z", "2026-11-24T12:00:07+01:00", "2026-11-24 12:00:07Z", "2026-11-24T1:00:07Z",
		"2026-11-24T1:00:007Z", "2026-02-30T12:00:07Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.9Z", "0001-01-01T00:00:00Z", "1795521600.5", "Z", "",
		"24/Nov/2026:12:00:05 +0000", "24/Nov/2026:12:00:60 +0000", "24/Nov/2026:12:00:61 +0000", "24/Nov/2026:12:00:05 +0100",
		"24/Nov/2026:12:00:x5 +0000", "24/Nov/2026:12:01:05 +0000", "30/Feb/2026:12:00:05 +0000", "24/Nov/2026:12:00:05 +000",
	}
	var m minute
	check := func(text string) {
		t.Helper()
		want, wantOK := parseTimestamp([]byte(text))
		got, ok := m.timestamp([]byte(text))
		if ok != wantOK || (ok && got != want) {
			t.Errorf("timestamp %q: got %v, %v, want %v, %v", text, got, ok, want, wantOK)
		}
		want, wantOK = parseCommonLogTime([]byte(text))
		got, ok = m.commonLogTime([]byte(text))
		if ok != wantOK || (ok && got != want) {
			t.Errorf("common log time %q: got %v, %v, want %v, %v", text, got, ok, want, wantOK)
		}
	}
	for range 2 {
		for i := range times {
			for j := range times {
				check(times[i])
				check(times[j])
			}
		}
	}
}

func FuzzMinute(f *testing.F) {
	f.Add("2026-11-24T12:00:07.25Z", "2026-11-24T12:00:08Z")
	f.Add("24/Nov/2026:12:00:05 +0000", "24/Nov/2026:12:00:06 +0000")
	f.Fuzz(func(t *testing.T, first, second string) {
		var m minute
		m.timestamp([]byte(first))
		if got, ok := m.timestamp([]byte(second)); ok {
			if want, wantOK := parseTimestamp([]byte(second)); !wantOK || got != want {
				t.Fatalf("%q after %q: got %v, want %v, %v", second, first, got, want, wantOK)
			}
		} else if want, ok := parseTimestamp([]byte(second)); ok {
			t.Fatalf("%q after %q: not read, want %v", second, first, want)
		}
		m.commonLogTime([]byte(first))
		got, ok := m.commonLogTime([]byte(second))
		if want, wantOK := parseCommonLogTime([]byte(second)); ok != wantOK || (ok && got != want) {
			t.Fatalf("%q after %q: got %v, %v, want %v, %v", second, first, got, ok, want, wantOK)
		}
	})
}

// TestUsualMembersReadLikeOthers decodes lines after others of the same keys, which reads the usual members in one pass, and
// with a blank in front of every colon, which does not.
func TestUsualMembersReadLikeOthers(t *testing.T) {
	values := []string{
		`""`, `"-"`, `"a"`, `"plain text"`, `"a\"b"`, `"a\u00e9b"`, `"zwölf"`, "\"\xff\"", "\"\xc3\"", `"` + strings.Repeat("x", 300) + `"`,
		`0`, `-1`, `1.5`, `01`, `1.`, `.5`, `1e3`, `1.25E-1`, `123456789012345678901`, `true`, `null`, `[1]`, `{"a":1}`, `"open`, ``, `2]`, `7 `,
	}
	for _, key := range []string{"url.path", "url.query", "server.address", "http.response.status_code", "http.server.request.duration", "user_agent.original", "user.id", "unknown"} {
		for _, value := range values {
			for _, end := range []string{`}`, `,"url.query":"q"}`, `,}`, ``, `]`, `} x`} {
				line := `{"timestamp":1,"client.address":"192.0.2.1","` + key + `":` + value + end
				slow := newCanonicalJSON()
				want, wantErr := decodeOne(t, slow, strings.ReplaceAll(line, `":`, `" :`))
				used := newCanonicalJSON()
				_, _ = decodeOne(t, used, `{"timestamp":1,"client.address":"192.0.2.1","`+key+`":"x","url.query":"q"}`)
				got, err := decodeOne(t, used, line)
				if (err == nil) != (wantErr == nil) {
					t.Errorf("%s: got %v, want %v", line, err, wantErr)
				} else if err == nil && string(got.AppendJSON(nil)) != string(want.AppendJSON(nil)) {
					t.Errorf("%s: got %s, want %s", line, got.AppendJSON(nil), want.AppendJSON(nil))
				}
			}
		}
	}
}

// sameAgain decodes a line with a decoder that knows no order of keys yet and with one that has just learned the line's.
func sameAgain(t *testing.T, line []byte) {
	t.Helper()
	d := newCanonicalJSON()
	first, second := sundew.NewEvent(), sundew.NewEvent()
	firstErr, secondErr := d.Decode(line, &first), d.Decode(line, &second)
	if !reflect.DeepEqual(firstErr, secondErr) || (firstErr == nil && !reflect.DeepEqual(first, second)) {
		t.Fatalf("%q gives %+v, %v and then %+v, %v", line, first, firstErr, second, secondErr)
	}
}

// FuzzDecimal holds the short way against the one that checks every digit.
func FuzzDecimal(f *testing.F) {
	for _, text := range []string{"", ".", "0", "1.", ".5", "007", "1.5", "999999999.999999999", "1234567890.1", "1e3", "-1", "1.2.3", "1.0000000001"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, unit := range []int64{1, 1e3, 1e6, 1e9} {
			got, ok := parseShort([]byte(text), unit)
			if want, wantOK := parseLong([]byte(text), unit); ok && (!wantOK || got != want) {
				t.Fatalf("%q in units of %d: got %d, want %d, %v", text, unit, got, want, wantOK)
			}
		}
	})
}

// TestTextsKeepWhatTheyGave fills many shelves and looks at the values again.
func TestTextsKeepWhatTheyGave(t *testing.T) {
	x := newTexts()
	var want, got []string
	for i := range 4 * shelf {
		text := strings.Repeat(string(rune('a'+i%26)), i%400)
		want, got = append(want, text), append(got, x.once([]byte(text), sundew.MaxText))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("value %d is %q, want %q", i, got[i], want[i])
		}
	}
}
