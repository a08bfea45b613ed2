package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Format is a way to write requests as lines. Each registers itself in a file of its own.
type Format struct {
	Name    string
	Aliases []string
	Help    string
	Rank    int            // place in the order of detection: the more special in front of the more general
	New     func() Decoder // for one stream
	// Likely says whether a line, which is not empty, looks like the format. It is cheap, and wrong at times: detection
	// decodes the line before it believes it.
	Likely func(line []byte) bool
	// Compile makes a decoder out of the log format as the server's configuration has it, as in
	// nginx:$remote_addr [$time_local] "$request" $status; nil where the server has no such thing.
	Compile func(layout string) (Decoder, error)
}

// Ranks of detection.
const (
	rankProduct = 100 // marks that one product alone writes
	rankFamily  = 200 // a shape that a family of products shares
	rankSyntax  = 300 // no more than a syntax
)

// registered is filled while the package initialises and only read after that.
var registered []Format

func addFormat(f Format) struct{} {
	registered = append(registered, f)
	return struct{}{}
}

// formatTable is every format, in the order of detection.
func formatTable() []Format {
	return slices.SortedFunc(slices.Values(registered), func(a, b Format) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Name, b.Name))
	})
}

// Formats returns every format but the detection "auto", sorted by name.
func Formats() []Format {
	return slices.SortedFunc(slices.Values(registered), func(a, b Format) int { return cmp.Compare(a.Name, b.Name) })
}

// NewDecoder returns a decoder for one stream of the named format or alias; "auto" and "" detect it from the content. A
// colon and a layout in the notation of the server's own configuration may follow the names nginx and apache; behind
// "mapping:" stands the file of a mapping of JSON.
func NewDecoder(name string) (Decoder, error) {
	if name == "" || name == autoName {
		return newAuto(formatTable()), nil
	}
	if file, ok := strings.CutPrefix(name, mappingPrefix); ok {
		return newMapped(file)
	}
	name, layout, custom := strings.Cut(name, ":")
	for _, f := range registered {
		if f.Name != name && !slices.Contains(f.Aliases, name) {
			continue
		}
		if !custom {
			return f.New(), nil
		}
		if f.Compile == nil {
			return nil, fmt.Errorf("log format %q takes no layout, only nginx and apache do", name)
		}
		d, err := f.Compile(layout)
		if err != nil {
			return nil, fmt.Errorf("layout of log format %q: %w", name, err)
		}
		return d, nil
	}
	return nil, unknownFormat(name)
}

func unknownFormat(name string) error {
	known := []string{autoName}
	for _, f := range Formats() {
		known = append(append(known, f.Name), f.Aliases...)
	}
	hint := ""
	if near, ok := nearest(name, known); ok {
		hint = fmt.Sprintf(", did you mean %q?", near)
	}
	return fmt.Errorf("unknown log format %q%s (known: %s)", name, hint, strings.Join(known, ", "))
}

// nearest returns the word with the smallest edit distance to name, where that is at most a third of its length.
func nearest(name string, words []string) (near string, ok bool) {
	least := 0
	for _, word := range words {
		d := editDistance(strings.ToLower(name), word)
		if d <= max(2, len(word)/3) && d < len(word) && (!ok || d < least) {
			near, least, ok = word, d, true
		}
	}
	return near, ok
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
