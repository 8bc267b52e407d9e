package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
)

const (
	dataKeySize = 32
	nonceSize   = 32
	maxNonce    = 64 // SOPS takes any length; a file of SOPS has 32, or 12 of other tools
)

// ciphertext is one value as SOPS seals it.
var ciphertext = regexp.MustCompile(`^ENC\[AES256_GCM,data:([A-Za-z0-9+/=]+),iv:([A-Za-z0-9+/=]+),tag:([A-Za-z0-9+/=]+),type:([a-z]+)\]$`)

var errDamaged = errors.New("it is not as it was sealed")

// encrypt seals a text; the path of its field is sealed with it, so that values cannot be exchanged.
func encrypt(key []byte, text, path string) string {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // it never fails
	out := gcm(key, nonceSize).Seal(nil, nonce, []byte(text), []byte(path))
	split := len(out) - aes.BlockSize
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("ENC[AES256_GCM,data:%s,iv:%s,tag:%s,type:str]", encode(out[:split]), encode(nonce), encode(out[split:]))
}

// decrypt opens a text that was sealed at a path.
func decrypt(key []byte, sealed, path string) (string, error) {
	parts := ciphertext.FindStringSubmatch(sealed)
	if parts == nil {
		return "", errDamaged
	}
	var decoded [3][]byte
	for i := range decoded {
		var err error
		if decoded[i], err = base64.StdEncoding.DecodeString(parts[i+1]); err != nil {
			return "", errDamaged
		}
	}
	data, nonce, tag := decoded[0], decoded[1], decoded[2]
	if len(nonce) > maxNonce || len(tag) != aes.BlockSize {
		return "", errDamaged
	}
	text, err := gcm(key, len(nonce)).Open(nil, nonce, append(data, tag...), []byte(path))
	if err != nil {
		return "", errDamaged
	}
	return string(text), nil
}

// gcm is the cipher of a data key, which has the right size.
func gcm(key []byte, nonce int) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	g, err := cipher.NewGCMWithNonceSize(block, nonce)
	if err != nil {
		panic(err)
	}
	return g
}

// typeOf is the type that a value had when it was sealed; empty if it is not sealed.
func typeOf(value string) string {
	if parts := ciphertext.FindStringSubmatch(value); parts != nil {
		return parts[4]
	}
	return ""
}
