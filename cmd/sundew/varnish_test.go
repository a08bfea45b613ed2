//go:build unix

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sundew"
)

// TestVarnish runs the recipe with the real program: blocked clients are refused, tarpitted ones turned away when they
// hurry, everybody else is served, and a new list holds after a reload.
func TestVarnish(t *testing.T) {
	program := gatewayNamed(t, "varnishd")
	changes, feed := listOf(t, map[string]sundew.Action{"127.0.9.1": sundew.ActionTarpit, "127.0.9.4": sundew.ActionBlock})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer api.Close()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Varnish reads it as another user
		t.Fatal(err)
	}
	pull := func() string {
		lists, err := fetch(t, feed+"/feed/v1/snapshot.varnish")
		if err != nil {
			t.Fatal(err)
		}
		return written(t, dir, "sundew-lists.vcl", lists)
	}
	text, err := os.ReadFile("../../deploy/varnish/sundew.vcl")
	if err != nil {
		t.Fatal(err)
	}
	recipe := written(t, dir, "sundew.vcl", strings.NewReplacer(
		"/etc/varnish/sundew-lists.vcl", pull(), `"9080"`, `"`+portOf(api.Listener.Addr().String())+`"`,
	).Replace(string(text)))
	front, state := freeAddress(t), filepath.Join(dir, "state")
	startGateway(t, program, []string{"-F", "-a", front, "-f", recipe, "-n", state, "-s", "malloc,16m", "-j", "none"})
	visit := func(client string) int {
		status, _ := visitFrom(t, client, "http://"+front+"/orders?id=7")
		return status
	}
	eventually(t, "varnish answers", func() bool { return visit("127.0.9.2") == http.StatusOK })
	if got := visit("127.0.9.4"); got != http.StatusForbidden {
		t.Errorf("who is blocked: %d", got)
	}
	for i, want := range []int{200, 200, 200, 429} {
		if got := visit("127.0.9.1"); got != want {
			t.Errorf("request %d of who is tarpitted: %d, want %d", i+1, got, want)
		}
	}
	changes.Withdraw(sundew.Entity{Kind: sundew.KindIP, Key: "127.0.9.4"}, "test")
	pull()
	for _, words := range [][]string{{"vcl.load", "next", recipe}, {"vcl.use", "next"}} {
		admin := exec.CommandContext(t.Context(), "varnishadm", append([]string{"-n", state}, words...)...)
		if out, err := admin.CombinedOutput(); err != nil {
			t.Fatalf("varnishadm %q: %v\n%s", words, err, out)
		}
	}
	began := time.Now()
	eventually(t, "who left the list is served", func() bool { return visit("127.0.9.4") == http.StatusOK })
	t.Logf("a new list holds %d ms after it was loaded", time.Since(began).Milliseconds())
}
