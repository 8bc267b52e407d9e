package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// mostSignatures bounds how many signatures of one kind are compared.
const mostSignatures = 10

// signatures are the proofs in a call's header that its sender has the secret. One is enough: Gitea, for one, sends several kinds.
type signatures struct {
	ofBody   [][]byte // HMAC-SHA256 of the body
	standard [][]byte // HMAC-SHA256 of before and the body, as Standard Webhooks has it (https://www.standardwebhooks.com)
	before   string
	token    string // the secret itself
}

// signaturesOf reads the signatures of all kinds that are known. SHA-1, which GitHub sends for old receivers, is none of them.
func signaturesOf(h http.Header) signatures {
	var s signatures
	for name, prefix := range map[string]string{
		"X-Hub-Signature-256": "sha256=", // GitHub, Gitea, Forgejo
		"X-Hub-Signature":     "sha256=", // Bitbucket
		"X-Gitea-Signature":   "",
		"X-Forgejo-Signature": "",
		"X-Transom-Signature": "sha256=", // everybody else
	} {
		text, ok := strings.CutPrefix(h.Get(name), prefix)
		if given, err := hex.DecodeString(text); ok && err == nil && len(given) == sha256.Size {
			s.ofBody = append(s.ofBody, given)
		}
	}
	for _, text := range strings.Fields(h.Get("Webhook-Signature")) { // GitLab with a signing token
		text, ok := strings.CutPrefix(text, "v1,")
		given, err := base64.StdEncoding.DecodeString(text)
		if isMAC := err == nil && len(given) == sha256.Size; ok && isMAC && len(s.standard) < mostSignatures {
			s.standard = append(s.standard, given)
		}
	}
	s.before = h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "."
	s.token = h.Get("X-Gitlab-Token") // GitLab without one
	return s
}

// none says that a call is not signed.
func (s signatures) none() bool { return len(s.ofBody)+len(s.standard)+len(s.token) == 0 }

// by says whether one of the signatures is of one of the secrets. All comparisons take constant time.
func (s signatures) by(secrets []string, body []byte) bool {
	return slices.ContainsFunc(secrets, func(secret string) bool {
		return s.isToken(secret) || matches(s.ofBody, []byte(secret), body) || matches(s.standard, standardKey(secret), []byte(s.before), body)
	})
}

// isToken compares digests: the time that it takes does not tell how long the secret is.
func (s signatures) isToken(secret string) bool {
	given, want := sha256.Sum256([]byte(s.token)), sha256.Sum256([]byte(secret))
	return s.token != "" && hmac.Equal(given[:], want[:])
}

// matches says whether one of the signatures is that of the parts with the key.
func matches(given [][]byte, key []byte, parts ...[]byte) bool {
	if len(given) == 0 || len(key) == 0 {
		return false
	}
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = mac.Write(part) // never fails
	}
	want := mac.Sum(nil)
	return slices.ContainsFunc(given, func(g []byte) bool { return hmac.Equal(g, want) })
}

// standardKey is the key of Standard Webhooks in a secret; nil: the secret has none.
func standardKey(secret string) []byte {
	text, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil
	}
	return key
}
