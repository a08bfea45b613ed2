package sim

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"sundew"
)

// WriteNDJSON writes the rest of the traffic as canonical JSON, one event a line, and returns how many it wrote. When ctx
// ends it writes out what it has and returns ctx's error.
func WriteNDJSON(ctx context.Context, t *Traffic, w io.Writer) (events int, err error) {
	out := bufio.NewWriterSize(w, 1<<16)
	line := make([]byte, 0, 1<<10)
	var e sundew.Event
	for ctx.Err() == nil {
		if _, more := t.next(&e); !more {
			break
		}
		line = append(e.AppendJSON(line[:0]), '\n')
		if _, err := out.Write(line); err != nil {
			return events, fmt.Errorf("write event: %w", err)
		}
		events++
	}
	if err := out.Flush(); err != nil {
		return events, fmt.Errorf("write event: %w", err)
	}
	return events, ctx.Err()
}
