package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// TestBeyondThisMachineSomebodyHasToSayWhoMayRead before anything is started.
func TestBeyondThisMachineSomebodyHasToSayWhoMayRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.yaml")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	everywhere, here := &net.TCPAddr{IP: net.IPv6zero, Port: 7460}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7460}
	for name, c := range map[string]struct {
		flags accessOptions
		at    net.Addr
		want  string
	}{
		"on this machine":           {accessOptions{}, here, ""},
		"on this machine, by login": {accessOptions{file: file}, here, ""},
		"everywhere":                {accessOptions{}, everywhere, "--listen [::]:7460 is reached from other machines, and nobody has to log in. Choose: --access FILE"},
		"everywhere, by TLS":        {accessOptions{cert: "a", key: "b"}, everywhere, "nobody has to log in"},
		"everywhere, by a proxy":    {accessOptions{proxies: []string{"10.1.0.0/16"}}, everywhere, "nobody has to log in"},
		"everywhere, in the clear":  {accessOptions{file: file}, everywhere, "tokens would travel in the clear: give --tls-cert and --tls-key, or --behind-proxy"},
		"in the clear, by wish":     {accessOptions{file: file, anonymous: true}, everywhere, "tokens would travel in the clear"},
		"everybody, by wish":        {accessOptions{anonymous: true}, everywhere, ""},
		"by login, behind a proxy":  {accessOptions{file: file, proxies: []string{"10.1.0.0/16"}}, everywhere, ""},
		"a proxy of no network":     {accessOptions{file: file, proxies: []string{"10.1.0.0"}}, everywhere, "--behind-proxy \"10.1.0.0\": give a network"},
		"half a pair":               {accessOptions{cert: "a"}, here, "belong together"},
		"less than no requests":     {accessOptions{requests: -1}, here, "--client-requests -1: give a number"},
		"profiles beside":           {accessOptions{profiles: true}, here, "--pprof needs --metrics-listen"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.flags.open(t.Context(), listenerAt{c.at})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

// listenerAt has an address only.
type listenerAt struct{ at net.Addr }

func (l listenerAt) Addr() net.Addr          { return l.at }
func (listenerAt) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (listenerAt) Close() error              { return nil }

// pkcs8 is a private key in PEM.
func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// free is an address on this machine where nobody listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().String()
}

// TestTheDaemonListensBeyondThisMachineToWhoLogsIn: as its operator and its users do it, with the commands alone.
func TestTheDaemonListensBeyondThisMachineToWhoLogsIn(t *testing.T) {
	s := minimal(t, "main")
	s.git(s.dir, "init", "-q", "--bare", "-b", "main", "state-dev.git")
	s.write("environments/dev.yaml", "state: {url: ../state-dev.git}, clusters: {}")
	s.merge("say hello")
	platform := filepath.Join(s.dir, "platform.git")

	var refused strings.Builder
	require.Error(t, run(t.Context(), []string{
		"serve", "--platform", platform, "--kubeconfigs", t.TempDir(), "--data", t.TempDir(), "--listen", ":0",
	}, nil, io.Discard, &refused))
	require.Contains(t, refused.String(), "--anonymous-viewers lets anybody read, as versions before did")

	var made newEntry
	require.NoError(t, json.Unmarshal([]byte(s.transom("token", "pipeline", "--role", "developer", "--team", "demo", "-o", "json")), &made))
	dir := t.TempDir()
	tls := httptest.NewUnstartedServer(nil)
	tls.StartTLS()
	t.Cleanup(tls.Close)
	own := tls.TLS.Certificates[0] // of 127.0.0.1, by the library for tests
	for file, content := range map[string]string{
		"tls.crt":     string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})),
		"tls.key":     pkcs8(t, own.PrivateKey),
		"access.yaml": "tokens:\n- {name: pipeline, role: developer, team: demo, sha256: " + made.SHA256 + "}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
	}
	at := func(file string) string { return filepath.Join(dir, file) }
	metrics := free(t)
	serving(t, "--platform", platform, "--listen", "0.0.0.0:0", "--access", at("access.yaml"), "--tls-cert", at("tls.crt"), "--tls-key", at("tls.key"),
		"--metrics-listen", metrics)
	address := regexp.MustCompile(`^https://.*:(\d+)$`).FindStringSubmatch(os.Getenv("TRANSOM_SERVER"))
	require.Len(t, address, 2, os.Getenv("TRANSOM_SERVER"))
	t.Setenv("TRANSOM_SERVER", "https://127.0.0.1:"+address[1])
	t.Setenv("TRANSOM_CA", at("tls.crt"))

	status := func(args ...string) (string, error) {
		var stderr strings.Builder
		err := run(t.Context(), append([]string{"status"}, args...), nil, io.Discard, &stderr)
		return stderr.String(), err
	}
	told, err := status()
	require.Error(t, err)
	require.Contains(t, told, "has to know who asks: set TRANSOM_TOKEN or --token-file")
	t.Setenv("TRANSOM_TOKEN", made.Token)
	require.Eventually(t, func() bool { told, err = status("demo/hello"); return err == nil }, time.Minute, 100*time.Millisecond, "nobody is let in")
	t.Setenv("TRANSOM_TOKEN", "")
	require.NoError(t, os.WriteFile(at("token"), []byte(made.Token+"\n"), 0o600))
	told, err = status("--token-file", at("token"))
	require.NoError(t, err, told)

	answer, err := http.Get("http://" + metrics + "/metrics")
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	page, err := fs.ReadFile(documents(), "metrics.md")
	require.NoError(t, err)
	exposed := regexp.MustCompile(`(?m)^# TYPE (transom_\w+) (\w+)$`).FindAllStringSubmatch(string(body), -1)
	require.NotEmpty(t, exposed)
	for _, metric := range exposed {
		require.Contains(t, string(page), "\n| `"+metric[1]+"` | "+metric[2]+" |")
	}
}

// TestATokenReviewIsNotRedirected: the daemon's own token would go there, and the one that is asked about.
func TestATokenReviewIsNotRedirected(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the token went elsewhere") }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	reviews := tokenReviewsOf(&rest.Config{Host: server.URL, BearerToken: "orchard"})
	_, err := reviews.Create(t.Context(), &authentication.TokenReview{}, metav1.CreateOptions{})
	require.ErrorContains(t, err, "answered with a redirect to")
}
