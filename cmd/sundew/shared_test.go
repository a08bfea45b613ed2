package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sundew"
)

// TestASharedAddressIsNotShutOut replays 40 people of a carrier behind one address, and one device there that stuffs
// passwords: known for a month, or made up today.
func TestASharedAddressIsNotShutOut(t *testing.T) {
	for age, most := range map[time.Duration]sundew.Action{30 * 24 * time.Hour: sundew.ActionNone, 0: sundew.ActionTarpit} {
		t.Run(age.String(), func(t *testing.T) {
			var log bytes.Buffer
			start := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
			line := func(i int, device, name string, age time.Duration, status int) {
				fmt.Fprintf(&log, `{"time":%q,"client.address":"192.0.2.7","http.request.method":"POST","url.path":"/login",`+
					`"http.response.status_code":%d,"device.id":%q,"device.age":%.0f,"auth.username":%q}`+"\n",
					start.Add(time.Duration(i)*10*time.Second).Format(time.RFC3339), status, device, age.Seconds(), name)
			}
			for i := range 400 {
				line(i, fmt.Sprint("d-", i%40), fmt.Sprint("u-", i%40), 30*24*time.Hour, 200)
				line(i, "bad", fmt.Sprint("v-", i), age, 401)
			}
			acted := map[sundew.Entity]sundew.Action{}
			for _, d := range replayed(t, log.Bytes()) {
				acted[d.Entity] = max(acted[d.Entity], d.Action)
			}
			for entity, action := range acted {
				if entity.Kind != sundew.KindDevice && action > most {
					t.Errorf("%s: %s, want at most %s", entity, action, most)
				}
			}
			bad := sundew.Entity{Kind: sundew.KindDevice, Key: "bad"}
			if acted[bad] < sundew.ActionBlock {
				t.Errorf("the bad device: %s", acted[bad])
			}
		})
	}
}

// replayed returns the decisions of a replay of the log with what the program comes with.
func replayed(t *testing.T, log []byte) (decisions []sundew.Decision) {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "log"), filepath.Join(dir, "decisions")
	if err := os.WriteFile(in, log, 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if code := run(context.Background(), []string{"replay", "--decisions", out, in}, terminal{strings.NewReader(""), &said, &said}); code != 0 {
		t.Fatalf("exit %d: %s", code, said.String())
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var d sundew.Decision
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatal(err)
		}
		decisions = append(decisions, d)
	}
	return decisions
}
