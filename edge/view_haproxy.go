package edge

import (
	"bufio"
	"strconv"

	"sundew"
)

var _ = register(viewHAProxy())

// viewHAProxy is a map file for map_ip, or with kinds=device for map_str: a key, a space, and the delay in milliseconds
// or, for the other actions, the word of the action. Without actions= it holds tarpits alone, so that every value is a
// number; take blocks as a second file with actions=block.
func viewHAProxy() view {
	return view{extension: "haproxy", mediaType: "text/plain; charset=utf-8", narrow: networksTarpitted, write: writeHAProxy}
}

func writeHAProxy(w *bufio.Writer, s snapshot) error {
	for d := range s.hardest {
		_, _ = w.WriteString(d.Entity.Key) // the writer keeps its first error for the next byte
		_ = w.WriteByte(' ')
		_, _ = w.WriteString(mapValue(d))
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// mapValue is the delay of a tarpit in milliseconds, or the word of another action.
func mapValue(d *sundew.Decision) string {
	if d.Action == sundew.ActionTarpit {
		return strconv.FormatInt(d.Delay.Milliseconds(), 10)
	}
	return d.Action.String()
}
