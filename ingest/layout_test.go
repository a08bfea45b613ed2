package ingest

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestLayouts(t *testing.T) {
	const combined = `192.0.2.7 - eve [24/Nov/2026:12:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 612 "https://x.example/" "say \"hi\""`
	tests := []struct{ name, layout, line string }{
		{"nginx combined", `nginx:$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`, combined},
		{
			"a whole directive over several lines",
			"nginx:log_format main '$remote_addr - $remote_user [$time_local] \"$request\" '\n  '$status $body_bytes_sent \"$http_referer\" \"${http_user_agent}\"';",
			combined,
		},
		{"apache combined", `apache:LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" combined`, combined},
		{
			"pipes, and another order",
			`nginx:$time_iso8601|$status|$request_method|$request_uri|$body_bytes_sent|$http_referer|$http_user_agent|$remote_addr`,
			`2026-11-24T12:00:00+00:00|200|GET|/a?b=1|612|https://x.example/|say "hi"|192.0.2.7`,
		},
		{"apache in parts", `apache:%a %{%FT%T%z}t %m %U %q %>s %B "%{referer}i" "%{user-agent}i"`, `192.0.2.7 2026-11-24T12:00:00+0000 GET /a ?b=1 200 612 "https://x.example/" "say \"hi\""`},
		{"behind syslog", `nginx:$remote_addr $msec "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`, `<190>Nov 24 12:00:00 web nginx: 192.0.2.7 1795521600.000 "GET /a?b=1 HTTP/1.1" 200 612 "https://x.example/" "say \"hi\""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := NewDecoder(tt.layout)
			if err != nil {
				t.Fatal(err)
			}
			e, err := decodeOne(t, d, tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if !e.Time.Equal(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)) || e.Client.String() != "192.0.2.7" {
				t.Errorf("time %v, client %v", e.Time, e.Client)
			}
			if e.Method != "GET" || e.Path != "/a" || e.Query != "b=1" || e.Status != 200 || e.ResponseBytes != 612 {
				t.Errorf("%s %s?%s: %d, %d bytes", e.Method, e.Path, e.Query, e.Status, e.ResponseBytes)
			}
			if e.Referer != "https://x.example/" || e.UserAgent != `say "hi"` {
				t.Errorf("referer %q, user agent %q", e.Referer, e.UserAgent)
			}
		})
	}
}

func TestLayoutMistakes(t *testing.T) {
	tests := []struct{ layout, want string }{
		{`nginx:$remote_addr "$request"`, "it has no time"},
		{`apache:%t "%r"`, "it has no client address"},
		{`nginx:$remote_addr$time_local`, "nothing stands between $remote_addr and $time_local"},
		{`nginx:${remote_addr $time_local`, "not closed"},
		{`nginx:$ $time_local`, "a $ without a name"},
		{`apache:%h %{Referer`, "not closed"},
		{`apache:%h %`, "without a letter"},
		{`apache:%h %{%A}t`, "{%A}t is not among those that can be read"},
		{`haproxy:%ci`, "takes no layout"},
		{`nginx:$remote_addr $msec ` + strings.Repeat("$a ", 70), "more than 64 variables"},
	}
	for _, tt := range tests {
		if _, err := NewDecoder(tt.layout); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.layout, err, tt.want)
		}
	}
}

func TestLayoutLinesThatDoNotFit(t *testing.T) {
	d, err := NewDecoder(`nginx:<$remote_addr> [$time_local] "$request" $status`)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ line, reason string }{
		{`192.0.2.7 [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200`, "line does not fit the layout"},
		{`<192.0.2.7`, "line does not fit the layout"},
		{`<host> [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200`, "client address is not an IP address"},
		{`<192.0.2.7> [24/Nov/2026] "GET / HTTP/1.1" 200`, "timestamp cannot be read"},
	}
	for _, tt := range tests {
		_, err := decodeOne(t, d, tt.line)
		if bad, ok := errors.AsType[*LineError](err); !ok || bad.Reason != tt.reason {
			t.Errorf("%s: got %v, want %s", tt.line, err, tt.reason)
		}
	}
	if e, err := decodeOne(t, d, `<192.0.2.7> [24/Nov/2026:12:00:00 +0000] "GET /cut`); err != nil || e.Path != "/cut" {
		t.Errorf("a line that was cut off: %v, path %q", err, e.Path)
	}
}
