//go:build unix

package edge

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"sundew"
)

// TestNFT loads lists into the kernel, in a network namespace of the test's own, one over the other.
func TestNFT(t *testing.T) {
	l, _ := newTestLog()
	server := newFeedServer(t, FeedConfig{}, l)
	publish(t, l,
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"),
		decision(t, "ip:198.51.100.7", sundew.ActionBlock, "scan"), // in the network of the next
		decision(t, "prefix:198.51.100.0/24", sundew.ActionBlock, "scan"),
		decision(t, "ip:2001:db8::1", sundew.ActionBlock, "scan"),
		decision(t, "prefix:2001:db8:7::/64", sundew.ActionBlock, "scan"),
		decision(t, "prefix:0.0.0.0/0", sundew.ActionBlock, "scan"),
		decision(t, "ip:192.0.2.3", sundew.ActionTarpit, "scan"),
	)
	list := func() string { return ask(t, http.MethodGet, server.URL+"/feed/v1/snapshot.nft").body }
	first := list()
	const elements = `add element inet sundew sundew4 { 192.0.2.1/32 timeout 3600s }
add element inet sundew sundew6 { 2001:db8::1/128 timeout 3600s }
add element inet sundew sundew4 { 198.51.100.0/24 timeout 3600s }
add element inet sundew sundew6 { 2001:db8:7::/64 timeout 3600s }
`
	if !strings.HasSuffix(first, elements) || strings.Count(first, "add element") != 4 {
		t.Errorf("got\n%s", first)
	}
	l.Withdraw(sundew.Entity{Kind: sundew.KindPrefix, Key: "198.51.100.0/24"}, "scan")
	second := list()

	nft := program(t, "nft")
	load := exec.CommandContext(t.Context(), "unshare", "--net", "--map-root-user", "sh", "-ec",
		`"$0" -f -; "$0" list table inet sundew`, nft)
	load.Stdin = strings.NewReader(first + second)
	out, err := load.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for listed, want := range map[string]bool{"192.0.2.1": true, "198.51.100.7": true, "198.51.100.0/24": false, "2001:db8:7::/64": true, "192.0.2.3": false} {
		if strings.Contains(string(out), listed+" timeout 1h") != want {
			t.Errorf("%s is listed: %v, want %v\n%s", listed, !want, want, out)
		}
	}
}
