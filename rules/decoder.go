package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// A decoder reads one YAML document strictly and notes every problem with its place, so that an author sees all of them
// at once. Its readers are closures over the destination; a value that cannot be read leaves the destination alone.
//
// A reader that is given no node reads nothing: it leaves in form what it would accept, from which the JSON Schema of
// the files is made.
type decoder struct {
	path     string
	lines    []string
	problems Problems
	form     schema
}

type reader func(*yaml.Node)

// A field is a key of a mapping.
type field struct {
	name     string
	required bool
	read     reader
}

func required(name string, read reader) field { return field{name, true, read} }
func optional(name string, read reader) field { return field{name, false, read} }

// parse returns the one document of the file, nil after a problem.
func (d *decoder) parse(data []byte) *yaml.Node {
	d.lines = strings.Split(string(data), "\n")
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.problems = append(d.problems, Problem{Path: d.path, Line: 1, Column: 1, Message: "the file is empty"})
		return nil
	case err != nil:
		d.problems = append(d.problems, syntaxProblem(d.path, err))
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		d.note(&second, "put it into a file of its own", "second document in the file")
		return nil
	case !errors.Is(err, io.EOF):
		d.problems = append(d.problems, syntaxProblem(d.path, err))
		return nil
	}
	if len(doc.Content) != 1 || d.hasAlias(&doc) {
		return nil
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

func syntaxProblem(path string, err error) Problem {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	p := Problem{Path: path, Line: 1, Column: 1, Message: text}
	if m := yamlLine.FindStringSubmatchIndex(text); m != nil {
		p.Line, _ = strconv.Atoi(text[m[2]:m[3]])
		p.Message = text[:m[0]] + text[m[1]:]
	}
	return p
}

// hasAlias refuses anchors and aliases: a reader of a rule should not have to resolve references in the head.
func (d *decoder) hasAlias(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.note(n, "write the value out", "anchors and aliases are not read here")
		return true
	}
	return slices.ContainsFunc(n.Content, d.hasAlias)
}

func (d *decoder) note(at *yaml.Node, hint, format string, args ...any) {
	d.noteAt(at.Line, at.Column, hint, format, args...)
}

func (d *decoder) noteAt(line, column int, hint, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.path, line, column, fmt.Sprintf(format, args...), hint})
}

// object reads a mapping. Keys that no field names, double keys and missing required keys are problems.
func (d *decoder) object(n *yaml.Node, what string, fields ...field) {
	if n == nil {
		d.form = d.objectForm(fields)
		return
	}
	if n.Kind != yaml.MappingNode {
		d.note(n, "", "%s: want a mapping, have %s", what, shape(n))
		return
	}
	seen := make(map[string]int, len(fields))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if line, double := seen[key.Value]; double {
			d.note(key, "", "%s: key %q stands on line %d already", what, key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		f := fieldNamed(fields, key.Value)
		if f == nil {
			d.note(key, nearest(key.Value, fieldNames(fields)), "%s: unknown key %q", what, key.Value)
			continue
		}
		f.read(value)
	}
	for _, f := range fields {
		if _, present := seen[f.name]; f.required && !present {
			d.note(n, "", "%s: key %q is missing", what, f.name)
		}
	}
}

func fieldNamed(fields []field, name string) *field {
	for i := range fields {
		if fields[i].name == name {
			return &fields[i]
		}
	}
	return nil
}

func fieldNames(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return names
}

// pairs calls each for every key of a mapping whose keys the author chooses.
func (d *decoder) pairs(n *yaml.Node, what string, each func(key, value *yaml.Node)) {
	if n == nil {
		each(nil, nil)
		d.form = schema{"type": "object", "additionalProperties": d.form}
		return
	}
	if n.Kind != yaml.MappingNode {
		d.note(n, "", "%s: want a mapping, have %s", what, shape(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if line, double := seen[key.Value]; double {
			d.note(key, "", "%s: key %q stands on line %d already", what, key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		each(key, n.Content[i+1])
	}
}

// sequence calls each for every item of a sequence.
func (d *decoder) sequence(what string, each reader) reader {
	return func(n *yaml.Node) {
		if n == nil {
			each(nil)
			d.form = schema{"type": "array", "items": d.form}
			return
		}
		if n.Kind != yaml.SequenceNode {
			d.note(n, "", "%s: want a list, have %s", what, shape(n))
			return
		}
		for _, item := range n.Content {
			each(item)
		}
	}
}

func (d *decoder) text(dst *string) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = textForm
			return
		}
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			d.note(n, "", "want text, have %s", shape(n))
			return
		}
		*dst = n.Value
	}
}

func (d *decoder) texts(what string, dst *[]string) reader {
	return d.sequence(what, func(n *yaml.Node) {
		var item string
		if d.text(&item)(n); n != nil {
			*dst = append(*dst, item)
		}
	})
}

// keepText keeps a text of which more must be known before it is read.
func (d *decoder) keepText(dst **yaml.Node) reader {
	return func(n *yaml.Node) {
		var text string
		if d.text(&text)(n); text != "" {
			*dst = n
		}
	}
}

// number reads an integer or a decimal fraction between low and high.
func (d *decoder) number(dst *float64, low, high float64) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = schema{"type": "number", "minimum": low, "maximum": high}
			return
		}
		v, err := strconv.ParseFloat(n.Value, 64)
		if tag := n.ShortTag(); n.Kind != yaml.ScalarNode || (tag != "!!int" && tag != "!!float") || err != nil || math.IsNaN(v) {
			d.note(n, "", "want a number, have %s", shape(n))
			return
		}
		if v < low || v > high {
			d.note(n, "", "%s is outside %s to %s", n.Value, shortNumber(low), shortNumber(high))
			return
		}
		*dst = v
	}
}

func (d *decoder) count(dst *int, low, high int) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = schema{"type": "integer", "minimum": low, "maximum": high}
			return
		}
		v, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil {
			d.note(n, "", "want a whole number, have %s", shape(n))
			return
		}
		if v < low || v > high {
			d.note(n, "", "%d is outside %d to %d", v, low, high)
			return
		}
		*dst = v
	}
}

func (d *decoder) truth(dst **bool) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = schema{"type": "boolean"}
			return
		}
		var v bool
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&v) != nil {
			d.note(n, "", "want true or false, have %s", shape(n))
			return
		}
		*dst = &v
	}
}

// duration reads Go's notation and whole days: 500ms, 10m, 7d.
func (d *decoder) duration(dst *time.Duration, low, high time.Duration) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = durationForm
			return
		}
		v, err := parseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			d.note(n, "write it with its unit, such as 30s, 10m or 7d", "want a duration, have %s", shape(n))
			return
		}
		if v < low || v > high {
			d.note(n, "", "%s is outside %s to %s", n.Value, low, high)
			return
		}
		*dst = v
	}
}

const day = 24 * time.Hour

func parseDuration(text string) (time.Duration, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * day, err
	}
	return time.ParseDuration(text)
}

// share reads a percentage with its sign, 30%, as a number from 0 to 1.
func (d *decoder) share(dst *float64) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = shareForm
			return
		}
		digits, found := strings.CutSuffix(n.Value, "%")
		v, err := strconv.ParseFloat(digits, 64)
		if n.Kind != yaml.ScalarNode || !found || err != nil || !(v >= 0 && v <= 100) {
			d.note(n, "write it with its sign, such as 30%", "want a percentage from 0%% to 100%%, have %s", shape(n))
			return
		}
		*dst = v / 100
	}
}

// moment reads a date, meaning the start of that day in UTC, or an RFC 3339 time.
func (d *decoder) moment(dst *time.Time) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = momentForm
			return
		}
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if t, err := time.Parse(layout, n.Value); err == nil && n.Kind == yaml.ScalarNode {
				*dst = t.UTC()
				return
			}
		}
		d.note(n, "", "want a date such as 2030-06-01 or an RFC 3339 time, have %s", shape(n))
	}
}

// word reads one of a few words.
func (d *decoder) word(dst *string, known ...string) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = wordForm(known...)
			return
		}
		for _, k := range known {
			if n.Kind == yaml.ScalarNode && n.Value == k {
				*dst = k
				return
			}
		}
		d.note(n, nearest(n.Value, known), "want one of %s, have %s", strings.Join(known, ", "), shape(n))
	}
}

func (d *decoder) entityKind(dst *sundew.Kind) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = kindForm()
			return
		}
		kind, err := sundew.ParseKind(n.Value)
		if err != nil {
			d.note(n, "", "%v", err)
			return
		}
		*dst = kind
	}
}

func (d *decoder) action(dst *sundew.Action) reader {
	return func(n *yaml.Node) {
		if n == nil {
			d.form = actionForm()
			return
		}
		if err := dst.UnmarshalText([]byte(n.Value)); err != nil {
			d.note(n, "", "%v", err)
		}
	}
}

// place converts a position inside a scalar's text, line from 1 and column from 0, into one of the file.
func (d *decoder) place(n *yaml.Node, line, column int) (fileLine, fileColumn int) {
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return n.Line + line, column + 1 + d.indentBelow(n.Line)
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return n.Line, n.Column + 1 + column
	}
	return n.Line, n.Column + column
}

// indentBelow is the indentation of the first line with text after the given one.
func (d *decoder) indentBelow(line int) int {
	for _, text := range d.lines[min(line, len(d.lines)):] {
		if trimmed := strings.TrimLeft(text, " "); strings.TrimSpace(trimmed) != "" {
			return len(text) - len(trimmed)
		}
	}
	return 0
}

// shape names what a node holds, short enough for a message.
func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return strconv.Quote(clip(n.Value, 60))
}

// clip cuts text to at most limit bytes at a rune boundary.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && text[limit]&0xC0 == 0x80 {
		limit--
	}
	return text[:limit] + "…"
}

func shortNumber(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
