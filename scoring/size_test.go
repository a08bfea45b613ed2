package scoring

import (
	"testing"
	"unsafe"
)

// TestHotStateFillsCacheLines holds the part that every event of everybody needs to four of them.
func TestHotStateFillsCacheLines(t *testing.T) {
	if size := unsafe.Sizeof(hot{}); size > 256 {
		t.Errorf("the hot part of a state takes %d bytes, at most 256", size)
	}
}
