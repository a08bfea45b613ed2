package edge

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"sundew"
)

var _ = register(viewMMDB())

// viewMMDB is a MaxMind database (file format 2.0) of addresses and networks, for the many programs that can look one up:
//
//	{"action": "tarpit", "delay_ms": 2000, "expires": 1795521600, "rule": "login-bruteforce@3"}
//
// with the expiry in Unix seconds, which the reader must compare with its clock. A look-up gives the hardest decision
// that covers the address. The build time is that of the latest decision, so that equal lists are equal files.
func viewMMDB() view {
	return view{extension: "mmdb", mediaType: "application/vnd.maxmind.maxmind-db", narrow: networksEnforced, write: writeMMDB}
}

func writeMMDB(w *bufio.Writer, s snapshot) error {
	var ds []*sundew.Decision
	built := int64(1) // 0 would stand for the time of writing
	for d := range s.hardest {
		ds = append(ds, d)
		built = max(built, d.Time.Unix())
	}
	// What is inserted later replaces what is there, inside wider networks and over narrower ones.
	slices.SortStableFunc(ds, func(a, b *sundew.Decision) int {
		switch {
		case harder(b, a):
			return -1
		case harder(a, b):
			return 1
		}
		return 0
	})
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		BuildEpoch:              built,
		DatabaseType:            "sundew-decisions",
		Description:             map[string]string{"en": "Decisions in force at cursor " + s.cursor.String()},
		IncludeReservedNetworks: true, // private networks are clients too
		DisableIPv4Aliasing:     true,
	})
	if err != nil {
		return fmt.Errorf("mmdb: %w", err)
	}
	for _, d := range ds {
		network, ok := networkOf(d.Entity)
		if !ok {
			s.omit("key")
			continue
		}
		if err := tree.Insert(ipNet(network), mmdbRecord(d)); err != nil {
			return fmt.Errorf("mmdb: %s: %w", d.Entity, err)
		}
	}
	_, err = tree.WriteTo(w)
	return err
}

func mmdbRecord(d *sundew.Decision) mmdbtype.Map {
	return mmdbtype.Map{
		"action":   mmdbtype.String(d.Action.String()),
		"delay_ms": mmdbtype.Uint32(d.Delay.Milliseconds()),
		"expires":  mmdbtype.Uint64(max(d.Expires.Unix(), 0)),
		"rule":     mmdbtype.String(d.Rule),
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
