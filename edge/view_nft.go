package edge

import (
	"bufio"
	"fmt"
	"net/netip"
	"time"

	"github.com/gaissmai/bart"
)

var _ = register(viewNFT())

// viewNFT is input for "nft -f -": blocked networks in the sets sundew4 and sundew6 of the table "inet sundew", each with
// the seconds that are left of its decision. The kernel swaps the whole sets at once and forgets each element by itself.
// The rules that look the sets up are the administrator's and stay as they are.
func viewNFT() view {
	return view{extension: "nft", mediaType: "text/plain; charset=utf-8", narrow: networksBlocked, write: writeNFT}
}

// maxNFTTimeout keeps a timeout within what the kernel takes in milliseconds of 64 bits and tools print.
const maxNFTTimeout = 365 * 24 * time.Hour

func writeNFT(w *bufio.Writer, s snapshot) error {
	wide := new(bart.Lite)
	var networks []netip.Prefix
	var left []time.Duration
	for d := range s.hardest {
		network, ok := networkOf(d.Entity)
		if !ok || network.Bits() == 0 {
			s.omit("key") // everybody is no element of a set
			continue
		}
		wide.Insert(network)
		networks, left = append(networks, network), append(left, d.Expires.Sub(s.at))
	}
	for _, set := range []struct{ name, kind string }{{"sundew4", "ipv4_addr"}, {"sundew6", "ipv6_addr"}} {
		// A set that is there already keeps its rules; only its elements change.
		_, err := fmt.Fprintf(w, "add table inet sundew\nadd set inet sundew %s { type %s; flags interval, timeout; }\nflush set inet sundew %s\n", set.name, set.kind, set.name)
		if err != nil {
			return err
		}
	}
	for i, network := range networks {
		if covered(wide, network) {
			s.omit("covered") // elements of an interval set may not overlap
			continue
		}
		seconds := min(maxNFTTimeout, max(time.Second, left[i])) / time.Second
		if _, err := fmt.Fprintf(w, "add element inet sundew %s { %s timeout %ds }\n", ipSetOf(network), network, seconds); err != nil {
			return err
		}
	}
	return nil
}

// covered says whether a wider network of the list holds the whole of this one.
func covered(list *bart.Lite, network netip.Prefix) bool {
	for wide := range list.Supernets(network) {
		if wide != network {
			return true
		}
	}
	return false
}
