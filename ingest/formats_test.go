package ingest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"sundew"
)

func TestFormatsAreSortedAndNamedOnce(t *testing.T) {
	formats := Formats()
	if !slices.IsSortedFunc(formats, func(a, b Format) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted by name")
	}
	seen := map[string]bool{autoName: true, "": true}
	for _, f := range formats {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if seen[name] {
				t.Errorf("the name %q is taken twice", name)
			}
			seen[name] = true
			if _, err := NewDecoder(name); err != nil {
				t.Errorf("decoder of %q: %v", name, err)
			}
		}
		if f.Help == "" || f.Likely == nil {
			t.Errorf("%s lacks help or detection", f.Name)
		}
	}
}

func TestUnknownFormatSaysWhatIsMeant(t *testing.T) {
	tests := []struct{ name, want string }{
		{"ngnix", `did you mean "nginx"?`},
		{"JSON", `did you mean "json"?`},
		{"apache2", `did you mean "apache"?`},
		{"cobol", "known: auto, akamai-siem, apache, "},
	}
	for _, tt := range tests {
		_, err := NewDecoder(tt.name)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
		if tt.name == "cobol" && strings.Contains(err.Error(), "did you mean") {
			t.Errorf("%s is near nothing: %v", tt.name, err)
		}
	}
}

const (
	nginxLine = `192.0.2.7 - - [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"`
	jsonLine  = `{"timestamp":"2026-11-24T12:00:00Z","client.address":"192.0.2.7"}`
)

func TestAutoFollowsAStreamThatChangesItsFormat(t *testing.T) {
	d, err := NewDecoder(autoName)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		line := nginxLine
		if i/20%2 == 1 {
			line = jsonLine
		}
		if i%10 == 9 {
			line = "<190>Nov 24 12:00:00 web nginx: " + line
		}
		if _, err := decodeOne(t, d, line); err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		want := []string{"nginx", "canonical-json"}[i/20%2]
		if got := d.(*auto).formatName(); got != want {
			t.Fatalf("line %d: read as %s, want %s", i, got, want)
		}
	}
}

func TestAutoErrors(t *testing.T) {
	tests := []struct{ name, line, reason string }{
		{"nothing like it", "a b c", "format not recognised"},
		{"the error of the format that it looks like", `{"timestamp":1}`, "client address missing"},
		{"access log with a host name", `h.example - - [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 1`, "client address is not an IP address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decodeOne(t, newAuto(formatTable()), tt.line)
			if bad, ok := errors.AsType[*LineError](err); !ok || bad.Reason != tt.reason {
				t.Errorf("got %v, want %s", err, tt.reason)
			}
		})
	}
}

// headed is a format with a header line that its decoder must see.
type headed struct{ seen bool }

func (h *headed) Decode(line []byte, e *sundew.Event) error {
	if bytes.HasPrefix(line, []byte("#Fields")) {
		h.seen = true
		return ErrNoEvent
	}
	if !h.seen {
		return &LineError{Reason: "header missing"}
	}
	return newCombined().Decode([]byte(nginxLine), e)
}

func TestAutoKeepsTheStateOfADecoder(t *testing.T) {
	d := newAuto(append(formatTable(), Format{
		Name: "headed", New: func() Decoder { return &headed{} },
		Likely: func(line []byte) bool { return line[0] == '#' || line[0] == '=' },
	}))
	for i, line := range []string{"#Fields a b", "= 1", jsonLine, "= 2"} {
		if _, err := decodeOne(t, d, line); (i == 0) != errors.Is(err, ErrNoEvent) || (i > 0 && err != nil) {
			t.Errorf("line %d: %v", i, err)
		}
	}
}
