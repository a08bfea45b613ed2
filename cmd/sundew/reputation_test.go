package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadReputation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "proxies.txt")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# seen last week\n192.0.2.7\t3\n198.51.100.0/24 ; rented\n\nAS64500,Example Hosting\n2001:db8::1\n")
	r, err := loadReputation([]string{file})
	if err != nil || r.Len() != 4 {
		t.Fatalf("%v, %v", r, err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write([]byte("192.0.2.7\n192.0.2.8\n")); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	write(zipped.String())
	if r, err := loadReputation([]string{file}); err != nil || r.Len() != 2 {
		t.Errorf("gzip: %v, %v", r, err)
	}
	for text, want := range map[string]string{
		"192.0.2.7\n192.0.2.300\n":      "proxies.txt:2: \"192.0.2.300\" is no address",
		"ASx\n":                         "proxies.txt:1: \"ASx\" is no autonomous system",
		strings.Repeat("x", 500) + "\n": `xxx" is no address`,
		"192.0.2.0/33\n":                "want 192.0.2.7, 192.0.2.0/24 or AS64500",
	} {
		write(text)
		if _, err := loadReputation([]string{file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if _, err := loadReputation([]string{file + ".missing"}); err == nil || !strings.Contains(err.Error(), "reputation.lists") {
		t.Errorf("a missing file: %v", err)
	}
	if r, err := loadReputation(nil); r != nil || err != nil {
		t.Errorf("without lists: %v, %v", r, err)
	}
}
