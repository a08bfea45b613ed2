package edge

import (
	"bufio"
	"encoding/json"
)

var _ = register(viewNDJSON())

// viewNDJSON is the list as a Follower reads it: a header, then the decision records in order.
func viewNDJSON() view {
	return view{
		extension: "ndjson",
		mediaType: contentNDJSON,
		narrow:    func(asked filter) filter { return asked },
		write:     writeNDJSON,
	}
}

func writeNDJSON(w *bufio.Writer, s snapshot) error {
	head := header{Cursor: s.cursor.String(), Count: len(s.items), SHA256: s.sum()}
	for _, e := range s.allow.entities {
		head.Allow = append(head.Allow, e.String())
	}
	if s.signer != nil {
		head.Time = &s.at
	}
	line, _ := json.Marshal(head) // strings and a number
	_, _ = w.Write(s.signer.sign(purposeSnapshot, line))
	_ = w.WriteByte('\n')
	for _, it := range s.items {
		_, _ = w.Write(it.line) // the writer keeps its first error for the next byte
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}
