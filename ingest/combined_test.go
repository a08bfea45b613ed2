package ingest

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"sundew"
)

func TestAccessLogLines(t *testing.T) {
	const clock = `[24/Nov/2026:13:00:00 +0100] `
	tests := []struct {
		name, line string
		want       sundew.Event
	}{
		{
			"combined",
			`192.0.2.7 - - ` + clock + `"GET /a?b=c?d HTTP/1.1" 200 612 "http://example.com/" "Mozilla/5.0 (X11)"`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Query, e.Status, e.ResponseBytes = "GET", "/a", "b=c?d", 200, 612
				e.Referer, e.UserAgent = "http://example.com/", "Mozilla/5.0 (X11)"
			}),
		},
		{
			"common, nothing sent",
			`192.0.2.7 - - ` + clock + `"GET / HTTP/1.0" 304 -`,
			event(func(e *sundew.Event) { e.Method, e.Path, e.Status = "GET", "/", 304 }),
		},
		{
			"nginx main with X-Forwarded-For",
			`192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1 "-" "-" "198.51.100.1, 10.0.0.1"`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Status, e.ResponseBytes, e.Forwarded = "GET", "/", 200, 1, "198.51.100.1, 10.0.0.1"
			}),
		},
		{
			"fields behind: named, quoted and bare",
			`192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1 "-" "-" "-" 0.004 rt=0.005 ut="0.003" X-Forwarded-For="10.0.0.2,10.0.0.1"`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Status, e.ResponseBytes = "GET", "/", 200, 1
				e.Duration, e.Forwarded = 5*time.Millisecond, "10.0.0.2,10.0.0.1"
				e.Attributes = []sundew.Attribute{{Key: "field.1", Value: "0.004"}, {Key: "ut", Value: "0.003"}}
			}),
		},
		{
			"escapes of nginx and Apache",
			`192.0.2.7 - - ` + clock + `"GET /\x22\xC3\xA9 HTTP/1.1" 200 1 "-" "say \"hi\" \\ \q"`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Status, e.ResponseBytes, e.UserAgent = "GET", `/"é`, 200, 1, `say "hi" \ \q`
			}),
		},
		{
			"a server that escapes no quotes",
			`192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1 "-" "say "hi", then go"`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Status, e.ResponseBytes, e.UserAgent = "GET", "/", 200, 1, `say "hi", then go`
			}),
		},
		{"no request", `192.0.2.7 - - ` + clock + `"-" 408 152 "-" "-"`, event(func(e *sundew.Event) { e.Status, e.ResponseBytes = 408, 152 })},
		{"empty request", `192.0.2.7 - - ` + clock + `"" 400 0 "-" "-"`, event(func(e *sundew.Event) { e.Status, e.ResponseBytes = 400, 0 })},
		{
			"TLS handshake on a plain port",
			`192.0.2.7 - - ` + clock + `"\x16\x03\x01\x02" 400 157 "-" "-"`,
			event(func(e *sundew.Event) {
				e.Status, e.ResponseBytes = 400, 157
				e.Attributes = []sundew.Attribute{{Key: "request", Value: "\x16\x03\x01\x02"}}
			}),
		},
		{"no version", `192.0.2.7 - - ` + clock + `"GET /old" 200 1`, event(func(e *sundew.Event) { e.Method, e.Path, e.Status, e.ResponseBytes = "GET", "/old", 200, 1 })},
		{"method alone", `192.0.2.7 - - ` + clock + `"GET" 400 0`, event(func(e *sundew.Event) { e.Method, e.Status, e.ResponseBytes = "GET", 400, 0 })},
		{"blanks in the target", `192.0.2.7 - - ` + clock + `"get /a b c HTTP/1.1" 400 0`, event(func(e *sundew.Event) { e.Method, e.Path, e.Status, e.ResponseBytes = "GET", "/a b c", 400, 0 })},
		{
			"absolute form",
			`192.0.2.7 - - ` + clock + `"GET http://u@Example.com:81?x HTTP/1.1" 200 1`,
			event(func(e *sundew.Event) {
				e.Method, e.Host, e.Path, e.Query, e.Status, e.ResponseBytes = "GET", "example.com", "/", "x", 200, 1
			}),
		},
		{"no referrer, without quotes", `192.0.2.7 - - ` + clock + `"GET / HTTP/2.0" 200 1 - "app/1" 13 "router"`, event(func(e *sundew.Event) {
			e.Method, e.Path, e.Status, e.ResponseBytes, e.UserAgent = "GET", "/", 200, 1, "app/1"
			e.Attributes = []sundew.Attribute{{Key: "field.1", Value: "13"}, {Key: "field.2", Value: "router"}}
		})},
		{"connect", `192.0.2.7 - - ` + clock + `"CONNECT example.com:443 HTTP/1.1" 405 1`, event(func(e *sundew.Event) { e.Method, e.Host, e.Status, e.ResponseBytes = "CONNECT", "example.com", 405, 1 })},
		{
			"cut off in the user agent",
			`192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1 "-" "Mozilla/5.0 (compat`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Status, e.ResponseBytes, e.UserAgent = "GET", "/", 200, 1, "Mozilla/5.0 (compat"
			}),
		},
		{"cut off in the request", `192.0.2.7 - - ` + clock + `"GET /long`, event(func(e *sundew.Event) { e.Method, e.Path = "GET", "/long" })},
		{
			"virtual host in front, as Apache's vhost_combined",
			`Shop.example.com:443 192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1 "-" "-"`,
			event(func(e *sundew.Event) {
				e.Host, e.Method, e.Path, e.Status, e.ResponseBytes = "shop.example.com", "GET", "/", 200, 1
			}),
		},
		{
			"a Host header that looks like an address is not the client",
			`203.0.113.66 192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1 "-" "-"`,
			event(func(e *sundew.Event) {
				e.Host, e.Method, e.Path, e.Status, e.ResponseBytes = "203.0.113.66", "GET", "/", 200, 1
			}),
		},
		{
			"a user name with blanks, brackets and a time of its own",
			`192.0.2.7 - eve [01/Jan/2001:00:00:00 +0000] x ` + clock + `"GET / HTTP/1.1" 401 1`,
			event(func(e *sundew.Event) {
				e.Method, e.Path, e.Status, e.ResponseBytes = "GET", "/", 401, 1
				e.Attributes = []sundew.Attribute{{Key: "remote_user", Value: "eve [01/Jan/2001:00:00:00 +0000] x"}}
			}),
		},
		{
			"a list of hops for the client: the last public one",
			`203.0.113.5, 192.0.2.7, 10.0.0.1 - - ` + clock + `"GET / HTTP/1.1" 200 1`,
			event(func(e *sundew.Event) {
				e.Forwarded, e.Method, e.Path, e.Status, e.ResponseBytes = "203.0.113.5, 192.0.2.7, 10.0.0.1", "GET", "/", 200, 1
			}),
		},
		{
			"a quoted list in front of the connection",
			`"10.1.1.1, 192.0.2.7" 10.2.1.185 - - ` + clock + `"GET / HTTP/1.1" 200 1`,
			event(func(e *sundew.Event) {
				e.Forwarded, e.Method, e.Path, e.Status, e.ResponseBytes = "10.1.1.1, 192.0.2.7", "GET", "/", 200, 1
			}),
		},
		{
			"IPv6 in brackets",
			`[2001:db8::1] - - ` + clock + `"GET / HTTP/1.1" 200 1`,
			event(func(e *sundew.Event) {
				e.Client = netip.MustParseAddr("2001:db8::1")
				e.Method, e.Path, e.Status, e.ResponseBytes = "GET", "/", 200, 1
			}),
		},
		{
			"mapped IPv6",
			`::ffff:192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1`,
			event(func(e *sundew.Event) { e.Method, e.Path, e.Status, e.ResponseBytes = "GET", "/", 200, 1 }),
		},
		{
			"RFC 3164",
			`<190>Nov 24 12:00:00 web1 nginx: 192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1`,
			event(func(e *sundew.Event) { e.Method, e.Path, e.Status, e.ResponseBytes = "GET", "/", 200, 1 }),
		},
		{
			"RFC 5424",
			`<134>1 2026-11-24T12:00:00Z web1 httpd 99 - [a@1 k="v\]"][b x="y"] 192.0.2.7 - - ` + clock + `"GET / HTTP/1.1" 200 1`,
			event(func(e *sundew.Event) { e.Method, e.Path, e.Status, e.ResponseBytes = "GET", "/", 200, 1 }),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decodeOne(t, newCombined(), tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestAccessLogRejectsWithReason(t *testing.T) {
	tests := []struct{ name, line, reason string }{
		{"host name for the client", `host.example - - [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1`, "client address is not an IP address"},
		{"names for hops", `localhost, localhost - - [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1`, "client address is not an IP address"},
		{"unix socket", `unix: - - [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1`, "client address is not an IP address"},
		{"no such day", `192.0.2.7 - - [30/Feb/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1`, "timestamp cannot be read"},
		{"no such month", `192.0.2.7 - - [24/Nev/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1`, "timestamp cannot be read"},
		{"words for the status", `192.0.2.7 - - [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" upstream timed out`, "status is not a number"},
		{"error log", `2026/11/24 12:00:00 [error] 12#12: *1 open() failed`, "not a combined log line"},
		{"cut off in the time", `192.0.2.7 - - [24/Nov/2026:12:`, "not a combined log line"},
		{"time for a client", `[24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1`, "client address is not an IP address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decodeOne(t, newCombined(), tt.line)
			if bad, ok := errors.AsType[*LineError](err); !ok || bad.Reason != tt.reason {
				t.Errorf("got %v, want %s", err, tt.reason)
			}
		})
	}
}

func TestSyslogHeaders(t *testing.T) {
	tests := []struct {
		name, line, want string
		ok               bool
	}{
		{"RFC 3164", "<134>Nov 24 10:00:00 host nginx: GET", "GET", true},
		{"one digit day, process id", "<134>Nov  4 10:00:00 host nginx[12]: GET", "GET", true},
		{"without host", "<190>Nov 24 10:00:00 nginx: GET", "GET", true},
		{"a file of rsyslog", "Nov 24 10:00:00 host httpd: GET", "GET", true},
		{"a file with full dates", "2026-11-24T10:00:00.1+01:00 host httpd: GET", "GET", true},
		{"RFC 5424", "<134>1 2026-11-24T10:00:00Z host app - - - GET", "GET", true},
		{"RFC 5424 with byte order mark", "<134>1 - host app - - [x y=\"]\"] \ufeffGET", "GET", true},
		{"RFC 5424 without message", "<134>1 - host app - - -", "", true},
		{"a container's log file", `2026-11-24T10:00:00.493035218+01:00 stdout F {"a":1}`, `{"a":1}`, true},
		{"no header", "192.0.2.1 - - [24/Nov/2026:10:00:00 +0000]", "", false},
		{"no tag", "<134>Nov 24 10:00:00 host GET / x", "", false},
		{"priority is no number", "<x>Nov 24 10:00:00 host nginx: GET", "", false},
		{"a colon far behind is no tag", "Nov 24 10:00:00 host this is: GET", "", false},
		{"empty", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := stripSyslog([]byte(tt.line))
			want := tt.want
			if !tt.ok {
				want = tt.line
			}
			if string(got) != want || ok != tt.ok {
				t.Errorf("got %q, %v, want %q, %v", got, ok, want, tt.ok)
			}
		})
	}
}

func TestClientOfAddressText(t *testing.T) {
	tests := []struct{ text, want string }{
		{"192.0.2.7", "192.0.2.7"},
		{"192.0.2.7:443", "192.0.2.7"},
		{"[2001:db8::1]:443", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"2001:db8::1", "2001:db8::1"},
		{"fe80::1%eth0", "fe80::1"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"192.0.2.7:port", ""},
		{"192.0.2.256", ""},
		{"192.0.2", ""},
		{"192.0.2.7.1", ""},
		{"01.2.3.4", ""},
		{"[::1", ""},
		{"", ""},
		{"unix:", ""},
	}
	for _, tt := range tests {
		addr, ok := parseClient([]byte(tt.text))
		if got := addr.String(); ok != (tt.want != "") || (ok && got != tt.want) {
			t.Errorf("%q: got %s, %v, want %q", tt.text, got, ok, tt.want)
		}
	}
}
