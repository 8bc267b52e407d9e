package access

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

const keyBytes = 32

// mostEnded is how many sessions are remembered that people ended. A restart forgets them: it may have a new key, too.
const mostEnded = 10_000

// The cookies. The prefix has browsers take them from the host itself over TLS only, and send them nowhere else.
const (
	sessionCookie = "__Host-transom"
	loginCookie   = "__Host-transom-login"
)

// mostCookie is how long a cookie may be: browsers keep 4 KiB.
const mostCookie = 4000

// A session is the content of the cookie of somebody who logged in. It has no role: the role of its groups is looked up
// again for each request.
type session struct {
	ID      string    `json:"i"`
	Source  string    `json:"s"`           // the issuer and client; for a token, its digest
	Name    string    `json:"n,omitempty"` // for people
	Subject string    `json:"u,omitempty"` // the issuer's own word
	Groups  []string  `json:"g,omitempty"` // of those that have a role
	Expires time.Time `json:"e"`
}

// seal encrypts a value for a cookie so that it cannot be read, changed or used under another name.
func seal(key []byte, name string, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	aead, err := aeadOf(key)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plain, []byte(name))), nil
}

// unseal opens a text that seal made with one of the keys, and says whether it could.
func unseal(keys [][]byte, name, text string, value any) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > mostCookie {
		return false
	}
	for _, key := range keys {
		aead, err := aeadOf(key)
		if err != nil {
			return false
		}
		if plain, err := aead.Open(nil, nil, sealed, []byte(name)); err == nil {
			return json.Unmarshal(plain, value) == nil
		}
	}
	return false
}

// aeadOf is AES-256-GCM with a random nonce, which is good for 2^32 cookies with one key.
func aeadOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func newKey() []byte {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // it never fails
	return key
}

// setCookie hands out a sealed value until a time; it fails where the value is too long for a cookie.
func (g *Guard) setCookie(w http.ResponseWriter, name string, value any, life time.Duration) error {
	text, err := seal(g.keys()[0], name, value)
	if err != nil {
		return err
	}
	if len(text) > mostCookie {
		return refuse(http.StatusForbidden, "too many of your groups have roles here: they do not fit into a cookie")
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: text, Path: "/", MaxAge: int(life.Seconds()), Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return nil
}

func dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// readCookie opens a cookie that setCookie made, and says whether there is one.
func (g *Guard) readCookie(r *http.Request, name string, value any) bool {
	c, err := r.Cookie(name)
	return err == nil && unseal(g.keys(), name, c.Value, value)
}

// session is the session of a browser, if it has one that has not ended.
func (g *Guard) session(r *http.Request) (of session, ok bool) {
	if !g.readCookie(r, sessionCookie, &of) || !g.now().Before(of.Expires) {
		return of, false
	}
	_, ended := g.ended.Get(of.ID)
	return of, !ended
}

// keys are the keys of cookies. The first one seals, all open.
func (g *Guard) keys() [][]byte {
	if s := g.settings(); s != nil && len(s.Session.keys) > 0 {
		return s.Session.keys
	}
	return [][]byte{g.key}
}
