package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sundew"
)

// Snapshots keeps the scoring state of a partition in a directory, together with the offset that follows it, so that a
// restart goes on where the newest readable file ends. Because the state is a function of the log up to that offset, any
// file is right, whoever wrote it; the highest offset saves most work.
//
// Files are named p0007/000000123456.snap after partition and next offset. A file is complete or not there: it is written
// under a temporary name, synced, renamed, and the directory synced.
//
// Checkpoint and Restore are called from the goroutine of the pipeline, which owns the parts.
type Snapshots struct {
	dir   string
	every time.Duration
	keep  int
	clock func() time.Time
	log   *slog.Logger
	parts []NamedState

	mu   sync.Mutex
	last map[int32]time.Time // when each partition was tried last

	written, failed, broken prometheus.Counter
	bytes                   prometheus.Gauge
	seconds                 prometheus.Histogram
}

var _ sundew.Checkpointer = (*Snapshots)(nil)

// NamedState is a part of the state under the name of its section.
type NamedState struct {
	Name  string // unique among the parts, 1 to 255 bytes; it stands in every file, so it is not changed
	State sundew.Stateful
}

// OpenSnapshots makes the directory where it is absent. Checkpoint writes at most every so often, Restore reads, and the
// newest keep files of a partition, at least one, stay.
func OpenSnapshots(dir string, every time.Duration, keep int, clock func() time.Time, log *slog.Logger, parts ...NamedState) (*Snapshots, error) {
	if err := checkNames(parts); err != nil {
		return nil, fmt.Errorf("open snapshots %s: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	return &Snapshots{
		dir: dir, every: every, keep: max(1, keep), clock: clock, log: log, parts: slices.Clone(parts),
		last: map[int32]time.Time{},
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_store_snapshots_written_total", Help: "Snapshots of the scoring state written.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_store_snapshots_failed_total", Help: "Snapshots that could not be written; the one before holds.",
		}),
		broken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sundew_store_snapshots_broken_total", Help: "Snapshots passed over at a restart because they could not be read.",
		}),
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sundew_store_snapshot_bytes", Help: "Size of the last snapshot written.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sundew_store_snapshot_seconds", Help: "Time to write a snapshot.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
	}, nil
}

func checkNames(parts []NamedState) error {
	if len(parts) > maxSections {
		return fmt.Errorf("%d parts, at most %d fit", len(parts), maxSections)
	}
	seen := map[string]bool{}
	for _, part := range parts {
		if part.Name == "" || len(part.Name) > math.MaxUint8 || seen[part.Name] {
			return fmt.Errorf("part %q: names are unique and have 1 to 255 bytes", part.Name)
		}
		seen[part.Name] = true
	}
	return nil
}

// Register shows the counters of the snapshots.
func (s *Snapshots) Register(reg prometheus.Registerer) error {
	return register(reg, s.written, s.failed, s.broken, s.bytes, s.seconds)
}

// Checkpoint writes the state after at, unless the partition had its turn less than the interval ago; force writes now.
//
// Where the disk refuses, the file before stays, the refusal is logged and counted, and the pipeline goes on: a restart
// then repeats more of the log. Only a forced Checkpoint, the last of a run, returns the error.
func (s *Snapshots) Checkpoint(ctx context.Context, at sundew.Position, force bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := s.clock()
	if last, found := s.last[at.Partition]; found && !force && start.Sub(last) < s.every {
		return nil
	}
	s.last[at.Partition] = start

	size, err := s.write(at)
	if err != nil {
		s.failed.Inc()
		if force {
			return fmt.Errorf("write snapshot of partition %d at offset %d: %w", at.Partition, at.Next, err)
		}
		s.log.ErrorContext(ctx, "snapshot not written, the one before holds",
			"partition", at.Partition, "next", at.Next, "error", err)
		return nil
	}
	s.written.Inc()
	s.bytes.Set(float64(size))
	s.seconds.Observe(s.clock().Sub(start).Seconds())
	return nil
}

func (s *Snapshots) write(at sundew.Position) (size int, err error) {
	packed, err := pack(appendSnapshot(nil, at, s.parts))
	if err != nil {
		return 0, err
	}
	dir := s.partitionDir(at.Partition)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return 0, err
	}
	if err := writeWhole(filepath.Join(dir, snapshotName(at.Next)), packed); err != nil {
		return 0, err
	}
	return len(packed), s.tidy(dir)
}

// writeWhole makes the file appear under its name with all of its content, or not at all, even when the power fails.
func writeWhole(name string, content []byte) error {
	// The temporary name is random, so that a process which lost the partition and does not know yet disturbs nobody.
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*"+temporarySuffix)
	if err != nil {
		return err
	}
	if err := writeSynced(file, content); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), name); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncDir(filepath.Dir(name))
}

func writeSynced(file *os.File, content []byte) error {
	if _, err := file.Write(content); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := file.Sync(); err != nil {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// tidy removes all but the newest files, and what a crash left unfinished.
func (s *Snapshots) tidy(dir string) error {
	offsets, unfinished, err := list(dir)
	if err != nil {
		return err
	}
	for _, name := range unfinished {
		err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
	}
	for _, next := range offsets[:max(0, len(offsets)-s.keep)] {
		err = errors.Join(err, os.Remove(filepath.Join(dir, snapshotName(next))))
	}
	return err
}

// Restore brings the newest readable snapshot of the partition into the parts, which must be as New made them, and
// returns the offset to go on from. Where there is none, found is false and the parts are untouched.
//
// A file that is broken, or that a part refuses, is logged and the one before it is tried. A section that no part asks
// for, and a part without a section, are logged: that part starts afresh. A file of a newer format is an error, because
// going on from an older one would undo what the newer program did.
func (s *Snapshots) Restore(partition int32) (next int64, found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.partitionDir(partition)
	offsets, _, err := list(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("restore partition %d: %w", partition, err)
	}
	fresh := s.states()
	for _, next := range slices.Backward(offsets) {
		name := filepath.Join(dir, snapshotName(next))
		err := s.restoreFile(name, sundew.Position{Partition: partition, Next: next})
		var newer *newerSnapshotError
		switch {
		case err == nil:
			return next, true, nil
		case errors.As(err, &newer):
			return 0, false, fmt.Errorf("restore %s: %w: run the newer sundew that wrote it, or move the file away to start from an older one", name, err)
		}
		s.broken.Inc()
		s.log.Error("snapshot passed over", "file", name, "reason", err)
		if err := s.reset(fresh); err != nil {
			return 0, false, fmt.Errorf("restore partition %d: %w", partition, err)
		}
	}
	return 0, false, nil
}

func (s *Snapshots) restoreFile(name string, want sundew.Position) error {
	packed, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	unpacked, err := unpack(packed)
	if err != nil {
		return err
	}
	content, err := readSnapshot(unpacked)
	if err != nil {
		return err
	}
	if content.partition != want.Partition || content.next != want.Next {
		return fmt.Errorf("it holds partition %d up to offset %d, not what its name says", content.partition, content.next)
	}
	return s.restoreParts(name, content)
}

func (s *Snapshots) restoreParts(name string, content snapshot) error {
	restored := map[string]bool{}
	for _, section := range content.sections {
		i := slices.IndexFunc(s.parts, func(part NamedState) bool { return part.Name == section.name })
		if i < 0 {
			s.log.Warn("snapshot has a section that nothing asks for", "file", name, "section", section.name)
			continue
		}
		if err := s.parts[i].State.RestoreState(section.state); err != nil {
			return fmt.Errorf("section %s: %w", section.name, err)
		}
		restored[section.name] = true
	}
	for _, part := range s.parts {
		if !restored[part.Name] {
			s.log.Warn("snapshot lacks a section, the part starts afresh", "file", name, "section", part.Name)
		}
	}
	return nil
}

// states returns the state of each part.
func (s *Snapshots) states() [][]byte {
	states := make([][]byte, len(s.parts))
	for i, part := range s.parts {
		states[i] = part.State.AppendState(nil)
	}
	return states
}

// reset brings back the states from before a file was tried, since a part may have taken its section before another
// refused.
func (s *Snapshots) reset(states [][]byte) error {
	for i, part := range s.parts {
		if err := part.State.RestoreState(states[i]); err != nil {
			return fmt.Errorf("part %s refuses its own fresh state: %w", part.Name, err)
		}
	}
	return nil
}

const (
	snapshotSuffix  = ".snap"
	temporarySuffix = ".tmp"
)

func (s *Snapshots) partitionDir(partition int32) string {
	return filepath.Join(s.dir, fmt.Sprintf("p%04d", partition))
}

func snapshotName(next int64) string { return fmt.Sprintf("%012d%s", next, snapshotSuffix) }

// list returns the offsets of the snapshots in a directory, ascending, and the names of unfinished files.
func list(dir string) (offsets []int64, unfinished []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, temporarySuffix) {
			unfinished = append(unfinished, name)
			continue
		}
		next, err := strconv.ParseInt(strings.TrimSuffix(name, snapshotSuffix), 10, 64)
		if err == nil && name == snapshotName(next) {
			offsets = append(offsets, next)
		}
	}
	slices.Sort(offsets)
	return offsets, unfinished, nil
}
