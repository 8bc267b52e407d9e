package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
)

// How long a test waits for an outcome, and how often it looks.
const (
	settled = time.Minute
	tick    = 10 * time.Millisecond
)

// issuer starts the OpenID provider of e2e/issuer, which ends with the test, and returns its URL.
func issuer(t *testing.T, redirect string) string {
	t.Helper()
	bin, err := filepath.Abs("../../bin/issuer")
	require.NoError(t, err)
	require.FileExists(t, bin, "run `make build` first")
	cmd := exec.CommandContext(t.Context(), bin, "-redirect", redirect, "-secret", "orchard")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	at, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	require.True(t, ok, line)
	return at
}

// console serves the console by TLS to people who log in at a real OpenID provider.
func console(t *testing.T) (s *httptest.Server, provider string) {
	t.Helper()
	s = httptest.NewUnstartedServer(nil)
	at := "https://" + s.Listener.Addr().String()
	provider = issuer(t, at+"/login/callback")
	dir := t.TempDir()
	for file, content := range map[string]string{"secret": "orchard\n", "access.yaml": fmt.Sprintf(`
oidc:
  issuer: %s
  clientID: transom
  clientSecretFile: secret
  url: %s
  scopes: [groups]
  roles:
  - {group: platform, role: operator}
  - {group: payments, role: developer, team: payments}
`, provider, at)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
	}
	guard, err := access.New(access.Options{File: filepath.Join(dir, "access.yaml")})
	require.NoError(t, err)
	base, stop := context.WithCancel(context.Background())
	s.Config.Handler = web.Handler(web.Options{Board: board(), Access: guard})
	s.Config.BaseContext = func(_ net.Listener) context.Context { return base }
	s.StartTLS()
	t.Cleanup(func() {
		stop()
		s.CloseClientConnections()
		s.Close()
	})
	return s, provider
}

// person is a browser without scripts.
func person(t *testing.T, s *httptest.Server) *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar, Transport: s.Client().Transport}
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

// login opens the console, logs in at the provider that it is sent to, and returns the answer at the end of the way.
func login(t *testing.T, client *http.Client, s *httptest.Server, provider, user string) (code int, body string) {
	t.Helper()
	page := func(resp *http.Response, err error) (int, string) {
		require.NoError(t, err)
		content, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, string(content)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/", http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/html")
	_, form := page(client.Do(req))
	id := hidden.FindStringSubmatch(form)
	require.Len(t, id, 2, form)
	return page(client.PostForm(provider+"/login/username", url.Values{"id": {id[1]}, "username": {user}, "password": {"verysecure"}}))
}

// TestPeopleLogInAtARealProvider with groups in the ID token, and with groups that have to be asked for; also after the provider changed
// its key.
func TestPeopleLogInAtARealProvider(t *testing.T) {
	s, provider := console(t)
	whoami := func(client *http.Client) string {
		resp, err := client.Get(s.URL + "/api/v1/whoami")
		require.NoError(t, err)
		content, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return string(content)
	}
	platform := person(t, s)
	code, body := login(t, platform, s, provider, "test-user@localhost")
	require.Equal(t, http.StatusOK, code, body)
	require.Contains(t, body, "<title>Home · Transom</title>")
	require.Contains(t, whoami(platform), `"role":"operator"`)

	resp, err := http.Post(provider+"/rotate", "", nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	payments := person(t, s)
	code, body = login(t, payments, s, provider, "test-user2")
	require.Equal(t, http.StatusOK, code, body)
	require.Contains(t, whoami(payments), `"role":"developer","teams":["payments"]`)
	require.Contains(t, whoami(person(t, s)), "log in")

	resp, err = payments.PostForm(s.URL+"/logout", nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, whoami(payments), "log in")
	require.Contains(t, whoami(platform), `"role":"operator"`)
}

// TestABrowserLogsInAndOut is the way of a person in Chromium: to the provider and back, the console, and out again.
func TestABrowserLogsInAndOut(t *testing.T) {
	s, provider := console(t)
	eventually := open(t, s.URL)
	eventually(`location.origin + location.pathname`, provider+"/login/username")
	eventually(`document.querySelectorAll("#username, #password").length`, "2")
	eventually(`(document.querySelector("#username").value = "test-user@localhost", document.querySelector("#password").value = "verysecure",
		document.forms[0].submit(), "sent")`, "sent")
	eventually(`location.href`, s.URL+"/")
	eventually(all("#person span"), "id1")
	eventually(all("#link"), "live")
	eventually(`document.cookie`, "") // scripts do not see it
	eventually(`(document.querySelector("#person button").click(), "clicked")`, "clicked")
	eventually(all("main p"), "You are logged out.|Log in")
	eventually(`fetch("/api/v1/status").then((a) => { document.title = a.status }) && document.title`, "401")
}
