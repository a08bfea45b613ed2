package ingest

import (
	"fmt"
	"strings"
)

// compileApache reads the notation of Apache's LogFormat directive (mod_log_config): %h, %>s, %{Referer}i. The
// directive's name, its quotes with their escapes, and the nickname may stand around it.
func compileApache(layout string) (Decoder, error) {
	layout = apacheDirective(layout)
	var b layoutBuilder
	for len(layout) > 0 {
		percent := strings.IndexByte(layout, '%')
		if percent < 0 {
			b.fixed([]byte(layout))
			break
		}
		b.fixed([]byte(layout[:percent]))
		layout = layout[percent+1:]
		if strings.HasPrefix(layout, "%") {
			b.fixed([]byte("%"))
			layout = layout[1:]
			continue
		}
		name, rest, err := apacheVariable(layout)
		if err != nil {
			return nil, err
		}
		layout = rest
		f, err := apacheField(name)
		if err != nil {
			return nil, err
		}
		if name == "t" { // the brackets belong to the value
			b.fixed([]byte("["))
		}
		if err := b.variable("%"+name, f); err != nil {
			return nil, err
		}
		if name == "t" {
			b.fixed([]byte("]"))
		}
	}
	return b.decoder()
}

func apacheDirective(text string) string {
	text = strings.TrimSpace(text)
	if after, ok := strings.CutPrefix(text, "LogFormat "); ok {
		text = strings.TrimSpace(after)
	}
	if strings.HasPrefix(text, `"`) {
		if end := strings.LastIndexByte(text, '"'); end > 0 {
			text = text[1:end]
		}
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\t`, "\t").Replace(text)
}

// apacheVariable reads what follows a percent sign: conditions on the status, {argument}, and a letter.
func apacheVariable(text string) (name, rest string, err error) {
	text = strings.TrimLeft(text, "0123456789,!<>")
	argument := ""
	if strings.HasPrefix(text, "{") {
		end := strings.IndexByte(text, '}')
		if end < 0 {
			return "", "", fmt.Errorf("%%%s is not closed", text)
		}
		argument, text = text[:end+1], strings.TrimLeft(text[end+1:], "<>")
	}
	length := 1
	if strings.HasPrefix(text, "^") { // %{VARNAME}^ti
		length = 3
	}
	if len(text) < length {
		return "", "", fmt.Errorf("a %% without a letter at the end")
	}
	return argument + text[:length], text[length:], nil
}

var apacheFields = byName([]field{
	{"h", slotClient, alias, setClient},
	{"a", slotClient, alias, setClient},
	{"{c}a", slotClient, vague, setClient},
	{"{c}h", slotClient, vague, setClient},
	{"t", slotTime, alias, setTime},
	{"{sec}t", slotTime, alias, setTime},
	{"{msec}t", slotTime, alias, setTime},
	{"{usec}t", slotTime, alias, setTime},
	{"r", slotRequestLine, alias, setLine},
	{"m", slotMethod, alias, setMethod},
	{"U", slotTarget, alias, setPath},
	{"q", slotQuery, alias, setQueryMark},
	{"s", slotStatus, alias, setStatus},
	{"b", slotResponseBytes, alias, setResponseBytes},
	{"B", slotResponseBytes, alias, setResponseBytes},
	{"O", slotResponseBytes, vague, setResponseBytes},
	{"I", slotRequestBytes, vague, setRequestBytes},
	{"D", slotDuration, alias, setMicroseconds},
	{"{us}T", slotDuration, alias, setMicroseconds},
	{"{ms}T", slotDuration, vague, setMilliseconds},
	{"{s}T", slotDuration, vague, setDuration},
	{"T", slotDuration, vague, setDuration},
	{"v", slotHost, vague, setAuthority},
	{"V", slotHost, vague, setAuthority},
	{"{host}i", slotHost, alias, setAuthority},
	{"{referer}i", slotReferer, alias, setReferer},
	{"{user-agent}i", slotUserAgent, alias, setUserAgent},
	{"{x-forwarded-for}i", slotForwarded, alias, setForwarded},
	{"{unique_id}e", slotRequestID, alias, setRequestID},
	{"L", slotRequestID, vague, setRequestID},
})

// strftime has the time formats that parseTimestamp reads, brackets aside.
var strftime = map[string]bool{
	"%Y-%m-%dT%H:%M:%S%z": true, "%FT%T%z": true, "%Y-%m-%d %H:%M:%S": true, "%F %T": true, "%Y-%m-%dT%H:%M:%S": true,
	"%FT%T": true, "%d/%b/%Y:%H:%M:%S %z": true, "%d/%b/%Y:%T %z": true, "%s": true,
}

func apacheField(name string) (*field, error) {
	if format, ok := strings.CutSuffix(name, "}t"); ok && name != "{sec}t" && name != "{msec}t" && name != "{usec}t" {
		format = strings.TrimPrefix(strings.TrimPrefix(format[1:], "begin:"), "end:")
		if !strftime[strings.Trim(format, "[]")] {
			return nil, fmt.Errorf("the time %%%s is not among those that can be read: %%t, {sec}t, {msec}t, {usec}t, or ISO 8601 such as {%%FT%%T%%z}t", name)
		}
		return apacheFields["t"], nil
	}
	if strings.HasSuffix(name, "}i") {
		name = strings.ToLower(name)
	}
	if f := apacheFields[name]; f != nil {
		return f, nil
	}
	return nil, nil
}
