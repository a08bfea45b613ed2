package main

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sundew/scoring"
)

const maxReputation = 8_000_000 // networks and autonomous systems, over all lists

// loadReputation reads lists as their publishers write them: an address, a network or an autonomous system such as AS64500
// in each line, plain or gzip, with anything behind a blank, a comma, # or ; left aside. It returns nil without lists.
func loadReputation(files []string) (*scoring.Reputation, error) {
	if len(files) == 0 {
		return nil, nil
	}
	r := scoring.NewReputation()
	for _, file := range files {
		if err := r.List(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))); err != nil {
			return nil, err
		}
		if err := readReputation(r, file); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func readReputation(r *scoring.Reputation, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reputation.lists: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := plainText(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	lines := bufio.NewScanner(text)
	for n := 1; lines.Scan(); n++ {
		word := lines.Text()
		if end := strings.IndexAny(word, " \t,;#"); end >= 0 {
			word = word[:end]
		}
		if word == "" {
			continue
		}
		if err := addReputation(r, word); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
		if r.Len() > maxReputation {
			return fmt.Errorf("%s:%d: more than %d networks: leave a list out", file, n, maxReputation)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// plainText undoes gzip, which its first bytes tell.
func plainText(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	if magic, _ := buffered.Peek(2); string(magic) != "\x1f\x8b" {
		return buffered, nil
	}
	return gzip.NewReader(buffered)
}

// maxWord is how much of an entry an error shows.
const maxWord = 64

func addReputation(r *scoring.Reputation, word string) error {
	if number, ok := strings.CutPrefix(strings.ToUpper(word), "AS"); ok {
		system, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no autonomous system: want AS and a number, such as AS64500", word)
		}
		r.AddSystem(uint32(system))
		return nil
	}
	if network, err := netip.ParsePrefix(word); err == nil {
		r.Add(network)
		return nil
	}
	addr, err := netip.ParseAddr(word)
	if err != nil {
		word = word[:min(len(word), maxWord)]
		return fmt.Errorf("%q is no address, network or autonomous system: want 192.0.2.7, 192.0.2.0/24 or AS64500", word)
	}
	addr = addr.Unmap().WithZone("")
	r.Add(netip.PrefixFrom(addr, addr.BitLen()))
	return nil
}
