//go:build unix

package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockDatabase keeps a second OpenDuckDB of the same file out, in this process as in others, and returns how to let go.
// Those who only read share it among themselves.
//
// The engine locks its file by fcntl, which holds per process: a second open in one process is not refused but waits for
// the first without end. An flock (flock(2)) belongs to the open file, so it tells the two apart. It stands on a file of
// its own, because closing any descriptor of the database file would drop the engine's lock. The lock ends with the
// process; the file stays.
func lockDatabase(path string, readOnly bool) (unlock func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	file, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	how := syscall.LOCK_EX
	if readOnly {
		how = syscall.LOCK_SH
	}
	err = syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		_ = file.Close()
		return nil, fmt.Errorf("open %s: %w, as the lock on %s.lock shows: stop the other sundew, or give this one another store path", path, ErrInUse, path)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s.lock: %w", path, err)
	}
	return file.Close, nil
}
