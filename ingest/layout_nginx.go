package ingest

import (
	"fmt"
	"strings"
)

// compileNginx reads the notation of nginx's log_format directive (ngx_http_log_module): $name and ${name}. The quotes
// and the escape parameter of the directive may stand around it.
func compileNginx(layout string) (Decoder, error) {
	layout = nginxDirective(layout)
	var b layoutBuilder
	for len(layout) > 0 {
		dollar := strings.IndexByte(layout, '$')
		if dollar < 0 {
			b.fixed([]byte(layout))
			break
		}
		b.fixed([]byte(layout[:dollar]))
		name, rest, err := nginxVariable(layout[dollar+1:])
		if err != nil {
			return nil, err
		}
		if err := b.variable("$"+name, nginxField(name)); err != nil {
			return nil, err
		}
		layout = rest
	}
	return b.decoder()
}

// nginxDirective joins the quoted parts of a whole directive, as configurations wrap long ones.
func nginxDirective(text string) string {
	text = strings.TrimSuffix(strings.TrimSpace(text), ";")
	if after, ok := strings.CutPrefix(text, "log_format "); ok {
		_, text, _ = strings.Cut(strings.TrimLeft(after, " "), " ")
	}
	text = strings.TrimSpace(text)
	for _, escape := range []string{"escape=default", "escape=json", "escape=none"} {
		text = strings.TrimSpace(strings.TrimPrefix(text, escape))
	}
	if !strings.HasPrefix(text, "'") || !strings.HasSuffix(text, "'") || len(text) < 2 {
		return text
	}
	var whole strings.Builder
	for i, part := range strings.Split(text, "'") {
		if i%2 == 1 {
			whole.WriteString(part)
		}
	}
	return whole.String()
}

func nginxVariable(text string) (name, rest string, err error) {
	if inner, ok := strings.CutPrefix(text, "{"); ok {
		name, rest, closed := strings.Cut(inner, "}")
		if !closed || name == "" {
			return "", "", fmt.Errorf("${%s is not closed", name)
		}
		return name, rest, nil
	}
	end := 0
	for end < len(text) && (text[end] == '_' || isAlphanumeric(text[end])) {
		end++
	}
	if end == 0 {
		return "", "", fmt.Errorf("a $ without a name, in front of %q", text)
	}
	return text[:end], text[end:], nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// nginxFields has the variables that mean something else, or nothing, as a key of a JSON line.
var nginxFields = byName([]field{
	{"request_length", slotRequestBytes, alias, setRequestBytes},
	{"host", slotHost, alias, setAuthority},
	{"realip_remote_addr", slotClient, vague, setClient},
	{"the_real_ip", slotClient, alias, setClient},
	{"proxy_add_x_forwarded_for", slotForwarded, vague, setForwarded},
	{"req_id", slotRequestID, alias, setRequestID},
	{"ssl_ja4", slotJA4, alias, identifier("ja4", slotJA4, alias, ja4Of).set},
})

func nginxField(name string) *field {
	if f := nginxFields[name]; f != nil {
		return f
	}
	return fields[name]
}
