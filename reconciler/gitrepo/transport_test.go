package gitrepo_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"transom.dev/reconciler/gitrepo"
)

// An origin is a bare repository and one way to reach it.
type origin struct {
	*bare
	url         string
	credentials gitrepo.Credentials
}

// remote returns a Remote with a mirror of its own.
func (o *origin) remote() *gitrepo.Remote {
	return &gitrepo.Remote{
		URL: o.url, Branch: "main", Dir: filepath.Join(o.t.TempDir(), "mirror"), Credentials: o.credentials,
	}
}

// everyTransport runs one test over all that a Remote can be reached by.
func everyTransport(t *testing.T, test func(t *testing.T, o *origin)) {
	for name, reach := range map[string]func(*bare) *origin{
		"path":  func(b *bare) *origin { return &origin{bare: b, url: b.dir} },
		"file":  func(b *bare) *origin { return &origin{bare: b, url: "file://" + b.dir} },
		"https": func(b *bare) *origin { return overHTTPS(b, passThrough) },
		"ssh":   func(b *bare) *origin { return overSSH(b).origin(b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, reach(newBare(t)))
		})
	}
}

// credentialsFile writes a credentials file.
func credentialsFile(t testing.TB, content string) string {
	file := filepath.Join(t.TempDir(), "credentials.yaml")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func readCredentials(t testing.TB, content string) gitrepo.Credentials {
	c, err := gitrepo.ReadCredentials(credentialsFile(t, content))
	require.NoError(t, err)
	return c
}

const password = "correct-horse-battery"

// passThrough is a server as it should be.
func passThrough(git http.Handler) http.Handler { return git }

// overHTTPS serves b by git http-backend behind TLS and basic auth. around may come between.
func overHTTPS(b *bare, around func(git http.Handler) http.Handler) *origin {
	server := httptest.NewTLSServer(withPassword(around(httpBackend(b))))
	b.t.Cleanup(server.Close)
	return &origin{bare: b, url: server.URL + "/" + filepath.Base(b.dir), credentials: readCredentials(b.t, fmt.Sprintf(
		"credentials:\n- {url: %q, username: transom, password: %s, caFile: %q}\n", server.URL, password, writePEM(b.t, server.Certificate().Raw)))}
}

// writePEM writes a certificate to a file.
func writePEM(t testing.TB, certificate []byte) string {
	file := filepath.Join(t.TempDir(), "ca.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

func httpBackend(b *bare) http.Handler {
	out, err := exec.Command("git", "--exec-path").Output()
	require.NoError(b.t, err)
	return &cgi.Handler{
		Path:   filepath.Join(string(out[:len(out)-1]), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + filepath.Dir(b.dir), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=transom"},
		Stderr: io.Discard,
	}
}

func withPassword(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, given, _ := req.BasicAuth(); given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			// Some servers repeat the request that they were sent.
			http.Error(w, "not welcome: "+req.Header.Get("Authorization")+" "+given, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// An sshServer runs commands for whoever has the right key.
type sshServer struct {
	t       testing.TB
	address string
	host    ssh.Signer
	keyFile string // of the user
}

func overSSH(b *bare) *sshServer {
	s := &sshServer{t: b.t, host: newKey(b.t), keyFile: filepath.Join(b.t.TempDir(), "id")}
	user := newKeyFile(b.t, s.keyFile)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.PublicKey().Marshal()) {
			return nil, fmt.Errorf("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(s.host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b.t, err)
	s.address = listener.Addr().String()
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { serveSSH(conn, config) })
		}
	})
	b.t.Cleanup(func() {
		_ = listener.Close()
		conns.Wait()
	})
	return s
}

// knownHosts writes a known hosts file with key.
func (s *sshServer) knownHosts(key ssh.PublicKey) string {
	file := filepath.Join(s.t.TempDir(), "known_hosts")
	line := knownhosts.Line([]string{knownhosts.Normalize(s.address)}, key) + "\n"
	require.NoError(s.t, os.WriteFile(file, []byte(line), 0o600))
	return file
}

func (s *sshServer) origin(b *bare) *origin {
	return s.originWith(b, s.keyFile, s.knownHosts(s.host.PublicKey()))
}

func (s *sshServer) originWith(b *bare, keyFile, knownHostsFile string) *origin {
	return &origin{bare: b, url: "ssh://git@" + s.address + b.dir, credentials: readCredentials(b.t, fmt.Sprintf(
		"credentials:\n- {url: %q, privateKeyFile: %q, knownHostsFile: %q}\n", "ssh://"+s.address, keyFile, knownHostsFile))}
}

func newKey(t testing.TB) ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return signer
}

func newKeyFile(t testing.TB, file string) ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return signer
}

func serveSSH(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	server, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer server.Close()
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		for req := range requests {
			if req.Type != "exec" {
				_ = req.Reply(false, nil)
				continue
			}
			_ = req.Reply(true, nil)
			var line struct{ Command string }
			_ = ssh.Unmarshal(req.Payload, &line)
			status := runCommand(line.Command, channel)
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
			_ = channel.Close()
		}
	}
}

func runCommand(line string, channel ssh.Channel) uint32 {
	cmd := exec.Command("sh", "-c", line)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 1
	}
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	go func() {
		_, _ = io.Copy(in, channel)
		_ = in.Close()
	}()
	if cmd.Run() != nil {
		return 1
	}
	return 0
}

// hostOf returns host:port of a URL.
func hostOf(t testing.TB, raw string) string {
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Host
}
