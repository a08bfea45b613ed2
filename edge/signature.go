package edge

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// The feed signs the header of a snapshot and the trailer of changes with Ed25519 (RFC 8032). Both are JSON objects
// whose last member is "signatures"; what is signed is the purpose, a newline, and the bytes of the object in front of
// that member. The header's list_sha256 and allow are all that an edge acts on; the trailer has the SHA-256 of the
// change lines before it, the cursor they follow and the nonce of the request, so that no answer serves twice.
const (
	purposeSnapshot = "sundew feed 1 snapshot"
	purposeChanges  = "sundew feed 1 changes"
)

const (
	maxSigningKeys = 2 // the key in use and, while edges learn of it, its successor
	maxPublicKeys  = 4 // that an edge believes
)

// A PublicKey is the Ed25519 key that a feed's signature is checked with. Its text is the base64 of its 32 bytes.
type PublicKey [ed25519.PublicKeySize]byte

// MarshalText returns the base64 of the key.
func (k PublicKey) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(k[:])), nil
}

// UnmarshalText reads what MarshalText returns.
func (k *PublicKey) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw) != len(k) {
		return fmt.Errorf("public key %q: want the base64 of 32 bytes, as GET /feed/v1/keys shows it", text)
	}
	copy(k[:], raw)
	return nil
}

// String returns the base64 of the key.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// ID names the key in signatures: the first eight hexadecimal digits of its SHA-256.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k[:])
	return hex.EncodeToString(sum[:4])
}

// A Signer signs what the feed says, with every key it has. It may be used from many goroutines.
type Signer struct{ keys []ed25519.PrivateKey }

// LoadSigner reads PEM files with Ed25519 keys (PKCS #8) and makes the ones that do not exist, for the owner's eyes
// only. To change keys, name a second file, give its public key to the edges, then take the first away.
func LoadSigner(files ...string) (*Signer, error) {
	if len(files) == 0 || len(files) > maxSigningKeys {
		return nil, fmt.Errorf("%d signing keys: want one, or two while edges learn of the second", len(files))
	}
	s := new(Signer)
	for _, file := range files {
		key, err := loadSigningKey(file)
		if errors.Is(err, fs.ErrNotExist) {
			key, err = makeSigningKey(file)
		}
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", file, err)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

func loadSigningKey(file string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("others may read it (mode %o): chmod 600 it, and make a new key if somebody has", mode)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block: move the file away, and a key is made at the next start")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T: want Ed25519, as openssl genpkey -algorithm ed25519 makes it", parsed)
	}
	return key, nil
}

// makeSigningKey writes a key whole or not at all, and never over another.
func makeSigningKey(file string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return nil, err
	}
	draft, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(draft.Name()) }()
	err = pem.Encode(draft, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, err
	}
	return key, os.Link(draft.Name(), file)
}

// PublicKeys returns the keys that edges check with, in the order of the files.
func (s *Signer) PublicKeys() []PublicKey {
	public := make([]PublicKey, len(s.keys))
	for i, key := range s.keys {
		copy(public[i][:], key.Public().(ed25519.PublicKey))
	}
	return public
}

// A signature is one of the "signatures" of a signed object.
type signature struct {
	Key     string `json:"key"`     // PublicKey.ID
	Ed25519 []byte `json:"ed25519"` // base64
}

const signaturesMember = `,"signatures":`

// sign adds signatures to a JSON object with at least one member. A nil Signer adds none.
func (s *Signer) sign(purpose string, object []byte) []byte {
	if s == nil {
		return object
	}
	object = bytes.TrimSuffix(object, []byte("}"))
	message := messageOf(purpose, object)
	signatures := make([]signature, len(s.keys))
	for i, public := range s.PublicKeys() {
		signatures[i] = signature{public.ID(), ed25519.Sign(s.keys[i], message)}
	}
	list, _ := json.Marshal(signatures) // strings and bytes
	return slices.Concat(object, []byte(signaturesMember), list, []byte("}"))
}

func messageOf(purpose string, object []byte) []byte {
	return slices.Concat([]byte(purpose), []byte("\n"), object)
}

// What is wrong with a signature: the reasons of a refusal.
const (
	reasonUnsigned   = "unsigned"
	reasonUnknownKey = "unknown_key"
	reasonForged     = "forged"
	reasonReplayed   = "replayed"    // another request's answer
	reasonRolledBack = "rolled_back" // an older list
)

// signedPart returns the part of a JSON object that one of the keys has signed, as an object. Without keys it returns
// the whole.
func signedPart(keys []PublicKey, purpose string, line []byte) ([]byte, error) {
	if len(keys) == 0 {
		return line, nil
	}
	at := bytes.LastIndex(line, []byte(signaturesMember))
	if at < 0 {
		return nil, refused(reasonUnsigned, "the feed's answer has no signature: set feed.signing_keys there, or take public_keys out here")
	}
	var signatures []signature
	list := bytes.TrimSuffix(bytes.TrimSpace(line[at+len(signaturesMember):]), []byte("}"))
	if err := json.Unmarshal(list, &signatures); err != nil || len(signatures) > maxSigningKeys {
		return nil, refused(reasonForged, "the signatures of the feed's answer cannot be read")
	}
	message := messageOf(purpose, line[:at])
	reason := reasonUnknownKey
	for _, key := range keys {
		for _, s := range signatures {
			if s.Key != key.ID() {
				continue
			}
			if ed25519.Verify(key[:], message, s.Ed25519) {
				return append(slices.Clone(line[:at]), '}'), nil
			}
			reason = reasonForged
		}
	}
	if reason == reasonForged {
		return nil, refused(reason, "the signature of the feed's answer is not valid: it was changed on its way, or another feed made it")
	}
	return nil, refused(reason, "the feed's answer is signed with keys that are not among public_keys: compare with GET /feed/v1/keys")
}
