package edge

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Key lets an edge read the list. Issue one for each edge: CrowdSec's protocol keeps the client's place on the server,
// so two clients with one key behind one address miss each other's changes.
type Key struct {
	Name   string `yaml:"name"`   // names the edge in logs and metrics
	Hash   string `yaml:"hash"`   // SHA-256 of the secret, in hex
	Tarpit string `yaml:"tarpit"` // what CrowdSec's bouncers are told instead of a tarpit: throttle, captcha, ban, omit
}

// FeedConfig says who may read the list.
type FeedConfig struct {
	Keys    []Key         `yaml:"keys"`     // none: clients on this machine only
	MinWait time.Duration `yaml:"min_wait"` // what edges are asked to wait between two answers
	MaxWait time.Duration `yaml:"max_wait"` // the longest that a request is held
	// SigningKeys are files with the Ed25519 keys that the list is signed with; see LoadSigner.
	SigningKeys []string `yaml:"signing_keys"`
	Signer      *Signer  `yaml:"-"` // of SigningKeys; nil: nothing is signed
}

// DefaultFeedConfig serves this machine only.
func DefaultFeedConfig() FeedConfig {
	return FeedConfig{MinWait: 500 * time.Millisecond, MaxWait: 30 * time.Second}
}

// Validate reports the first setting that cannot be used.
func (c FeedConfig) Validate() error {
	names := make(map[string]bool, len(c.Keys))
	for i, key := range c.Keys {
		if key.Name == "" || names[key.Name] {
			return fmt.Errorf("keys[%d]: the name %q is empty or used twice; name the edge that it is for", i, key.Name)
		}
		names[key.Name] = true
		if hash, err := hex.DecodeString(key.Hash); err != nil || len(hash) != sha256.Size {
			return fmt.Errorf("keys[%d] (%s): hash: want the SHA-256 of the secret as 64 hexadecimal digits", i, key.Name)
		}
		if _, ok := remediationOfTarpit(key.Tarpit); !ok {
			return fmt.Errorf("keys[%d] (%s): tarpit: %q: want throttle, captcha, ban or omit", i, key.Name, key.Tarpit)
		}
	}
	if c.MinWait < 0 || c.MaxWait < 0 {
		return fmt.Errorf("min_wait %s, max_wait %s: want no negative times", c.MinWait, c.MaxWait)
	}
	return nil
}

func (c FeedConfig) withDefaults() FeedConfig {
	d := DefaultFeedConfig()
	if c.MinWait <= 0 {
		c.MinWait = d.MinWait
	}
	if c.MaxWait <= 0 {
		c.MaxWait = d.MaxWait
	}
	return c
}

// localKey stands for a client on this machine where no keys are configured.
func localKey() Key { return Key{Name: "local"} }

// A keyring recognises who may read the list.
type keyring []Key

// admit returns the key that the request may use.
func (k keyring) admit(r *http.Request, secret string) (Key, bool) {
	if len(k) == 0 {
		return localKey(), fromThisMachine(r)
	}
	return k.find(secret)
}

// find compares with every key, in a time that does not depend on the secret.
func (k keyring) find(secret string) (found Key, ok bool) {
	if secret == "" {
		return Key{}, false
	}
	sum := sha256.Sum256([]byte(secret))
	given := []byte(hex.EncodeToString(sum[:]))
	for _, key := range k {
		if subtle.ConstantTimeCompare(given, []byte(strings.ToLower(key.Hash))) == 1 {
			found, ok = key, true
		}
	}
	return found, ok
}

// fromThisMachine is false behind a proxy on this machine, for which every client has a loopback address.
func fromThisMachine(r *http.Request) bool {
	if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	return peerOf(r).IsLoopback()
}

// peerOf returns the address of the other end of the connection, the zero Addr if it has none.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(peer.Addr())
}

// bearerOrKey returns the secret from Authorization: Bearer (RFC 6750) or X-Api-Key.
func bearerOrKey(h http.Header) string {
	scheme, secret, _ := strings.Cut(h.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret)
	}
	return h.Get("X-Api-Key")
}
