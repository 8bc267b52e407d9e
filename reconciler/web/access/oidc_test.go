package access_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

// A forger is an issuer that says whatever a test wants. How a real one logs people in is tested in package web.
type forger struct {
	t      *testing.T
	url    string
	key    *rsa.PrivateKey
	id     string         // of the key that it signs with
	shown  *rsa.PublicKey // the key that it shows under that id
	claims map[string]any
	info   map[string]any // of the endpoint for more; nil: there is none
	verify string         // the challenge of PKCE that it was sent
	token  http.HandlerFunc
	asked  int // for its keys
}

func newForger(t *testing.T) *forger {
	f := &forger{t: t}
	f.rotate()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	write := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		says := map[string]any{
			"issuer": f.url, "authorization_endpoint": f.url + "/auth", "token_endpoint": f.url + "/token", "jwks_uri": f.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256", "none"},
		}
		if f.info != nil {
			says["userinfo_endpoint"] = f.url + "/info"
		}
		write(w, says)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		f.asked++
		write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: f.shown, KeyID: f.id, Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/info", func(w http.ResponseWriter, _ *http.Request) { write(w, f.info) })
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if f.token != nil {
			f.token(w, r)
			return
		}
		if challenge(r.PostFormValue("code_verifier")) != f.verify || r.PostFormValue("code") != "the-code" {
			http.Error(w, `{"error": "invalid_grant"}`, http.StatusBadRequest)
			return
		}
		write(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": f.sign(f.key)})
	})
	return f
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// rotate has the issuer sign with another key.
func (f *forger) rotate() {
	var err error
	f.key, err = rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(f.t, err)
	f.id, f.shown = rand.Text(), &f.key.PublicKey
}

func (f *forger) sign(key *rsa.PrivateKey) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: f.id}}, nil)
	require.NoError(f.t, err)
	token, err := jwt.Signed(signer).Claims(f.claims).Serialize()
	require.NoError(f.t, err)
	return token
}

const people = `
oidc:
  issuer: %s
  clientID: transom
  url: URL
  roles:
  - {group: platform, role: operator}
  - {group: payments, role: developer, team: payments}
  - {group: search, role: developer, team: search}
`

// logIn has a visitor log in at the issuer, whose claims are changed before, and returns the answer at the end.
func (f *forger) logIn(v *visitor, change func(claims map[string]any)) (code int, body string) {
	f.t.Helper()
	code, body, to := v.ask(http.MethodGet, "/login", "")
	require.Equal(f.t, http.StatusSeeOther, code, body)
	sent, err := url.Parse(to)
	require.NoError(f.t, err)
	q := sent.Query()
	require.Equal(f.t, f.url+"/auth", strings.TrimSuffix(to, "?"+sent.RawQuery))
	require.Equal(f.t, "S256", q.Get("code_challenge_method"))
	require.Equal(f.t, v.url+"/login/callback", q.Get("redirect_uri"))
	f.verify = q.Get("code_challenge")
	f.claims = map[string]any{
		"iss": f.url, "aud": "transom", "sub": "u1", "email": "ada@acme.example", "email_verified": true, "nonce": q.Get("nonce"),
		"iat": v.now.Unix(), "exp": v.now.Add(time.Minute).Unix(), "groups": []string{"payments", "search", "others"},
	}
	if change != nil {
		change(f.claims)
	}
	code, body, to = v.ask(http.MethodGet, "/login/callback?code=the-code&state="+q.Get("state"), "")
	if code == http.StatusSeeOther {
		require.Equal(f.t, "/", to)
	}
	return code, body
}

func TestPeopleLogInWithTheirGroups(t *testing.T) {
	f := newForger(t)
	d := newDoor(t, fmt.Sprintf(people, f.url), access.Options{})
	v := d.visitor()
	code, body := f.logIn(v, nil)
	require.Equal(t, http.StatusSeeOther, code, body)
	v.is("ada@acme.example developer [payments search]")

	f.rotate()
	v = d.visitor()
	code, body = f.logIn(v, func(c map[string]any) {
		c["groups"] = "platform"
		c["email_verified"] = false
		c["preferred_username"] = "ada"
	})
	require.Equal(t, http.StatusSeeOther, code, body)
	v.is("ada operator []")
	require.Equal(t, 2, f.asked, "a new key of the issuer is asked for, and a known one is not")

	d.write(strings.Replace(fmt.Sprintf(people, f.url), "platform", "sre", 1))
	_, err := d.guard.Refresh()
	require.NoError(t, err)
	v.isRefused(http.StatusUnauthorized, "log in")

	code, body = f.logIn(d.visitor(), func(c map[string]any) { c["groups"] = []string{"<b>", "others"} })
	require.Equal(t, http.StatusForbidden, code)
	require.Contains(t, body, "ada@acme.example has no role. Your groups, by the claim groups: &lt;b&gt;, others.")
}

func TestGroupsThatTheTokenLeavesOutAreAskedFor(t *testing.T) {
	f := newForger(t)
	f.info = map[string]any{"sub": "u1", "groups": []string{"platform"}}
	d := newDoor(t, fmt.Sprintf(people, f.url), access.Options{})
	without := func(c map[string]any) { delete(c, "groups") }
	v := d.visitor()
	code, body := f.logIn(v, without)
	require.Equal(t, http.StatusSeeOther, code, body)
	v.is("ada@acme.example operator []")

	f.info["sub"] = "u2"
	code, body = f.logIn(d.visitor(), without)
	require.Equal(t, http.StatusUnauthorized, code)
	require.Contains(t, body, "somebody else")
}

func TestTokensOfAnIssuerThatAreNotForThisLoginAreRefused(t *testing.T) {
	f := newForger(t)
	d := newDoor(t, fmt.Sprintf(people, f.url), access.Options{})
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"expired":          {func(c map[string]any) { c["exp"] = d.now.Add(-time.Minute).Unix() }, "have this machine and the issuer set their clocks by NTP"},
		"no expiry":        {func(c map[string]any) { delete(c, "exp") }, "expired"},
		"another client":   {func(c map[string]any) { c["aud"] = "vault" }, "audience"},
		"no audience":      {func(c map[string]any) { delete(c, "aud") }, "audience"},
		"another issuer":   {func(c map[string]any) { c["iss"] = "https://login.other.example" }, "different provider"},
		"another login":    {func(c map[string]any) { c["nonce"] = "guessed" }, "nonce"},
		"no nonce":         {func(c map[string]any) { delete(c, "nonce") }, "nonce"},
		"another claim":    {func(c map[string]any) { c["sub"] = []string{"u1"} }, "unmarshal"},
		"groups of no use": {func(c map[string]any) { c["groups"] = map[string]any{"platform": true} }, "has no role"},
	} {
		t.Run(name, func(t *testing.T) {
			v := d.visitor()
			code, body := f.logIn(v, c.change)
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, code)
			require.Contains(t, body, c.want)
			v.isRefused(http.StatusUnauthorized, "log in")
		})
	}
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, sign := range map[string]func() string{
		"a foreign key": func() string { return f.sign(foreign) },
		"no signature":  func() string { return unsigned(t, f.claims) },
		"the public key as a secret": func() string {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: f.shown.N.Bytes()}, (&jose.SignerOptions{}).WithHeader("kid", f.id))
			require.NoError(t, err)
			token, err := jwt.Signed(signer).Claims(f.claims).Serialize()
			require.NoError(t, err)
			return token
		},
	} {
		t.Run(name, func(t *testing.T) {
			f.token = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": sign()})
			}
			v := d.visitor()
			code, _ := f.logIn(v, nil)
			require.Equal(t, http.StatusUnauthorized, code)
			v.isRefused(http.StatusUnauthorized, "log in")
		})
	}
}

func unsigned(t *testing.T, claims map[string]any) string {
	body, err := json.Marshal(claims)
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(body) + "."
}

// TestALoginIsForTheBrowserThatBeganIt: nobody can be logged in as somebody else by a link.
func TestALoginIsForTheBrowserThatBeganIt(t *testing.T) {
	f := newForger(t)
	d := newDoor(t, fmt.Sprintf(people, f.url), access.Options{})
	_, _, to := d.visitor().ask(http.MethodGet, "/login", "")
	sent, err := url.Parse(to)
	require.NoError(t, err)
	back := "/login/callback?code=the-code&state=" + sent.Query().Get("state")

	refused := func(v *visitor, path, why string) {
		t.Helper()
		code, body, _ := v.ask(http.MethodGet, path, "")
		require.Equal(t, http.StatusUnauthorized, code, why)
		require.Contains(t, body, "it was not begun in this browser, or more than ten minutes ago", why)
	}
	refused(d.visitor(), back, "another browser")
	v := d.visitor()
	v.ask(http.MethodGet, "/login", "")
	refused(v, back, "the state of another login")
	v.ask(http.MethodGet, "/login", "")
	refused(v, "/login/callback?code=the-code&state=", "no state")

	v = d.visitor()
	_, _, to = v.ask(http.MethodGet, "/login", "")
	d.now = d.now.Add(11 * time.Minute)
	sent, err = url.Parse(to)
	require.NoError(t, err)
	refused(v, "/login/callback?code=the-code&state="+sent.Query().Get("state"), "too late")
}

func TestAnIssuerThatIsAwayCostsItsLoginsOnly(t *testing.T) {
	token, line := entry("grafana", "viewer")
	f := newForger(t)
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	d := newDoor(t, fmt.Sprintf(people, away.URL)+"tokens:\n"+line, access.Options{})
	code, body, _ := d.visitor().ask(http.MethodGet, "/login", "")
	require.Equal(t, http.StatusBadGateway, code)
	require.Contains(t, body, "You cannot log in at the moment: ask the issuer "+away.URL)
	d.with(token).is("grafana viewer []")

	d.write(fmt.Sprintf(people, f.url) + "tokens:\n" + line)
	_, err := d.guard.Refresh()
	require.NoError(t, err)
	code, body = f.logIn(d.visitor(), nil)
	require.Equal(t, http.StatusSeeOther, code, body)
}

// TestTheClientsSecretIsForTheIssuerOnly: an issuer that sends elsewhere is not followed, and one that talks on and on is cut off.
func TestTheClientsSecretIsForTheIssuerOnly(t *testing.T) {
	elsewhere := map[string]string{}
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		maps.Copy(elsewhere, map[string]string{"header": r.Header.Get("Authorization"), "secret": r.PostFormValue("client_secret")})
	}))
	t.Cleanup(other.Close)
	f := newForger(t)
	f.token = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/token", http.StatusTemporaryRedirect)
	}
	d := newDoor(t, fmt.Sprintf(people, f.url), access.Options{})
	code, _ := f.logIn(d.visitor(), nil)
	require.Equal(t, http.StatusUnauthorized, code)
	require.Empty(t, elsewhere)

	f.token = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token": "`))
		for range 3 << 10 {
			if _, err := w.Write([]byte(strings.Repeat("a", 1<<10))); err != nil {
				return
			}
		}
	}
	code, body := f.logIn(d.visitor(), nil)
	require.Equal(t, http.StatusUnauthorized, code)
	require.Less(t, len(body), 4<<10)
}
