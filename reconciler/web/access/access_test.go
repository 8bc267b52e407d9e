package access_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

// A door is a server that says who asks, with a Guard whose file of access and whose time can be changed.
type door struct {
	t     *testing.T
	file  string
	guard *access.Guard
	url   string
	now   time.Time
	trust http.RoundTripper
}

// newDoor opens a door with a file of access, in which URL stands for its own address.
func newDoor(t *testing.T, content string, o access.Options) *door {
	t.Helper()
	d := &door{t: t, file: filepath.Join(t.TempDir(), "access.yaml"), now: time.Now()}
	server := httptest.NewUnstartedServer(nil)
	d.url = "https://" + server.Listener.Addr().String()
	d.write(content)
	o.File, o.Now = d.file, func() time.Time { return d.now }
	var err error
	d.guard, err = access.New(o)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", d.guard.Login)
	mux.HandleFunc("POST /login", d.guard.LoginByToken)
	mux.HandleFunc("GET /login/callback", d.guard.Callback)
	mux.HandleFunc("POST /logout", d.guard.Logout)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		who, err := d.guard.Admit(r, access.Viewer)
		var refusal *access.Refusal
		if errors.As(err, &refusal) {
			http.Error(w, err.Error(), refusal.Code)
			return
		}
		_, _ = fmt.Fprint(w, who.Name, " ", who.Role, " ", who.Teams)
	})
	server.Config.Handler = mux
	server.StartTLS()
	t.Cleanup(server.Close)
	d.trust = server.Client().Transport
	return d
}

func (d *door) write(content string) {
	d.t.Helper()
	require.NoError(d.t, os.WriteFile(d.file, []byte(strings.ReplaceAll(content, "URL", d.url)), 0o600))
}

// A visitor is a client with cookies, a token, or nothing, that follows no redirect.
type visitor struct {
	*door
	client *http.Client
	token  string
}

func (d *door) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(d.t, err)
	return &visitor{door: d, client: &http.Client{
		Jar: jar, Transport: d.trust, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (d *door) with(token string) *visitor {
	v := d.visitor()
	v.token = token
	return v
}

// ask returns the status, the body and the place that an answer sends to.
func (v *visitor) ask(method, path, form string) (code int, body, location string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(form))
	require.NoError(v.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if v.token != "" {
		req.Header.Set("Authorization", "Bearer "+v.token)
	}
	resp, err := v.client.Do(req)
	require.NoError(v.t, err)
	defer func() { require.NoError(v.t, resp.Body.Close()) }()
	content, err := io.ReadAll(resp.Body)
	require.NoError(v.t, err)
	return resp.StatusCode, string(content), resp.Header.Get("Location")
}

// is requires who the visitor is.
func (v *visitor) is(want string) {
	v.t.Helper()
	code, body, _ := v.ask(http.MethodGet, "/", "")
	require.Equal(v.t, http.StatusOK, code, body)
	require.Equal(v.t, want, body)
}

// isRefused requires that the visitor is not let in.
func (v *visitor) isRefused(code int, because string) {
	v.t.Helper()
	got, body, _ := v.ask(http.MethodGet, "/", "")
	require.Equal(v.t, code, got, body)
	require.Contains(v.t, body, because)
}

// entry is a token and its entry in a file of access.
func entry(name, role string) (token, line string) {
	token, digest := access.NewToken()
	return token, fmt.Sprintf("- {name: %s, role: %s, sha256: %s}\n", name, role, digest)
}
