package sundew

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Kind says what sort of thing an Entity is. New kinds are appended: the numbers stand in snapshots.
type Kind uint8

// The kinds of entity, from the one that names a place to the one that names a crowd.
const (
	KindNone        Kind = iota
	KindIP               // one address
	KindPrefix           // CIDR text: an IPv4 /24, an IPv6 /64 or /48
	KindDevice           // device GUID
	KindAccount          // user
	KindAPIKey           // API key
	KindFingerprint      // TLS client fingerprint, JA4
	KindASN              // autonomous system, its number in decimal
	NumKinds        = iota
)

var kindNames = []string{"", "ip", "prefix", "device", "account", "api_key", "fingerprint", "asn"}

// String returns the word of the contract, "" for KindNone.
func (k Kind) String() string { return wordOf(kindNames, k) }

// MarshalText returns the word of the contract.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a word of the contract.
func (k *Kind) UnmarshalText(text []byte) error {
	kind, ok := parseWord[Kind](kindNames, string(text))
	if !ok || kind == KindNone {
		return fmt.Errorf("unknown entity kind %q: want one of %s", text, strings.Join(kindNames[1:], ", "))
	}
	*k = kind
	return nil
}

// ParseKind reads a word of the contract.
func ParseKind(word string) (Kind, error) {
	var k Kind
	err := k.UnmarshalText([]byte(word))
	return k, err
}

// Entity is somebody whose behaviour is scored and on whom a decision can act. It is comparable.
type Entity struct {
	Kind Kind   `json:"kind"`
	Key  string `json:"key"` // canonical: an address as netip prints it, a prefix masked
}

// String returns "kind:key".
func (e Entity) String() string { return e.Kind.String() + ":" + e.Key }

// ParseEntity reads "kind:key" and brings addresses and prefixes into canonical form.
func ParseEntity(text string) (Entity, error) {
	word, key, found := strings.Cut(text, ":")
	if !found || key == "" {
		return Entity{}, fmt.Errorf("entity %q: want kind:key, such as ip:192.0.2.1", text)
	}
	kind, err := ParseKind(word)
	if err != nil {
		return Entity{}, err
	}
	return Entity{kind, key}.Canonical()
}

// Canonical returns e with its key in the one form that is compared, or an error where the key cannot be of that kind.
func (e Entity) Canonical() (Entity, error) {
	if len(e.Key) > MaxID {
		return Entity{}, fmt.Errorf("entity of kind %s: the key has %d bytes, at most %d are kept", e.Kind, len(e.Key), MaxID)
	}
	switch e.Kind {
	case KindNone:
		return Entity{}, fmt.Errorf("entity %q has no kind", e.Key)
	case KindIP:
		addr, err := netip.ParseAddr(e.Key)
		if err != nil {
			return Entity{}, fmt.Errorf("entity of kind ip: %w", err)
		}
		e.Key = addr.Unmap().WithZone("").String()
	case KindPrefix:
		prefix, err := netip.ParsePrefix(e.Key)
		if err != nil {
			return Entity{}, fmt.Errorf("entity of kind prefix: %w", err)
		}
		e.Key = prefix.Masked().String()
	case KindASN:
		if _, err := strconv.ParseUint(e.Key, 10, 32); err != nil {
			return Entity{}, fmt.Errorf("entity of kind asn: %q is not an autonomous system number", e.Key)
		}
	case KindDevice, KindAccount, KindAPIKey, KindFingerprint:
		if e.Key == "" {
			return Entity{}, fmt.Errorf("entity of kind %s has an empty key", e.Kind)
		}
	}
	return e, nil
}

// Prefixes returns the networks that an address is scored with: the /24 of an IPv4 address, the /64 and the /48 of an
// IPv6 address. n says how many of the two are set.
func Prefixes(addr netip.Addr) (prefixes [2]netip.Prefix, n int) {
	for _, bits := range prefixBits(addr) {
		prefix, err := addr.Prefix(bits)
		if err != nil {
			break
		}
		prefixes[n] = prefix
		n++
	}
	return prefixes, n
}

func prefixBits(addr netip.Addr) []int {
	if addr.Is4() {
		return v4Bits[:]
	}
	return v6Bits[:]
}

var (
	v4Bits = [...]int{24}
	v6Bits = [...]int{64, 48}
)

// PartitionKey is the network whose lines must stay in order: the key of records in the topic of requests.
func PartitionKey(addr netip.Addr) string { return string(AppendPartitionKey(nil, addr)) }

// AppendPartitionKey appends PartitionKey and returns the extended slice.
func AppendPartitionKey(dst []byte, addr netip.Addr) []byte {
	prefixes, n := Prefixes(addr)
	return prefixes[n-1].AppendTo(dst)
}

// AppendEntities appends everybody whom the request names, narrowest address first, and returns the extended slice.
func (e *Event) AppendEntities(dst []Entity) []Entity {
	return e.AppendIDs(AppendNetworks(dst, e.Client))
}

// AppendNetworks appends an address and the networks that it is scored with: the first of AppendEntities.
func AppendNetworks(dst []Entity, client netip.Addr) []Entity {
	var buffer [160]byte // three times the longest text
	text := client.AppendTo(buffer[:0])
	ends := [3]int{len(text)}
	prefixes, n := Prefixes(client)
	for i, prefix := range prefixes[:n] {
		text = prefix.AppendTo(text)
		ends[i+1] = len(text)
	}
	keys := string(text) // the keys share one allocation
	dst = append(dst, Entity{KindIP, keys[:ends[0]]})
	for i := range n {
		dst = append(dst, Entity{KindPrefix, keys[ends[i]:ends[i+1]]})
	}
	return dst
}

// AppendIDs appends whom the request names by anything but its address: the rest of AppendEntities.
func (e *Event) AppendIDs(dst []Entity) []Entity {
	for _, id := range [...]Entity{
		{KindDevice, e.Device},
		{KindAccount, e.Account},
		{KindAPIKey, e.APIKey},
		{KindFingerprint, e.JA4},
	} {
		if id.Key != "" {
			dst = append(dst, id)
		}
	}
	if e.ASN != 0 {
		dst = append(dst, Entity{KindASN, strconv.FormatUint(uint64(e.ASN), 10)})
	}
	return dst
}
