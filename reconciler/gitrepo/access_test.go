package gitrepo_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

func TestSecretsAreInNoError(t *testing.T) {
	b := newBare(t)
	o := overHTTPS(b, passThrough)
	server := "https://" + hostOf(t, o.url)
	const wrong = "hunter2-hunter2"
	o.credentials = readCredentials(t, fmt.Sprintf("credentials:\n- {url: %q, token: %s, caFile: %q}\n", server, wrong, caFileOf(t, o)))
	r := o.remote()
	_, err := r.Fetch(context.Background())
	require.ErrorContains(t, err, o.url+": the credentials for "+server+"/ are refused: authentication required: not welcome: Basic *** ***")
	for _, shown := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", o.credentials), fmt.Sprintf("%+v", *o)} {
		require.NotContains(t, shown, wrong)
		require.NotContains(t, shown, base64.StdEncoding.EncodeToString([]byte("x-access-token:"+wrong)))
	}

	o.credentials = gitrepo.Credentials{}
	_, err = o.remote().Fetch(context.Background())
	require.ErrorContains(t, err, "certificate signed by unknown authority")
}

func TestHookMessageShowsNoSecret(t *testing.T) {
	b := newBare(t)
	b.hook("pre-receive", "echo the password is "+password+"; exit 1")
	o := overHTTPS(b, passThrough)
	r := o.remote()
	_, err := r.Commit(context.Background(), fetch(t, r), transom("ours", map[string][]byte{"f": []byte("2")}))
	require.EqualError(t, err, o.url+": commit rejected: pre-receive hook declined: the password is ***")
}

func TestTokenIsSentAsPassword(t *testing.T) {
	b := newBare(t)
	o := overHTTPS(b, passThrough)
	o.credentials = readCredentials(t, fmt.Sprintf("credentials:\n- {url: %q, token: %s, caFile: %q}\n", o.url, password, caFileOf(t, o)))
	r := o.remote()
	s := commit(t, r, fetch(t, r), map[string][]byte{"f": []byte("1")})
	require.Equal(t, s.Commit, b.head())
}

// TestARotatedCredentialIsUsedWithoutARestart: by remotes that are open, for the token as for the files that the entry names.
func TestARotatedCredentialIsUsedWithoutARestart(t *testing.T) {
	b := newBare(t)
	o := overHTTPS(b, passThrough)
	ca := caFileOf(t, o)
	file := credentialsFile(t, "")
	write := func(token string) {
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "credentials:\n- {url: %q, token: %s, caFile: %q}\n", o.url, token, ca), 0o600))
	}
	write("expired")
	var err error
	o.credentials, err = gitrepo.ReadCredentials(file)
	require.NoError(t, err)
	r := o.remote()
	_, err = r.Fetch(t.Context())
	require.ErrorContains(t, err, "are refused: authentication required")
	refresh := func(want bool) {
		t.Helper()
		changed, err := o.credentials.Refresh()
		require.NoError(t, err)
		require.Equal(t, want, changed)
	}
	refresh(false)
	write(password)
	refresh(true)
	first := commit(t, r, fetch(t, r), map[string][]byte{"f": []byte("1")})
	require.Equal(t, first.Commit, b.head())

	require.NoError(t, os.WriteFile(file, []byte("credentials: [{url: 'https://h'}]"), 0o600))
	_, err = o.credentials.Refresh()
	require.ErrorContains(t, err, "nothing to log in with")
	require.Equal(t, "1 git credentials", o.credentials.String())
	for _, half := range []string{"", "# the entries\n", "credentials:\n"} {
		require.NoError(t, os.WriteFile(file, []byte(half), 0o600))
		_, err = o.credentials.Refresh()
		require.ErrorContains(t, err, "has no list of credentials; to log in nowhere, write credentials: []", "a file that is being written")
	}
	require.Equal(t, "1 git credentials", o.credentials.String())
	require.Equal(t, first.Commit, fetch(t, r).Commit, "a file with a mistake changes nothing")

	require.NoError(t, os.WriteFile(file, []byte("credentials: []\n"), 0o600))
	refresh(true)
	require.True(t, o.credentials.None())
	write(password)
	refresh(true)
	good, err := os.ReadFile(ca)
	require.NoError(t, err)
	other, err := os.ReadFile(writePEM(t, selfSigned(t)))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(ca, other, 0o600))
	refresh(true)
	_, err = r.Branches(t.Context())
	require.ErrorContains(t, err, "certificate signed by unknown authority", "no connection of before is used")
	require.NoError(t, os.WriteFile(ca, good, 0o600))
	refresh(true)
	_, err = r.Branches(t.Context())
	require.NoError(t, err)
	changed, err := gitrepo.Credentials{}.Refresh()
	require.NoError(t, err)
	require.False(t, changed, "without a file there is nothing to read")
}

// selfSigned is a certificate that no server here has.
func selfSigned(t *testing.T) []byte {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(nil, template, template, public, private)
	require.NoError(t, err)
	return certificate
}

func TestWithoutCredentialsTheErrorSaysSo(t *testing.T) {
	b := newBare(t)
	server := httptest.NewServer(withPassword(httpBackend(b)))
	t.Cleanup(server.Close)
	o := &origin{bare: b, url: server.URL + "/origin.git"}
	_, err := o.remote().Fetch(context.Background())
	require.EqualError(t, err, o.url+": authentication required; add an entry for it to the git credentials file")
}

func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		seen = append(seen, req.Header.Get("Authorization"))
		httpBackend(b).ServeHTTP(w, req)
	}))
	t.Cleanup(elsewhere.Close)
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, elsewhere.URL+req.URL.RequestURI(), http.StatusFound)
	}))
	t.Cleanup(here.Close)
	o := &origin{bare: b, url: here.URL + "/origin.git", credentials: readCredentials(t, fmt.Sprintf(
		"credentials:\n- {url: %q, token: %s}\n", here.URL, password))}
	require.Equal(t, "1", readFile(t, fetch(t, o.remote()), "f"))
	require.NotEmpty(t, seen)
	for _, header := range seen {
		require.Empty(t, header)
	}
}

func TestServerThatIsNoGitServer(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello</html>")) },
		"an endless page": func(w http.ResponseWriter, req *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			for req.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<16))
			}
		},
		"nothing": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			o := &origin{bare: newBare(t), url: server.URL + "/origin.git"}
			_, err := o.remote().Fetch(context.Background())
			require.ErrorContains(t, err, o.url+": ")
			require.Less(t, len(err.Error()), 2000)
		})
	}
}

func TestUnknownSSHHostIsRefused(t *testing.T) {
	b := newBare(t)
	s := overSSH(b)
	other := newKey(t)

	known := s.knownHosts(other.PublicKey())
	_, err := s.originWith(b, s.keyFile, known).remote().Fetch(context.Background())
	require.ErrorContains(t, err, "host "+s.address+" shows the key ssh-ed25519 SHA256:")
	require.ErrorContains(t, err, "which is not the one at "+known+":1: somebody may be in between")

	empty := filepath.Join(t.TempDir(), "known_hosts")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = s.originWith(b, s.keyFile, empty).remote().Fetch(context.Background())
	require.ErrorContains(t, err, "host "+s.address+" is not in "+empty+"; its key is ssh-ed25519 SHA256:")
	require.ErrorContains(t, err, "make sure that this is right, then add the line")
}

func TestSSHKeyThatIsNotWelcome(t *testing.T) {
	b := newBare(t)
	s := overSSH(b)
	key := filepath.Join(t.TempDir(), "other")
	newKeyFile(t, key)
	o := s.originWith(b, key, s.knownHosts(s.host.PublicKey()))
	_, err := o.remote().Fetch(context.Background())
	require.ErrorContains(t, err, "log in as git with "+key+": ssh: handshake failed: ssh: unable to authenticate")

	o.credentials = gitrepo.Credentials{}
	_, err = o.remote().Fetch(context.Background())
	require.EqualError(t, err, "ssh://git@"+s.address+b.dir+": no credential for this address; "+
		"add one with privateKeyFile and knownHostsFile to the git credentials file")
}

// caFileOf returns the file with the certificate of o's server.
func caFileOf(t testing.TB, o *origin) string {
	conn, err := tls.Dial("tcp", hostOf(t, o.url), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer conn.Close()
	return writePEM(t, conn.ConnectionState().PeerCertificates[0].Raw)
}
