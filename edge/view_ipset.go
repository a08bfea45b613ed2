package edge

import (
	"bufio"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"sundew"
)

var _ = register(viewIPSet())

// viewIPSet is input for "ipset restore -!": blocked networks in the sets sundew4 and sundew6, each with the seconds
// that are left of its decision. The kernel forgets them by itself.
func viewIPSet() view {
	return view{extension: "ipset", mediaType: "text/plain; charset=utf-8", narrow: networksBlocked, write: writeIPSet}
}

func networksBlocked(asked filter) filter {
	asked.kinds = 1<<sundew.KindIP | 1<<sundew.KindPrefix
	if asked.actions == 0 {
		asked.actions = 1 << sundew.ActionBlock
	}
	return asked
}

// maxIPSetTimeout is the largest timeout that the kernel takes, in seconds.
const maxIPSetTimeout = 2147483

func writeIPSet(w *bufio.Writer, s snapshot) error {
	for _, set := range []string{"sundew4 hash:net family inet", "sundew6 hash:net family inet6"} {
		if _, err := fmt.Fprintf(w, "create %s maxelem %d timeout 0\n", set, max(65536, len(s.items))); err != nil {
			return err
		}
	}
	for d := range s.hardest {
		network, ok := networkOf(d.Entity)
		if !ok || network.Bits() == 0 {
			s.omit("key") // hash:net has no /0
			continue
		}
		_, _ = w.WriteString("add " + ipSetOf(network) + " " + d.Entity.Key + " timeout ") // the writer keeps its first error
		seconds := min(maxIPSetTimeout, max(1, int64(d.Expires.Sub(s.at)/time.Second)))
		_, _ = w.WriteString(strconv.FormatInt(seconds, 10))
		if err := w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

func ipSetOf(network netip.Prefix) string {
	if network.Addr().Is4() {
		return "sundew4"
	}
	return "sundew6"
}
