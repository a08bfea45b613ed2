package sundew

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// minPseudonymKey is the length in bytes of the shortest key.
const minPseudonymKey = 32

// Pseudonyms stand for addresses and names of persons wherever something is kept. Only who has the key can tell whom they
// stand for, and the same client has another one under another key.
//
// The pseudonym of an address is an address of the same family, and that of its networks (the IPv4 /24, the IPv6 /48 and
// /64) is the network of the pseudonym, so that every entity of kind ip and prefix keeps its meaning and no two share one.
// It is made by a Feistel network of ten rounds over each part, with HMAC-SHA-256 as the round function (the construction
// of NIST SP 800-38G), which the key undoes. The pseudonym of a name is 128 bits of its HMAC-SHA-256, which nothing undoes.
//
// Any number of goroutines may use it.
type Pseudonyms struct {
	keys []pseudonymKey // by date
	seed maphash.Seed

	mu     sync.Mutex
	recent [4096]recentPseudonym // by hash of the address: most clients come back within seconds
}

type pseudonymKey struct {
	from   time.Time // midnight UTC
	secret []byte
}

type recentPseudonym struct {
	key                int
	address, pseudonym netip.Addr
}

// ParsePseudonyms reads keys, one a line: the day of UTC from which it holds, as in 2026-11-01, and at least 32 bytes in
// hexadecimal. Blank lines, and lines that begin with #, say nothing.
func ParsePseudonyms(text string) (*Pseudonyms, error) {
	p := &Pseudonyms{seed: maphash.MakeSeed()}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		date, secret, _ := strings.Cut(line, " ")
		from, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return nil, fmt.Errorf("line %d: want a date and a key, as in 2026-11-01 5f0c", n)
		}
		key, err := hex.DecodeString(strings.TrimSpace(secret))
		if err != nil || len(key) < minPseudonymKey {
			return nil, fmt.Errorf("line %d: the key is not %d bytes or more in hexadecimal: openssl rand -hex 32 makes one", n, minPseudonymKey)
		}
		p.keys = append(p.keys, pseudonymKey{from, key})
	}
	if len(p.keys) == 0 {
		return nil, errors.New("there is no key: want a date and a key, as in 2026-11-01 5f0c")
	}
	slices.SortFunc(p.keys, func(a, b pseudonymKey) int { return a.from.Compare(b.from) })
	for i := range p.keys[1:] {
		if p.keys[i].from.Equal(p.keys[i+1].from) {
			return nil, fmt.Errorf("two keys for %s", p.keys[i].from.Format(time.DateOnly))
		}
	}
	return p, nil
}

// keyAt is the index of the key that holds at a time; times before the first key have the first.
func (p *Pseudonyms) keyAt(at time.Time) int {
	i, _ := slices.BinarySearchFunc(p.keys, at, func(k pseudonymKey, at time.Time) int {
		if k.from.After(at) {
			return 1
		}
		return -1
	})
	return max(i-1, 0)
}

// Address returns the pseudonym of a valid address, unmapped and without zone, at the time of its request.
func (p *Pseudonyms) Address(addr netip.Addr, at time.Time) netip.Addr {
	key := p.keyAt(at)
	r := &p.recent[maphash.Comparable(p.seed, addr)%uint64(len(p.recent))]
	p.mu.Lock()
	known := *r
	p.mu.Unlock()
	if known.address == addr && known.key == key {
		return known.pseudonym
	}
	known = recentPseudonym{key, addr, p.keys[key].address(addr, hide)}
	p.mu.Lock()
	*r = known
	p.mu.Unlock()
	return known.pseudonym
}

// Name returns the pseudonym of an account or a user name at the time of its request, 32 hexadecimal digits; of the empty
// name the empty one.
func (p *Pseudonyms) Name(name string, at time.Time) string {
	if name == "" {
		return ""
	}
	mac := hmac.New(sha256.New, p.keys[p.keyAt(at)].secret)
	mac.Write(append([]byte{useName}, name...))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Reveal returns the entity whose address or network e is the pseudonym of, where at is the time of the request that named
// it. Entities of other kinds come back as they are. ok is false where e is no address, where it is no network that requests
// are scored with, and for times before the first key, because an older one may be gone. With a wrong key the answer is a
// wrong address.
func (p *Pseudonyms) Reveal(e Entity, at time.Time) (_ Entity, ok bool) {
	if at.Before(p.keys[0].from) {
		return e, e.Kind != KindIP && e.Kind != KindPrefix
	}
	key := p.keys[p.keyAt(at)]
	switch e.Kind {
	case KindIP:
		addr, err := netip.ParseAddr(e.Key)
		if err != nil {
			return e, false
		}
		return Entity{KindIP, key.address(addr, reveal).String()}, true
	case KindPrefix:
		network, err := netip.ParsePrefix(e.Key)
		if err != nil || !slices.Contains(prefixBits(network.Addr()), network.Bits()) {
			return e, false
		}
		return Entity{KindPrefix, netip.PrefixFrom(key.address(network.Addr(), reveal), network.Bits()).Masked().String()}, true
	}
	return e, true
}

type direction bool

const (
	hide   direction = true
	reveal direction = false
)

// address permutes the parts of an address, each in a way that depends on those in front of it.
func (k pseudonymKey) address(addr netip.Addr, d direction) netip.Addr {
	if addr.Is4() {
		b := addr.As4()
		k.parts(b[:], d, 3, 4)
		return netip.AddrFrom4(b)
	}
	b := addr.As16()
	k.parts(b[:], d, 6, 8, 16)
	return netip.AddrFrom16(b)
}

// parts permutes an address in place. A part ends where ends says; its tweak is all that stands in front of it, as it is
// without a pseudonym.
func (k pseudonymKey) parts(b []byte, d direction, ends ...int) {
	f := feistel{mac: hmac.New(sha256.New, k.secret)}
	plain := slices.Clone(b)
	start := 0
	for _, end := range ends {
		f.permute(plain[:start], b[start:end], d)
		if d == reveal {
			copy(plain[start:end], b[start:end])
		}
		start = end
	}
}

// rounds is that of FF1 (NIST SP 800-38G).
const rounds = 10

// feistel is a network whose round function is an HMAC.
type feistel struct {
	mac     hash.Hash
	message []byte
	sum     []byte
}

// permute replaces a part of 1 to 8 bytes, one to one for each tweak and length.
func (f *feistel) permute(tweak, part []byte, d direction) {
	var wide [8]byte
	copy(wide[8-len(part):], part)
	value := binary.BigEndian.Uint64(wide[:])
	half := 4 * len(part) // bits
	mask := uint64(1)<<half - 1
	left, right := value>>half, value&mask
	for i := range rounds {
		if d == hide {
			left, right = right, left^f.round(tweak, len(part), i, right)&mask
		} else {
			left, right = right^f.round(tweak, len(part), rounds-1-i, left)&mask, left
		}
	}
	binary.BigEndian.PutUint64(wide[:], left<<half|right)
	copy(part, wide[8-len(part):])
}

func (f *feistel) round(tweak []byte, size, n int, half uint64) uint64 {
	f.message = append(f.message[:0], useAddress, byte(size), byte(n))
	f.message = append(binary.BigEndian.AppendUint64(f.message, half), tweak...)
	f.mac.Reset()
	f.mac.Write(f.message)
	f.sum = f.mac.Sum(f.sum[:0])
	return binary.BigEndian.Uint64(f.sum)
}

// The first byte of what a key authenticates keeps its uses apart.
const (
	useAddress = 'a'
	useName    = 'n'
)
