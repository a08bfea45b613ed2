package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sundew"
)

// memo is a Stateful that holds text; it refuses what does not start with its mark.
type memo struct{ text string }

const mark = "memo:"

func (m *memo) AppendState(dst []byte) []byte { return append(append(dst, mark...), m.text...) }

func (m *memo) RestoreState(src []byte) error {
	text, found := strings.CutPrefix(string(src), mark)
	if !found {
		m.text = ""
		return errors.New("no memo")
	}
	m.text = text
	return nil
}

// shelf is a directory of snapshots with two parts, a clock and what was logged.
type shelf struct {
	*Snapshots
	scorer, policy *memo
	now            time.Time
	log            *bytes.Buffer
}

func openShelf(t *testing.T, dir string) *shelf {
	t.Helper()
	s := &shelf{scorer: &memo{}, policy: &memo{}, now: noon, log: &bytes.Buffer{}}
	var err error
	s.Snapshots, err = OpenSnapshots(dir, 10*time.Second, 3, func() time.Time { return s.now }, slog.New(slog.NewTextHandler(s.log, nil)),
		NamedState{"scorer", s.scorer}, NamedState{"policy", s.policy})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// save writes the state at an offset, which is also the text of both parts.
func (s *shelf) save(t *testing.T, next int64) {
	t.Helper()
	s.scorer.text, s.policy.text = fmt.Sprint("scorer at ", next), fmt.Sprint("policy at ", next)
	if err := s.Checkpoint(t.Context(), sundew.Position{Partition: 7, Next: next}, true); err != nil {
		t.Fatal(err)
	}
}

func file(dir string, next int64) string {
	return filepath.Join(dir, "p0007", fmt.Sprintf("%012d.snap", next))
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "p0007"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestSnapshotsGoOnWhereTheyEnded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "snapshots")
	s := openShelf(t, dir)
	if next, found, err := s.Restore(7); next != 0 || found || err != nil {
		t.Errorf("of an empty directory: %d, %v, %v", next, found, err)
	}
	for next := range int64(5) {
		s.save(t, next*100)
	}
	equal(t, "files", files(t, dir), []string{"000000000200.snap", "000000000300.snap", "000000000400.snap"})

	again := openShelf(t, dir)
	next, found, err := again.Restore(7)
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	equal(t, "state", []any{next, again.scorer.text, again.policy.text}, []any{int64(400), "scorer at 400", "policy at 400"})
	if _, found, err := again.Restore(8); found || err != nil {
		t.Errorf("of another partition: found %v, %v", found, err)
	}
}

func TestCheckpointWritesOnceInAWhile(t *testing.T) {
	dir := t.TempDir()
	s := openShelf(t, dir)
	steps := []struct {
		name    string
		after   time.Duration
		force   bool
		written bool
	}{
		{"the first", 0, false, true},
		{"too early", 9999 * time.Millisecond, false, false},
		{"early, but forced", 9999 * time.Millisecond, true, true},
		{"too early after the forced one", 19 * time.Second, false, false},
		{"after the interval, to the tick", 19999 * time.Millisecond, false, true},
	}
	for i, step := range steps {
		s.now = noon.Add(step.after)
		next := int64(i + 1)
		if err := s.Checkpoint(t.Context(), sundew.Position{Partition: 7, Next: next}, step.force); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(file(dir, next))
		if written := err == nil; written != step.written {
			t.Errorf("%s: written %v, want %v", step.name, written, step.written)
		}
	}
}

// TestBrokenSnapshots has one good snapshot at 100 and damages the newer one at 200.
func TestBrokenSnapshots(t *testing.T) {
	repack := func(t *testing.T, name string, change func(unpacked []byte) []byte) {
		t.Helper()
		packed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		packed, err = pack(change(unpacked))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, packed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace := func(t *testing.T, name string, change func(packed []byte) []byte) {
		t.Helper()
		packed, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, change(packed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		damage func(t *testing.T, name string)
		logged string
	}{
		{"torn", func(t *testing.T, name string) {
			replace(t, name, func(b []byte) []byte { return b[:len(b)/2] })
		}, "unexpected EOF"},
		{"empty", func(t *testing.T, name string) {
			replace(t, name, func([]byte) []byte { return nil })
		}, "no snapshot of sundew"},
		{"not packed", func(t *testing.T, name string) {
			replace(t, name, func([]byte) []byte { return []byte("hello") })
		}, "magic number"},
		{"a flipped bit inside", func(t *testing.T, name string) {
			repack(t, name, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
		}, "checksum"},
		{"short inside", func(t *testing.T, name string) {
			repack(t, name, func(b []byte) []byte { return b[:12] })
		}, "checksum"},
		{"a section longer than the file", func(t *testing.T, name string) {
			repack(t, name, func(b []byte) []byte {
				binary.LittleEndian.PutUint64(b[bytes.Index(b, []byte("policy"))+6:], 1<<60)
				return sealed(b[:len(b)-4])
			})
		}, "ends too early"},
		{"bytes behind the last section", func(t *testing.T, name string) {
			repack(t, name, func(b []byte) []byte { return sealed(append(b[:len(b)-4], 0)) })
		}, "follow the last section"},
		{"under another name", func(t *testing.T, name string) {
			repack(t, name, func(b []byte) []byte { b[14]++; return sealed(b[:len(b)-4]) })
		}, "not what its name says"},
		{"refused by its part", func(t *testing.T, name string) {
			repack(t, name, func(b []byte) []byte {
				b[bytes.Index(b, []byte("policy"))+6+8] = 'x'
				return sealed(b[:len(b)-4])
			})
		}, "section policy: no memo"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := openShelf(t, dir)
			s.save(t, 100)
			s.save(t, 200)
			test.damage(t, file(dir, 200))

			again := openShelf(t, dir)
			next, found, err := again.Restore(7)
			if err != nil || !found {
				t.Fatalf("found %v, %v", found, err)
			}
			equal(t, "state", []any{next, again.scorer.text, again.policy.text}, []any{int64(100), "scorer at 100", "policy at 100"})
			for _, want := range []string{file(dir, 200), test.logged} {
				if !strings.Contains(again.log.String(), want) {
					t.Errorf("the log does not say %q: %s", want, again.log)
				}
			}

			if err := os.Remove(file(dir, 100)); err != nil {
				t.Fatal(err)
			}
			alone := openShelf(t, dir)
			if next, found, err := alone.Restore(7); next != 0 || found || err != nil {
				t.Errorf("without a good one: %d, %v, %v", next, found, err)
			}
			equal(t, "parts as new", []string{alone.scorer.text, alone.policy.text}, []string{"", ""})
		})
	}
}

// sealed adds the checksum, computed here by hand.
func sealed(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	dir := t.TempDir()
	s := openShelf(t, dir)
	s.save(t, 200)
	whole, err := os.ReadFile(file(dir, 200))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(whole) * 8 {
		flipped := slices.Clone(whole)
		flipped[i/8] ^= 1 << (i % 8)
		unpacked, err := unpack(flipped)
		if err != nil {
			continue
		}
		var content snapshot
		content, err = readSnapshot(unpacked)
		if _, ok := errors.AsType[*newerSnapshotError](err); ok {
			t.Errorf("bit %d makes it a newer format", i)
		}
		// Some bits of a frame's header say nothing about its content, such as the window that a decoder needs.
		if err == nil && (content.next != 200 || string(content.sections[0].state) != "memo:scorer at 200" || string(content.sections[1].state) != "memo:policy at 200") {
			t.Errorf("bit %d changes the content unseen", i)
		}
	}
}

func TestANewerFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openShelf(t, dir)
	s.save(t, 100)
	packed, err := pack(append([]byte(snapshotMagic), snapshotVersion+1, 0, 'x'))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file(dir, 200), packed, 0o600); err != nil {
		t.Fatal(err)
	}
	again := openShelf(t, dir)
	_, found, err := again.Restore(7)
	if err == nil || found {
		t.Fatalf("found %v, %v", found, err)
	}
	for _, want := range []string{file(dir, 200), "version 2", "newer sundew"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	equal(t, "parts as new", []string{again.scorer.text, again.policy.text}, []string{"", ""})
}

func TestSectionsMayComeAndGo(t *testing.T) {
	dir := t.TempDir()
	openShelf(t, dir).save(t, 100)
	var log bytes.Buffer
	scorer, added := &memo{}, &memo{"fresh"}
	s, err := OpenSnapshots(dir, 0, 3, time.Now, slog.New(slog.NewTextHandler(&log, nil)), NamedState{"added", added}, NamedState{"scorer", scorer})
	if err != nil {
		t.Fatal(err)
	}
	next, found, err := s.Restore(7)
	if err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	equal(t, "state", []any{next, scorer.text, added.text}, []any{int64(100), "scorer at 100", "fresh"})
	for _, want := range []string{"section=policy", "section=added"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, &log)
		}
	}
}

func TestNamesOfParts(t *testing.T) {
	tests := []struct {
		name  string
		parts []NamedState
	}{
		{"without a name", []NamedState{{"", &memo{}}}},
		{"the same name twice", []NamedState{{"a", &memo{}}, {"a", &memo{}}}},
		{"a name too long", []NamedState{{strings.Repeat("a", 256), &memo{}}}},
		{"too many", make([]NamedState, maxSections+1)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := OpenSnapshots(t.TempDir(), 0, 3, time.Now, quiet(), test.parts...); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestUnfinishedFilesAreNoSnapshots(t *testing.T) {
	dir := t.TempDir()
	s := openShelf(t, dir)
	s.save(t, 100)
	whole, err := os.ReadFile(file(dir, 100))
	if err != nil {
		t.Fatal(err)
	}
	// What a kill between writing and renaming leaves, and what somebody else put there.
	for _, name := range []string{file(dir, 200) + ".123.tmp", filepath.Join(dir, "p0007", "200.snap"), filepath.Join(dir, "p0007", "notes.txt")} {
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := openShelf(t, dir)
	if next, found, err := again.Restore(7); next != 100 || !found || err != nil {
		t.Errorf("got %d, %v, %v; want the finished one at 100", next, found, err)
	}
	again.save(t, 300)
	equal(t, "files after the next snapshot", files(t, dir), []string{"000000000100.snap", "000000000300.snap", "200.snap", "notes.txt"})
}

func TestADiskThatRefusesStopsNobody(t *testing.T) {
	dir := t.TempDir()
	s := openShelf(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "p0007"), nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	position := sundew.Position{Partition: 7, Next: 100}
	if err := s.Checkpoint(t.Context(), position, false); err != nil {
		t.Errorf("between batches: %v, want it logged only", err)
	}
	if !strings.Contains(s.log.String(), "snapshot not written") {
		t.Errorf("nothing was logged: %s", s.log)
	}
	if err := s.Checkpoint(t.Context(), position, true); err == nil {
		t.Error("at the end: no error, though nothing is safe")
	}
	if err := os.Remove(filepath.Join(dir, "p0007")); err != nil {
		t.Fatal(err)
	}
	s.save(t, 100)
	equal(t, "files once the disk is well", files(t, dir), []string{"000000000100.snap"})
}

func TestEqualStatesAreEqualFiles(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	openShelf(t, first).save(t, 100)
	openShelf(t, second).save(t, 100)
	a, err := os.ReadFile(file(first, 100))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file(second, 100))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("the files differ")
	}
}

// TestFormatStaysAsItIs has the bytes of version 1: a program that cannot read them loses the state of its users.
func TestFormatStaysAsItIs(t *testing.T) {
	got := appendSnapshot(nil, sundew.Position{Partition: 7, First: 1, Next: 258}, []NamedState{{"ab", &memo{"x"}}})
	want := "sundewSN" + "\x01\x00" + "\x07\x00\x00\x00" + "\x02\x01\x00\x00\x00\x00\x00\x00" + "\x01\x00\x00\x00" +
		"\x02\x00ab" + "\x06\x00\x00\x00\x00\x00\x00\x00" + "memo:x"
	equal(t, "bytes", string(got[:len(got)-4]), want)
	equal(t, "checksum", got, sealed([]byte(want)))
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add(appendSnapshot(nil, sundew.Position{Partition: 7, Next: 258}, []NamedState{{"ab", &memo{"x"}}, {"c", &memo{}}}))
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, sealed(slices.Clone(data))} {
			content, err := readSnapshot(data)
			if err != nil {
				continue
			}
			var parts []NamedState
			for _, section := range content.sections {
				parts = append(parts, NamedState{section.name, raw(section.state)})
			}
			again := appendSnapshot(nil, sundew.Position{Partition: content.partition, Next: content.next}, parts)
			if !bytes.HasPrefix(again[8+2:len(again)-4], data[8+2:len(data)-4]) {
				t.Errorf("read and written back it differs:\n%x\n%x", data, again)
			}
		}
	})
}

// raw is a state that is its own bytes.
type raw []byte

func (r raw) AppendState(dst []byte) []byte { return append(dst, r...) }

func (r raw) RestoreState([]byte) error { return nil }
