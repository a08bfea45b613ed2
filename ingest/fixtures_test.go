package ingest

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"sundew"
)

var update = flag.Bool("update", false, "write what the decoders make of testdata/formats, to be read before it is committed")

// TestFormatFixtures reads the fixture of every format by its name, and again with detection from the first line on. An
// unreadable line stands as its error, one without a request as an empty object.
func TestFormatFixtures(t *testing.T) {
	for _, f := range Formats() {
		t.Run(f.Name, func(t *testing.T) {
			base := filepath.Join("testdata", "formats", f.Name)
			lines, err := os.ReadFile(base + ".log")
			if err != nil {
				t.Fatal(err)
			}
			got := decodeAll(t, f.New(), lines)
			if *update {
				if err := os.WriteFile(base+".ndjson", got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(base + ".ndjson")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			d := newAuto(formatTable())
			if detected := decodeAll(t, d, lines); !bytes.Equal(detected, want) {
				t.Errorf("detection, last as %s, gives\n%swant\n%s", d.formatName(), detected, want)
			}
			if name := d.formatName(); name != f.Name && (name != "nginx" || f.Name != "apache") {
				t.Errorf("detected as %s", name)
			}
		})
	}
}

// TestEventsKeepNoBytesOfTheLine overwrites each line after decoding.
func TestEventsKeepNoBytesOfTheLine(t *testing.T) {
	for _, f := range Formats() {
		lines, err := os.ReadFile(filepath.Join("testdata", "formats", f.Name+".log"))
		if err != nil {
			t.Fatal(err)
		}
		d, events := f.New(), 0
		for line := range bytes.Lines(lines) {
			e := sundew.NewEvent()
			if d.Decode(line, &e) != nil {
				continue
			}
			events++
			before := string(e.AppendJSON(nil))
			clear(line)
			if after := string(e.AppendJSON(nil)); after != before {
				t.Errorf("%s: the event changed with the line:\n%s\n%s", f.Name, before, after)
			}
		}
		if events == 0 {
			t.Errorf("%s: no event", f.Name)
		}
	}
}

func decodeAll(t *testing.T, d Decoder, lines []byte) []byte {
	t.Helper()
	var all []byte
	for line := range bytes.Lines(lines) {
		e := sundew.NewEvent()
		switch err := d.Decode(bytes.TrimRight(line, "\n"), &e); {
		case err == nil:
			all = e.AppendJSON(all)
		case errors.Is(err, ErrNoEvent):
			all = append(all, "{}"...)
		default:
			all = append(all, err.Error()...)
		}
		all = append(all, '\n')
	}
	return all
}

// FuzzFormats holds every decoder, with the state that a first line leaves, to its promises.
func FuzzFormats(f *testing.F) {
	formats := Formats()
	for i, format := range formats {
		lines, err := os.ReadFile(filepath.Join("testdata", "formats", format.Name+".log"))
		if err != nil {
			f.Fatal(err)
		}
		parts := bytes.SplitN(bytes.TrimSpace(lines), []byte("\n"), 2)
		f.Add(uint8(i), parts[0], parts[len(parts)-1])
	}
	f.Fuzz(func(t *testing.T, which uint8, first, second []byte) {
		d := formats[int(which)%len(formats)].New()
		check(t, d, first)
		check(t, d, second)
		check(t, newAuto(formatTable()), second)
	})
}

// FuzzLayout compiles layouts and reads lines with what comes of them.
func FuzzLayout(f *testing.F) {
	f.Add("nginx:$remote_addr [$time_local] \"$request\" $status", []byte(`192.0.2.7 [24/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200`))
	f.Add(`apache:%h %l %u %t \"%r\" %>s %O \"%{Referer}i\"`, []byte(nginxLine))
	f.Fuzz(func(t *testing.T, name string, line []byte) {
		d, err := NewDecoder(name)
		if err != nil {
			return
		}
		check(t, d, line)
	})
}
