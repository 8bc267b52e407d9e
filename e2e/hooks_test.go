package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A forge serves the repositories of a world over https, and counts the requests.
type forge struct {
	*httptest.Server
	bytes atomic.Int64 // on its connections, both ways

	mu          sync.Mutex
	requests    map[string]int             // by method and repository
	connections map[string]map[string]bool // by repository
}

// overHTTPS has the daemon reach the platform, and with it the state, over https.
func (w *world) overHTTPS() *forge {
	f := &forge{}
	f.forget()
	git := w.gitHandler()
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		f.count(req)
		git.ServeHTTP(rw, req)
	}))
	f.Listener = meteredListener{f.Listener, &f.bytes}
	f.Config.ErrorLog = discard
	f.StartTLS()
	w.t.Cleanup(f.Close)
	ca, credentials := filepath.Join(w.dir, "forge.pem"), filepath.Join(w.dir, "git.yaml")
	require.NoError(w.t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}), 0o600))
	require.NoError(w.t, os.WriteFile(credentials, fmt.Appendf(nil, "credentials:\n- {url: %q, token: none, caFile: %q}\n", f.URL, ca), 0o600))
	w.flags = []string{"--platform", f.URL + "/git/platform.git", "--git-credentials", credentials}
	return f
}

func (f *forge) count(req *http.Request) {
	repository := strings.Split(req.URL.Path, "/")[2]
	if repository == "platform.git" && strings.Contains(req.URL.RawQuery, "git-receive-pack") {
		return // whether a push would be allowed, which is asked once
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests[req.Method+" "+repository]++
	if f.connections[repository] == nil {
		f.connections[repository] = map[string]bool{}
	}
	f.connections[repository][req.RemoteAddr] = true
}

// forget begins to count anew.
func (f *forge) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests, f.connections = map[string]int{}, map[string]map[string]bool{}
	f.bytes.Store(0)
}

// asked is how many requests there were.
func (f *forge) asked(methodAndRepository string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[methodAndRepository]
}

// all is how many requests there were in all.
func (f *forge) all() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, requests := range f.requests {
		n += requests
	}
	return n
}

// A meteredListener is a listener that counts the bytes of its connections.
type meteredListener struct {
	net.Listener
	bytes *atomic.Int64
}

func (c meteredListener) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	return meteredConn{conn, c.bytes}, err
}

type meteredConn struct {
	net.Conn
	bytes *atomic.Int64
}

func (c meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func (c meteredConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

const hookSecret = "0123456789abcdef0123456789abcdef"

// takeHooks adds the flags by which the daemon takes hooks.
func (w *world) takeHooks() {
	file := filepath.Join(w.dir, "hook-secret")
	require.NoError(w.t, os.WriteFile(file, []byte(hookSecret+"\n"), 0o600))
	w.flags = append(w.flags, "--hook-secret", file)
}

// call calls the daemon's hook as a forge does, and returns the status of its answer.
func (w *world) call(secret, body string) int {
	response, err := w.asking().Do(w.hookCall(secret, body))
	require.NoError(w.t, err)
	_, _ = io.Copy(io.Discard, response.Body)
	require.NoError(w.t, response.Body.Close())
	return response.StatusCode
}

// hookCall is a call of the daemon's hook, signed with a secret.
func (w *world) hookCall(secret, body string) *http.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.api+"/hooks/git", strings.NewReader(body))
	require.NoError(w.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return req
}

// pushed is the content of a call about a repository.
func (f *forge) pushed(repository string) string {
	return fmt.Sprintf(`{"ref":"refs/heads/main","repository":{"clone_url":"%s/git/%s"}}`, f.URL, repository)
}

// TestAPushOverHTTPSIsHeardOf: by a hook, by asking, and because a person says so; and the Git server is asked no more for it than
// it has to be.
func TestAPushOverHTTPSIsHeardOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	f := w.overHTTPS()
	w.takeHooks()
	deaf := append(w.flags, "--interval", "1h", "--platform-interval", "0s")
	w.flags = deaf
	paint := func(color string) {
		w.push(color, map[string]string{"requests/payments/shop.yaml": request("shop", color)})
	}
	w.start()
	w.live("shop", "green")

	f.forget()
	paint("blue")
	require.Equal(t, http.StatusUnauthorized, w.call("another secret", f.pushed("platform.git")), "forged")
	require.Equal(t, http.StatusRequestEntityTooLarge, w.call(hookSecret, strings.Repeat(" ", 1<<20+10)), "oversized")
	require.Equal(t, http.StatusBadRequest, w.call(hookSecret, "{"), "malformed")
	require.Zero(t, f.asked("GET platform.git"))
	require.Equal(t, http.StatusAccepted, w.call(hookSecret, f.pushed("platform.git")))
	w.live("shop", "blue")
	require.Equal(t, 2, f.asked("GET platform.git"), "whether it moved, and then to fetch")
	require.Equal(t, 1, f.asked("POST platform.git"), "one fetch")

	for range 5 {
		require.Equal(t, http.StatusAccepted, w.call(hookSecret, f.pushed("platform.git")), "sent again")
	}
	w.eventually("the question is asked", func() error { return over(2, f.asked("GET platform.git")) })
	require.Equal(t, http.StatusAccepted, w.call(hookSecret, f.pushed("somebody-elses.git")), "which is not followed: all are asked")
	before := f.asked("GET state-dev.git")
	w.eventually("the question is asked", func() error { return over(before, f.asked("GET state-dev.git")) })
	require.Equal(t, 1, f.asked("POST platform.git"), "but nothing is fetched")

	red := 0
	w.eventually("it moved since the last look, which the calls before may still have asked for", func() error {
		red++
		paint(fmt.Sprintf("red-%d", red))
		out, err := exec.Command(filepath.Join(w.bin, "transom"), "reconcile", "--server", w.api, "-o", "json").Output()
		if err != nil {
			return err
		}
		var looked []struct {
			Environment, Repository string
			Moved                   bool
		}
		require.NoError(t, json.Unmarshal(out, &looked))
		require.Len(t, looked, 3)
		if !looked[0].Moved || looked[1].Moved {
			return fmt.Errorf("%+v", looked)
		}
		return nil
	})
	w.live("shop", fmt.Sprintf("red-%d", red))
	w.stop()

	w.flags = append(deaf, "--platform-interval", "100ms")
	w.start()
	w.eventually("it is at rest", func() error { return w.healthy(w.git(w.clone(), "rev-parse", "HEAD"), -1) })
	w.eventually("it has started", func() error { return over(0, f.asked("GET platform.git")) })
	f.forget()
	w.eventually("it asks and asks", func() error { return over(9, f.asked("GET platform.git")) })
	f.mu.Lock()
	require.Zero(t, f.requests["POST platform.git"], "nothing is fetched at rest")
	require.Len(t, f.connections["platform.git"], 1, "and one connection is kept")
	f.mu.Unlock()
	paint("white")
	w.live("shop", "white")
	w.stop()
}

// over returns an error unless n is more than least.
func over(least, n int) error {
	if n <= least {
		return fmt.Errorf("%d, want more than %d", n, least)
	}
	return nil
}
