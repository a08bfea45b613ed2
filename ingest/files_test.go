package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sundew"
)

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gzipped(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drain reads a source to its end and returns everything in one batch.
func drain(ctx context.Context, s sundew.Source) (sundew.Batch, error) {
	var all sundew.Batch
	for {
		b, err := s.Next(ctx)
		if err != nil {
			return all, err
		}
		if b.Position.First != all.Position.Next {
			return all, fmt.Errorf("batch from %d follows one to %d", b.Position.First, all.Position.Next)
		}
		all.Events = append(all.Events, b.Events...)
		all.Rejected = append(all.Rejected, b.Rejected...)
		all.Position.Next = b.Position.Next
		if err := s.Commit(ctx, b); err != nil {
			return all, err
		}
	}
}

func TestFilesAreOneStream(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := write(t, "a.log", []byte("\ufeff"+nginxLine+"\r\n\n"+"rubbish\n"+nginxLine))
	packed := write(t, "b.log", gzipped(t, jsonLine+"\n"+"{}\n"))
	dense := write(t, "c.log", z.EncodeAll([]byte(nginxLine+"\n"), nil))
	empty := write(t, "d.log", nil)

	for _, size := range []int{1, 2, 4096} {
		var read, total int64
		files, err := OpenFiles([]string{plain, packed, dense, empty}, FileConfig{
			BatchSize:  size,
			OnProgress: func(r, t int64) { read, total = r, t },
		})
		if err != nil {
			t.Fatal(err)
		}
		all, err := drain(t.Context(), files)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		var offsets []int64
		for _, e := range all.Events {
			offsets = append(offsets, e.Offset)
		}
		if want := []int64{0, 3, 4, 6}; !reflect.DeepEqual(offsets, want) || all.Position.Next != 7 {
			t.Errorf("batches of %d: events at %v up to %d, want %v up to 7", size, offsets, all.Position.Next, want)
		}
		noon := all.Events[0].Time
		want := []sundew.DeadLetter{
			{Time: noon, Source: plain, Offset: 2, Format: "nginx", Reason: "format not recognised", Detail: "name it with --format", Line: "rubbish"},
			{Time: noon, Source: packed, Offset: 1, Format: "canonical-json", Reason: "timestamp missing", Detail: all.Rejected[1].Detail, Line: "{}"},
		}
		if !reflect.DeepEqual(all.Rejected, want) {
			t.Errorf("batches of %d: rejected\n%+v, want\n%+v", size, all.Rejected, want)
		}
		stats := files.Stats()
		if stats.Lines != 7 || stats.Parsed != 4 || stats.Skipped != 1 || stats.Rejected["timestamp missing"] != 1 {
			t.Errorf("batches of %d: %+v", size, stats)
		}
		if read == 0 || read != total {
			t.Errorf("batches of %d: progress %d of %d", size, read, total)
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
		if _, err := files.Next(t.Context()); err == nil {
			t.Error("a closed source gives batches")
		}
	}
}

func TestLongLinesBecomeDeadLetters(t *testing.T) {
	var content strings.Builder
	sizes := []int{sundew.MaxLine - 1, sundew.MaxLine, sundew.MaxLine + 1, sundew.MaxLine + 2, sundew.MaxLine + 3, 2*(sundew.MaxLine+2) - 1, maxEnvelope - 1, maxEnvelope, maxEnvelope + 1, maxEnvelope + 2, maxEnvelope + 3, 3_000_000}
	for _, size := range sizes {
		for _, end := range []string{"\n", "\r\n"} {
			content.WriteString(strings.Repeat("x", size) + end + nginxLine + end)
		}
	}
	files, err := OpenFiles([]string{write(t, "long.log", []byte(content.String()))}, FileConfig{Format: "nginx"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := drain(t.Context(), files)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if got, want := len(all.Events), 2*len(sizes); got != want {
		t.Errorf("%d lines behind long ones were read, want %d", got, want)
	}
	if got, want := files.Stats().Rejected[reasonTooLong], int64(2*10); got != want {
		t.Errorf("%d lines are too long, want %d", got, want)
	}
	for i, letter := range all.Rejected {
		size := sizes[i/2]
		if len(letter.Line) > sundew.MaxLine || (size > sundew.MaxLine && !strings.HasPrefix(letter.Detail, fmt.Sprint(size, " bytes"))) {
			t.Errorf("a dead letter of %d bytes keeps %d and says %q", size, len(letter.Line), letter.Detail)
		}
	}
}

// TestALineThatIsInFilesTwiceCountsOnce reads two files that share a stamped line, and one that has no stamp.
func TestALineThatIsInFilesTwiceCountsOnce(t *testing.T) {
	line := func(sequence uint64) string {
		e := event(func(e *sundew.Event) { e.Gateway, e.GatewayEpoch, e.GatewaySequence = "gw-1", 7, sequence })
		return string(e.AppendJSON(nil)) + "\n"
	}
	first := write(t, "a.log", []byte(line(1)+line(2)+jsonLine+"\n"+line(2)))
	second := write(t, "b.log", []byte(line(2)+line(3)+jsonLine+"\n"))
	for _, once := range []bool{true, false} {
		files, err := OpenFiles([]string{first, second}, FileConfig{Once: once})
		if err != nil {
			t.Fatal(err)
		}
		all, _ := drain(t.Context(), files)
		var offsets []int64
		for _, e := range all.Events {
			offsets = append(offsets, e.Offset)
		}
		want := []int64{0, 1, 2, 5, 6}
		if !once {
			want = []int64{0, 1, 2, 3, 4, 5, 6}
		}
		stats := files.Stats()
		if !reflect.DeepEqual(offsets, want) || stats.Parsed != int64(len(want)) || stats.Repeated != int64(7-len(want)) || stats.Lines != 7 {
			t.Errorf("once %v: events at %v, want %v; %+v", once, offsets, want, stats)
		}
	}
}

func TestTruncatedGzipGivesWhatIsThere(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var content strings.Builder
	for range 5000 {
		fmt.Fprintf(&content, "%s %d\n", nginxLine, random.Uint64())
	}
	packed := gzipped(t, content.String())
	path := write(t, "cut.log.gz", packed[:len(packed)/2])
	files, err := OpenFiles([]string{path}, FileConfig{Format: "nginx"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := drain(t.Context(), files)
	if err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "breaks off") {
		t.Errorf("got %v, want an error that names %s", err, path)
	}
	if n := len(all.Events); n < 1000 || n > 4000 {
		t.Errorf("%d of 5000 lines were delivered from half a file", n)
	}
}

func TestFilesThatCannotBeReadAreNamed(t *testing.T) {
	secret := write(t, "secret.log", []byte(nginxLine))
	if err := os.Chmod(secret, 0); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path, want string
	}{
		{"missing", "/no/such.log", "/no/such.log does not exist"},
		{"directory", t.TempDir(), "is a directory"},
		{"unreadable", secret, "may not be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.path == secret && os.Geteuid() == 0 {
				t.Skip("root reads everything")
			}
			_, err := OpenFiles([]string{tt.path}, FileConfig{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := OpenFiles(nil, FileConfig{}); err == nil {
		t.Error("no file is no error")
	}
	if _, err := OpenFiles([]string{"-"}, FileConfig{Format: "ngnix"}); err == nil {
		t.Error("an unknown format is no error")
	}
}

func TestFilesStopWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	files, err := OpenFiles([]string{write(t, "a.log", []byte(nginxLine))}, FileConfig{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := files.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if b, err := files.Next(t.Context()); err != nil || len(b.Events) != 1 {
		t.Errorf("the line is lost: %v, %v", b, err)
	}
}

// TestAPipeIsReadAsItFills replaces standard input by a pipe that stays open.
func TestAPipeIsReadAsItFills(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin := os.Stdin
	os.Stdin = r
	t.Cleanup(func() { os.Stdin = stdin; _ = r.Close(); _ = w.Close() })
	files, err := OpenFiles([]string{"-"}, FileConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := io.WriteString(w, nginxLine+"\n"+jsonLine+"\n"); err != nil {
			t.Fatal(err)
		}
		if b, err := files.Next(t.Context()); err != nil || len(b.Events) != 2 {
			t.Fatalf("got %d events, %v", len(b.Events), err)
		}
	}
}
