package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"sundew"
)

// mappingPrefix stands in front of the file that says which path of a JSON line is which field of an event.
const mappingPrefix = "mapping:"

// Bounds of mappings.
const (
	maxMappingFile  = 64 << 10 // bytes
	maxAlternatives = 16       // paths of one field
)

// mapping is what a file says. It is only read, by any number of decoders.
type mapping struct {
	fields    map[string]*field // by path
	arrays    map[string]bool   // paths of arrays whose elements some path names
	constants []constant
}

// constant is the value of a field that no path has filled.
type constant struct {
	field *field
	value []byte
}

// mappings are those read so far, by file: lines of one process are read by one mapping until it starts again.
var mappings sync.Map // string to *mapping

// newMapped returns a decoder for the mapping in a file.
func newMapped(file string) (Decoder, error) {
	if known, ok := mappings.Load(file); ok {
		return known.(*mapping).decoder(), nil
	}
	text, err := readMapping(file)
	if err != nil {
		return nil, fmt.Errorf("log format mapping: %w", err)
	}
	m, err := parseMapping(file, text)
	if err != nil {
		return nil, err
	}
	first, _ := mappings.LoadOrStore(file, m)
	return first.(*mapping).decoder(), nil
}

// defineMappings makes mappings of the configuration known by their names. They go before files of the same name.
func defineMappings(named map[string]yaml.Node) error {
	for _, name := range slices.Sorted(maps.Keys(named)) {
		node := named[name]
		m, err := readMappingNode("ingest.mappings."+name, &node)
		if err != nil {
			return err
		}
		mappings.Store(name, m)
	}
	return nil
}

func readMapping(file string) ([]byte, error) {
	if file == "" {
		return nil, errors.New("name its file, as in mapping:shop.yaml")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxMappingFile+1))
	if err == nil && len(text) > maxMappingFile {
		err = fmt.Errorf("%s has more than %d bytes: it is no mapping", file, maxMappingFile)
	}
	return text, err
}

// remoteFormat refuses a format that makes us read a file, unless the configuration names it: whoever sends lines must
// not choose files.
func remoteFormat(name string, configured ...string) error {
	if strings.HasPrefix(name, mappingPrefix) && !slices.Contains(configured, name) {
		return fmt.Errorf("the format %q is not one that the configuration names", boundedID(name))
	}
	return nil
}

func (m *mapping) decoder() Decoder {
	d := newObjectDecoder(m.fields)
	d.arrays, d.constants = m.arrays, m.constants
	return d
}

// parseMapping reads the text of a mapping: keys of events, each with the path that fills it, a list of paths of which an
// earlier one counts more, or an object of path, value (where no path says anything), unit, layout and zone.
//
// A path has the keys from the outside to the inside, joined by dots; elements of arrays are numbers from 0. An error has
// the file, the line and the remedy.
func parseMapping(file string, text []byte) (*mapping, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		doc.Content = []*yaml.Node{{Line: 1}}
	}
	return readMappingNode(file, doc.Content[0])
}

// readMappingNode reads the object of a mapping; file is what errors call the place where it stands.
func readMappingNode(file string, top *yaml.Node) (*mapping, error) {
	p := mappingParser{file: file, m: &mapping{fields: map[string]*field{}, arrays: map[string]bool{}}}
	if top.Kind != yaml.MappingNode {
		return nil, p.error(top, "a mapping has one line per field, such as client.address: peer.ip")
	}
	seen := map[string]bool{}
	for i := 0; i < len(top.Content); i += 2 {
		key := top.Content[i]
		if seen[key.Value] {
			return nil, p.error(key, "%s stands twice: give one of them the list of all paths", key.Value)
		}
		seen[key.Value] = true
		if err := p.field(key, top.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return p.m, p.complete(top)
}

type mappingParser struct {
	file               string
	m                  *mapping
	hasTime, hasClient bool
}

func (p *mappingParser) error(at *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, at.Line, fmt.Sprintf(format, args...))
}

// entry is what the file says about one field.
type entry struct {
	Path   paths  `yaml:"path"`
	Value  string `yaml:"value"`
	Unit   string `yaml:"unit"`
	Layout string `yaml:"layout"`
	Zone   string `yaml:"zone"`
}

// paths is one path or a list of them.
type paths []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (p *paths) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*p = paths{n.Value}
		return nil
	}
	return n.Decode((*[]string)(p))
}

var entryKeys = []string{"path", "value", "unit", "layout", "zone"}

func (p *mappingParser) entry(n *yaml.Node) (e entry, err error) {
	if n.Kind != yaml.MappingNode {
		if n.Decode(&e.Path) != nil {
			return e, p.error(n, "want a path, a list of paths, or an object of %s", strings.Join(entryKeys, ", "))
		}
		return e, nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(entryKeys, key.Value) {
			return e, p.error(key, "unknown key %q: want some of %s", key.Value, strings.Join(entryKeys, ", "))
		}
	}
	if err := n.Decode(&e); err != nil {
		return e, p.error(n, "%s must be texts, and path may be a list of them", strings.Join(entryKeys, ", "))
	}
	return e, nil
}

func (p *mappingParser) field(key, value *yaml.Node) error {
	known := fields[key.Value]
	if known == nil {
		hint := ""
		if near, ok := nearest(key.Value, slices.Sorted(maps.Keys(fields))); ok {
			hint = fmt.Sprintf(", did you mean %q?", near)
		}
		return p.error(key, "no field of events is called %q%s", key.Value, hint)
	}
	e, err := p.entry(value)
	if err != nil {
		return err
	}
	set, err := e.setter(known)
	switch {
	case err != nil:
		return p.error(value, "%s: %v", key.Value, err)
	case len(e.Path) == 0 && e.Value == "":
		return p.error(value, "%s has neither a path nor a value", key.Value)
	case len(e.Path) > maxAlternatives:
		return p.error(value, "%s has more than %d paths", key.Value, maxAlternatives)
	}
	p.hasTime = p.hasTime || known.slot == slotTime
	p.hasClient = p.hasClient || known.slot == slotClient || known.slot == slotForwarded
	for i, path := range e.Path {
		rank := uint8(canonical + len(e.Path) - i)
		if err := p.path(value, path, &field{name: path, slot: known.slot, rank: rank, set: set}); err != nil {
			return err
		}
	}
	if e.Value == "" {
		return nil
	}
	c := constant{&field{name: key.Value, slot: known.slot, rank: canonical, set: set}, []byte(e.Value)}
	trial, event := newAssembler(), sundew.NewEvent()
	if !c.field.set(&trial, &event, c.value) {
		return p.error(value, "%s cannot be %q", key.Value, e.Value)
	}
	p.m.constants = append(p.m.constants, c)
	return nil
}

func (p *mappingParser) path(at *yaml.Node, path string, f *field) error {
	segments := strings.Split(path, ".")
	switch {
	case slices.Contains(segments, ""):
		return p.error(at, "the path %q has an empty part: keys are joined by single dots, as in request.headers.0", path)
	case len(segments) > maxDepth:
		return p.error(at, "the path %q has more than %d parts", path, maxDepth)
	case p.m.fields[path] != nil:
		return p.error(at, "the path %q fills two fields: a value says one thing", path)
	}
	p.m.fields[path] = f
	for i := 1; i < len(segments); i++ {
		if _, err := strconv.ParseUint(segments[i], 10, 16); err == nil {
			p.m.arrays[strings.Join(segments[:i], ".")] = true
		}
	}
	return nil
}

// complete checks that events can come of the mapping.
func (p *mappingParser) complete(at *yaml.Node) error {
	switch {
	case !p.hasTime:
		return p.error(at, "it has no time: add timestamp and the path of it")
	case !p.hasClient:
		return p.error(at, "it has no client: add client.address and the path of it")
	}
	return nil
}

// units of durations and of numbers that are times.
var units = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond}

// durations are the fields of a known place whose numbers have a unit.
var durations = map[slot]func(e *sundew.Event) *time.Duration{
	slotDuration:  func(e *sundew.Event) *time.Duration { return &e.Duration },
	slotDeviceAge: func(e *sundew.Event) *time.Duration { return &e.DeviceAge },
	slotEdgeDelay: func(e *sundew.Event) *time.Duration { return &e.EdgeDelay },
}

type setter = func(d *assembler, e *sundew.Event, text []byte) bool

// setter returns what fills the field with a text as the entry describes it.
func (e *entry) setter(f *field) (setter, error) {
	isTime := f.slot == slotTime
	of := durations[f.slot]
	switch {
	case e.Zone != "" && e.Layout == "":
		return nil, errors.New("zone needs a layout: times without one have their own")
	case e.Layout != "" && !isTime:
		return nil, errors.New("only timestamp has a layout")
	case e.Layout != "" && e.Unit != "":
		return nil, errors.New("give either unit, for a number, or layout, for a text")
	case e.Layout != "":
		return e.timeSetter()
	case e.Unit == "":
		return f.set, nil
	case !isTime && of == nil:
		return nil, errors.New("only times and durations have a unit")
	}
	unit, ok := units[e.Unit]
	if !ok {
		return nil, fmt.Errorf("the unit %q is not known: want s, ms, us or ns", e.Unit)
	}
	if isTime {
		return epochSetter(unit), nil
	}
	return func(_ *assembler, e *sundew.Event, text []byte) bool { return setUnits(of(e), text, unit) }, nil
}

// epochSetter reads a number of units since 1970.
func epochSetter(unit time.Duration) setter {
	return timeSetter(func(text []byte) (time.Time, bool) {
		n, ok := parseDecimal(text, int64(unit))
		if !ok {
			return time.Time{}, false
		}
		return inRange(time.Unix(0, n))
	})
}

// timeSetter reads a text of the layout. Its digits of fractions of a second may always follow the seconds.
func (e *entry) timeSetter() (setter, error) {
	layout, err := goLayout(e.Layout)
	if err != nil {
		return nil, err
	}
	zone := time.UTC
	if e.Zone != "" {
		if zone, err = time.LoadLocation(e.Zone); err != nil || e.Zone == time.Local.String() {
			return nil, fmt.Errorf("the zone %q is not known: want a name such as Europe/Berlin, or UTC", e.Zone)
		}
	}
	return timeSetter(func(text []byte) (time.Time, bool) {
		t, err := time.ParseInLocation(layout, string(text), zone)
		if err != nil {
			return t, false
		}
		return inRange(t)
	}), nil
}

func timeSetter(parse func(text []byte) (time.Time, bool)) setter {
	return func(d *assembler, e *sundew.Event, text []byte) bool {
		t, ok := parse(text)
		if !ok {
			d.badTime = append(d.badTime[:0], text...)
			return false
		}
		e.Time = t
		return true
	}
}

// strftimeParts are the conversions of strftime (POSIX) that a layout may have, in Go's notation.
var strftimeParts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'j': "002", 'b': "Jan", 'h': "Jan", 'B': "January",
	'a': "Mon", 'A': "Monday", 'H': "15", 'I': "03", 'p': "PM", 'M': "04", 'S': "05", 'z': "-0700",
	'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04", '%': "%",
}

// goLayout turns a layout of strftime into Go's. Text in between must have no digits and no letters but T and Z, which
// Go might take for a part of a time.
func goLayout(layout string) (string, error) {
	var out bytes.Buffer
	for i := 0; i < len(layout); i++ {
		c := layout[i]
		if c != '%' {
			if isAlphanumeric(c) && c != 'T' && c != 'Z' || c == '_' {
				return "", fmt.Errorf("the layout %q has the text %q: want conversions of strftime, as in %%Y-%%m-%%d %%H:%%M:%%S", layout, c)
			}
			out.WriteByte(c)
			continue
		}
		i++
		if i == len(layout) || strftimeParts[layout[i]] == "" {
			return "", fmt.Errorf("the layout %q has a conversion that is not known: want %%Y %%m %%d %%H %%M %%S %%z and others of strftime", layout)
		}
		out.WriteString(strftimeParts[layout[i]])
	}
	return out.String(), nil
}
