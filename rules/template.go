package rules

import (
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types/ref"
	"go.yaml.in/yaml/v3"
)

const (
	maxExplain      = 512 // bytes of a rendered explanation
	maxExplainValue = 80  // bytes of one value in it
)

// A template is a sentence with values: "{{ip.not_found_10m}} paths that do not exist".
type template struct{ parts []templatePart }

type templatePart struct {
	text     string // as written, or
	variable *variable
}

// template reads a sentence and checks that each name in it is known.
func (f *file) template(n *yaml.Node, d *dialect, params map[string]ref.Val) template {
	var t template
	if n == nil {
		return t
	}
	rest := n.Value
	for {
		before, after, found := strings.Cut(rest, "{{")
		t.parts = append(t.parts, templatePart{text: before})
		if !found {
			return t
		}
		name, tail, closed := strings.Cut(after, "}}")
		if !closed {
			f.note(n, "", "explain: {{ without }}")
			return t
		}
		name = strings.TrimSpace(name)
		switch value, isParam := params[name]; {
		case isParam:
			t.parts = append(t.parts, templatePart{text: formatParam(value)})
		case d.vars[name] != nil:
			t.parts = append(t.parts, templatePart{variable: d.vars[name]})
		default:
			f.note(n, nearest(name, sortedKeys(d.vars)), "explain: unknown name %q", name)
		}
		rest = tail
	}
}

func formatParam(value ref.Val) string {
	switch v := value.Value().(type) {
	case float64:
		return formatNumber(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		return v
	}
	return ""
}

// render fills in the values of a score. Text from the request is quoted, with control characters as escapes, and cut.
func (t *template) render(v *view) string {
	var b strings.Builder
	for _, part := range t.parts {
		b.WriteString(part.text)
		if part.variable != nil {
			b.WriteString(formatValue(part.variable, v))
		}
	}
	return clip(b.String(), maxExplain)
}

func formatValue(variable *variable, v *view) string {
	switch {
	case variable.text != nil:
		return strconv.Quote(clip(variable.text(v.score), maxExplainValue))
	case variable.integer != nil:
		return strconv.FormatInt(variable.integer(v.score), 10)
	}
	return formatNumber(variable.number(v.score))
}

// formatNumber writes counts without a fraction and ratios with two digits.
func formatNumber(v float64) string {
	if v == math.Trunc(v) || math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
