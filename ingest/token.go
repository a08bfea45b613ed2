package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"sundew"
)

// Token lets a gateway post log lines. It can do nothing else.
type Token struct {
	Name      string `yaml:"name"`       // shown in dead letters and logs
	Hash      string `yaml:"hash"`       // SHA-256 of the token in hexadecimal, or
	TokenFile string `yaml:"token_file"` // a file with the token itself; a line break at its end is not part of it
	Format    string `yaml:"format"`     // of bodies that do not name theirs; empty: ingest.format
	Gateway   string `yaml:"gateway"`    // the only gateway.id that its lines may carry; empty: any
}

// minToken is the length in bytes of the shortest token that is accepted from a file: 128 bits in hexadecimal.
const minToken = 32

func validateTokens(tokens []Token) error {
	seen := map[string]bool{}
	for i, t := range tokens {
		place := fmt.Sprintf("ingest.tokens[%d]", i)
		switch {
		case t.Name == "" || len(t.Name) > 64:
			return fmt.Errorf("%s: name must have 1 to 64 bytes", place)
		case seen[t.Name]:
			return fmt.Errorf("%s: the name %q is taken by another token", place, t.Name)
		case (t.Hash == "") == (t.TokenFile == ""):
			return fmt.Errorf("%s (%s): give either hash or token_file", place, t.Name)
		case len(t.Gateway) > sundew.MaxID:
			return fmt.Errorf("%s (%s): gateway has more than %d bytes", place, t.Name, sundew.MaxID)
		}
		if _, err := NewDecoder(t.Format); err != nil {
			return fmt.Errorf("%s (%s): format: %w", place, t.Name, err)
		}
		if t.Hash != "" {
			if sum, err := hex.DecodeString(t.Hash); err != nil || len(sum) != sha256.Size {
				return fmt.Errorf("%s (%s): hash is not a SHA-256 in hexadecimal: printf %%s TOKEN | sha256sum makes one", place, t.Name)
			}
		}
		seen[t.Name] = true
	}
	return nil
}

// secret is a token as it is compared.
type secret struct {
	name    string
	gateway string
	format  string
	hash    [sha256.Size]byte
}

func loadTokens(tokens []Token) ([]secret, error) {
	secrets := make([]secret, len(tokens))
	for i, t := range tokens {
		secrets[i] = secret{name: t.Name, gateway: t.Gateway, format: t.Format}
		if t.TokenFile == "" {
			if _, err := hex.Decode(secrets[i].hash[:], []byte(t.Hash)); err != nil {
				return nil, fmt.Errorf("ingest.tokens[%d] (%s): %w", i, t.Name, err)
			}
			continue
		}
		text, err := os.ReadFile(t.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("ingest.tokens[%d] (%s): %w", i, t.Name, err)
		}
		token := strings.TrimRight(string(text), "\r\n")
		if len(token) < minToken {
			return nil, fmt.Errorf("ingest.tokens[%d] (%s): the token in %s has fewer than %d bytes: openssl rand -hex 32 makes one",
				i, t.Name, t.TokenFile, minToken)
		}
		secrets[i].hash = sha256.Sum256([]byte(token))
	}
	return secrets, nil
}

// findToken returns the token of an Authorization header, nil where there is none. It compares with every token in
// constant time, so that neither which one nor how much of it matched can be measured.
func findToken(secrets []secret, authorization string) *secret {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" {
		return nil
	}
	hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
	var found *secret
	for i := range secrets {
		if subtle.ConstantTimeCompare(secrets[i].hash[:], hash[:]) == 1 {
			found = &secrets[i]
		}
	}
	return found
}
