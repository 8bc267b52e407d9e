package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// tokenPrefix begins every token of ours, so that scanners for secrets find them and no cluster is asked about them.
const tokenPrefix = "transom_"

// NewToken makes a token, and the digest by which the file of access knows it. A token is 32 random bytes: there is nothing to
// guess, so one round of SHA-256 protects it.
func NewToken() (token, digest string) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // it never fails
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	sum := sha256.Sum256([]byte(token))
	return token, hex.EncodeToString(sum[:])
}

// A tokenEntry is a token in the file of access.
type tokenEntry struct {
	Name   string `yaml:"name"`
	Role   Role   `yaml:"role"`
	Team   string `yaml:"team"`
	SHA256 string `yaml:"sha256"`

	digest [sha256.Size]byte
}

// check decodes the digest. Its errors never quote it: somebody may have written the token itself.
func (h *tokenEntry) check() error {
	if h.Name == "" {
		return fmt.Errorf("name is missing")
	}
	digest, err := hex.DecodeString(h.SHA256)
	if err != nil || len(digest) != sha256.Size {
		return fmt.Errorf("sha256: give the 64 hexadecimal digits that \"transom token\" prints, and never the token itself")
	}
	h.digest = [sha256.Size]byte(digest)
	return checkRole(h.Role, h.Team)
}

func (h *tokenEntry) identity() Identity {
	who := Identity{Name: h.Name, Role: h.Role}
	if h.Team != "" {
		who.Teams = []string{h.Team}
	}
	return who
}

// entryOf finds the tokenEntry of a token. It compares with every entry, whatever it finds.
func entryOf(entries []*tokenEntry, token string) (found *tokenEntry) {
	if !strings.HasPrefix(token, tokenPrefix) {
		return nil
	}
	digest := sha256.Sum256([]byte(token))
	for _, h := range entries {
		if subtle.ConstantTimeCompare(h.digest[:], digest[:]) == 1 {
			found = h
		}
	}
	return found
}
