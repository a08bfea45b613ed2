package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sundew"
)

// TestDecide blocks a device behind an address by hand, tarpits an address, and releases it; lists that allow win.
func TestDecide(t *testing.T) {
	dir, rules := t.TempDir(), shortPack(t)
	const list = "apiVersion: sundew/v1\nkind: List\nid: friends\nowner: jane\npurpose: allow\nentries:\n  - { entity: 'ip:203.0.113.9', reason: partner, expires: 2099-01-01 }\n"
	if err := os.WriteFile(filepath.Join(rules, "friends.yaml"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startSundew(t, dir, embedded(dir)+"rules: {dir: "+rules+"}\n")
	decide := func(args ...string) (int, string) {
		var out, said bytes.Buffer
		code := run(t.Context(), append([]string{"decide", "--server", p.base, "--by", "jane", "--reason", "spam"}, args...), terminal{nil, &out, &said})
		return code, out.String() + said.String()
	}
	listed := func() map[string]sundew.Decision {
		ds := map[string]sundew.Decision{}
		for line := range strings.Lines(string(p.get(t, "/feed/v1/snapshot.ndjson"))) {
			var d sundew.Decision
			if json.Unmarshal([]byte(line), &d) == nil {
				ds[d.Entity.String()] = d
			}
		}
		return ds
	}
	if code, said := decide("--and", "device:d1", "block", "ip:192.0.2.7"); code != exitDone || !strings.Contains(said, "ip:192.0.2.7: block until") {
		t.Fatalf("%d %s", code, said)
	}
	if code, said := decide("--delay", "3s", "--for", "2h", "tarpit", "ip:192.0.2.8"); code != exitDone {
		t.Fatalf("%d %s", code, said)
	}
	eventually(t, "both are on the list", func() bool { return len(listed()) == 2 })
	pair, slow := listed()["ip:192.0.2.7"], listed()["ip:192.0.2.8"]
	if pair.Action != sundew.ActionBlock || len(pair.And) != 1 || pair.And[0].Key != "d1" || pair.Basis != sundew.BasisManual || pair.Sentence != "spam (jane)" {
		t.Errorf("%+v", pair)
	}
	if slow.Action != sundew.ActionTarpit || slow.Delay.Seconds() != 3 || slow.Expires.Sub(slow.Time).Hours() != 2 {
		t.Errorf("%+v", slow)
	}
	if code, said := decide("release", "ip:192.0.2.8"); code != exitDone || !strings.Contains(said, "1 decisions end") {
		t.Errorf("%d %s", code, said)
	}
	eventually(t, "who was released is off the list, and nobody else", func() bool {
		_, there := listed()["ip:192.0.2.8"]
		return !there && len(listed()) == 1
	})
	if code, said := decide("block", "ip:203.0.113.9"); code != exitFailed || !strings.Contains(said, "allow-list") {
		t.Errorf("%d %s", code, said)
	}

	page, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+manualPath, strings.NewReader(`{"action":"block","entity":"ip:192.0.2.9","for":"1h","by":"x","reason":"y"}`))
	if err != nil {
		t.Fatal(err)
	}
	page.Header.Set("Sec-Fetch-Site", "cross-site")
	answer, err := http.DefaultClient.Do(page)
	if err != nil {
		t.Fatal(err)
	}
	if _ = answer.Body.Close(); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site decides: %s", answer.Status)
	}
}
