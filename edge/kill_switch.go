package edge

import (
	"os"
	"sync/atomic"
	"time"
)

// killCheck is how long it takes at most until the proxy notices that the kill file has come or gone.
const killCheck = time.Second

// A killSwitch turns enforcement off while a file exists.
type killSwitch struct {
	file    string
	checked atomic.Int64 // nanoseconds since 1970
	thrown  atomic.Bool
}

// off looks at the file at most once per killCheck, whatever the number of requests.
func (k *killSwitch) off(now time.Time) bool {
	if k.file == "" {
		return false
	}
	last := k.checked.Load()
	if since := now.UnixNano() - last; (since < 0 || since >= int64(killCheck)) && k.checked.CompareAndSwap(last, now.UnixNano()) {
		_, err := os.Stat(k.file)
		k.thrown.Store(err == nil)
	}
	return k.thrown.Load()
}
