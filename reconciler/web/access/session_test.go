package access_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

// enter logs a visitor in by a token, and returns the cookie of the session.
func (v *visitor) enter(token string) *http.Cookie {
	v.t.Helper()
	code, body, _ := v.ask(http.MethodPost, "/login", url.Values{"token": {token}}.Encode())
	require.Equal(v.t, http.StatusSeeOther, code, body)
	at, err := url.Parse(v.url)
	require.NoError(v.t, err)
	cookies := v.client.Jar.Cookies(at)
	require.Len(v.t, cookies, 1)
	return cookies[0]
}

// bring gives a visitor a cookie.
func (v *visitor) bring(name, value string) *visitor {
	at, err := url.Parse(v.url)
	require.NoError(v.t, err)
	v.client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
	return v
}

func TestACookieThatIsNotAsItWasMadeIsWorthNothing(t *testing.T) {
	token, line := entry("night-shift", "operator")
	d := newDoor(t, "tokens:\n"+line, access.Options{})
	session := d.visitor().enter(token)
	d.visitor().bring(session.Name, session.Value).is("night-shift operator []")
	require.NotContains(t, session.Value, "night")

	for i := range len(session.Value) - 1 { // the last character has bits that mean nothing
		changed := []byte(session.Value)
		changed[i] = 'A' + (changed[i]+1)%26
		if string(changed) == session.Value {
			continue
		}
		d.visitor().bring(session.Name, string(changed)).isRefused(http.StatusUnauthorized, "log in")
	}
	for _, value := range []string{"", "AAAA", session.Value[:len(session.Value)/2], session.Value + session.Value} {
		d.visitor().bring(session.Name, value).isRefused(http.StatusUnauthorized, "log in")
	}
	d.visitor().bring("__Host-transom-login", session.Value).isRefused(http.StatusUnauthorized, "log in")

	other := newDoor(t, "tokens:\n"+line, access.Options{})
	other.visitor().bring(session.Name, session.Value).isRefused(http.StatusUnauthorized, "log in")
}

func TestCookiesAreForTheHostOverTLSAndNoScript(t *testing.T) {
	token, line := entry("night-shift", "operator")
	d := newDoor(t, "session: {lifetime: 2h}\ntokens:\n"+line, access.Options{})
	resp, err := d.visitor().client.PostForm(d.url+"/login", url.Values{"token": {token}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Regexp(t, `^__Host-transom=[\w-]+; Path=/; Max-Age=7200; HttpOnly; Secure; SameSite=Lax$`, resp.Header.Get("Set-Cookie"))
}

// TestSessionsOutliveARestartAndAChangeOfKeys where a file has the keys.
func TestSessionsOutliveARestartAndAChangeOfKeys(t *testing.T) {
	token, line := entry("night-shift", "operator")
	keys := filepath.Join(t.TempDir(), "keys")
	write := func(content string) { require.NoError(t, os.WriteFile(keys, []byte(content), 0o600)) }
	write(key('a') + "\n")
	content := "session: {keyFile: " + keys + "}\ntokens:\n" + line
	session := newDoor(t, content, access.Options{}).visitor().enter(token)

	d := newDoor(t, content, access.Options{})
	v := d.visitor().bring(session.Name, session.Value)
	v.is("night-shift operator []")
	for _, step := range []struct {
		keys string
		in   bool
	}{{key('b') + "\n" + key('a'), true}, {key('b'), false}} {
		write(step.keys)
		changed, err := d.guard.Refresh()
		require.NoError(t, err)
		require.True(t, changed)
		if step.in {
			v.is("night-shift operator []")
		} else {
			v.isRefused(http.StatusUnauthorized, "log in")
		}
	}
}
