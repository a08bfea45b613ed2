package edge

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sundew"
)

// restore puts the list file in force, as fresh as the file is, and says whether there was one. A file that is damaged
// is left for whoever wants to look at it, until the next list replaces it.
func (f *Follower) restore(ctx context.Context) bool {
	if f.ListFile == "" {
		return false
	}
	list, allow, at, err := loadList(f.ListFile, f.MaxEntries)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		f.metrics.refused.WithLabelValues("list_file").Inc()
		f.logger.WarnContext(ctx, "list file not used, starting without decisions", "file", f.ListFile, "error", err)
		return false
	}
	f.allow, f.saved, f.savedAt, f.issued = allow, list.Cursor, at, at
	f.table.Replace(list, append(allow, f.Allow...))
	f.table.SetStale(at.Add(f.MaxStale))
	f.metrics.entries.Set(float64(f.table.Len()))
	f.logger.InfoContext(ctx, "list file in force", "file", f.ListFile, "cursor", list.Cursor.String(), "decisions", len(list.Decisions), "written", at)
	return true
}

func loadList(name string, limit int) (list sundew.Blocklist, allow []sundew.Entity, written time.Time, err error) {
	file, err := os.Open(name)
	if err != nil {
		return list, nil, written, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return list, nil, written, err
	}
	list, _, allow, err = readSnapshot(file, asItIs, func(count int) error {
		if count > limit {
			return refused("too_long", "%d decisions, at most %d are believed", count, limit)
		}
		return nil
	})
	return list, allow, info.ModTime(), err
}

// asItIs believes the header of a file that we have written ourselves.
func asItIs(line []byte) ([]byte, error) { return line, nil }

// save writes the list to its file, unless it was done within the interval. The file's time is that of the last answer,
// because it says how fresh the list was.
func (f *Follower) save(ctx context.Context, interval time.Duration) {
	now := time.Now()
	if f.ListFile == "" || f.answered.IsZero() || now.Sub(f.savedAt) < interval {
		return
	}
	if err := f.writeList(); err != nil {
		f.logger.ErrorContext(ctx, "list file not written, a restart would begin with an older list", "file", f.ListFile, "error", err)
	}
	f.savedAt = now
}

func (f *Follower) writeList() error {
	if c := f.table.current.Load(); c.cursor != f.saved {
		if err := replaceFile(f.ListFile, func(w *bufio.Writer) error { return writeContents(w, c, f.allow) }); err != nil {
			return err
		}
		f.saved = c.cursor
	}
	return os.Chtimes(f.ListFile, f.answered, f.answered)
}

// writeContents writes the form of viewNDJSON.
func writeContents(w io.Writer, c *contents, allow []sundew.Entity) error {
	ds := c.sorted()
	h := header{Cursor: c.cursor.String(), Count: len(ds), SHA256: sumOfPointers(ds)}
	for _, e := range allow {
		h.Allow = append(h.Allow, e.String())
	}
	lines := json.NewEncoder(w)
	if err := lines.Encode(h); err != nil {
		return err
	}
	for _, d := range ds {
		if err := lines.Encode(d); err != nil {
			return fmt.Errorf("decision %s: %w", d.ID, err)
		}
	}
	return nil
}

// replaceFile writes beside the file and then takes its place, so that a reader finds the old or the new list, whole.
func replaceFile(name string, write func(*bufio.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	w := bufio.NewWriterSize(file, 64<<10)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
