package state

import (
	"crypto/sha256"
	"encoding/hex"
)

// Revision returns the name of a manifest file's content: sha256:<hex>.
func Revision(manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return "sha256:" + hex.EncodeToString(sum[:])
}
