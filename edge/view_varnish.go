package edge

import (
	"bufio"
	"fmt"

	"sundew"
)

var _ = register(viewVarnish())

// viewVarnish is VCL to include: an ACL of addresses and networks for each action, sundew_tarpit, sundew_challenge and
// sundew_block, empty ones too, so that what names them always compiles.
func viewVarnish() view {
	return view{extension: "varnish", mediaType: "text/plain; charset=utf-8", narrow: networksEnforced, write: writeVarnish}
}

func writeVarnish(w *bufio.Writer, s snapshot) error {
	lists := map[sundew.Action][]*sundew.Decision{}
	for d := range s.hardest {
		lists[d.Action] = append(lists[d.Action], d)
	}
	for action := sundew.ActionTarpit; action <= sundew.ActionBlock; action++ {
		_, _ = fmt.Fprintf(w, "acl sundew_%s {\n", action) // the writer keeps its first error for the next write
		for _, d := range lists[action] {
			network, ok := networkOf(d.Entity)
			if !ok {
				s.omit("key")
				continue
			}
			_, _ = fmt.Fprintf(w, "\t%q/%d;\n", network.Addr(), network.Bits())
		}
		if _, err := w.WriteString("}\n"); err != nil {
			return err
		}
	}
	return nil
}
