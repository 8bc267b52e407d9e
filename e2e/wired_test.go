package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/notify"
	"transom.dev/reconciler/web/access"
)

// outsiders are those whom a daemon tells of its work: people by a web hook, and a collector of traces.
type outsiders struct {
	mu     sync.Mutex
	told   []string // "kind environment request"
	traced int
}

func (o *outsiders) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.URL.Path == "/v1/traces" {
		o.traced++
		return
	}
	var m notify.Message
	if json.NewDecoder(r.Body).Decode(&m) != nil {
		return
	}
	for _, e := range m.Events {
		o.told = append(o.told, string(m.Kind)+" "+m.Environment+" "+e.Request)
	}
}

// TestADaemonDoesWhatItsFlagsSay has one daemon follow signed commits alone, tell people and a collector of traces, and know its clients
// behind a proxy.
func TestADaemonDoesWhatItsFlagsSay(t *testing.T) {
	w := newWorld(t, settings, bothClusters, "--api-only")
	around := &outsiders{}
	server := httptest.NewServer(around)
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	w.signs()
	token, digest := access.NewToken()
	scripts, digestOfScripts := access.NewToken()
	w.asker = &http.Client{Transport: bearer{http.DefaultTransport, token}}
	w.flags = append(w.flags, "--verify-signatures", filepath.Join(w.dir, "signer.pub"), "--behind-proxy", "127.0.0.0/8",
		"--notify", w.file("notify.yaml", "targets:\n- {name: pager, webhook: '"+server.URL+"/hook', secret: 0123456789abcdef}\n"),
		"--access", w.file("access.yaml", "tokens: [{name: watcher, role: operator, sha256: "+digest+"}, {name: script, role: viewer, sha256: "+digestOfScripts+"}]\n"))
	signed := w.push("people are told", map[string]string{"notifications/all.yaml": document("Notification", "all", "target: pager")})
	w.start()
	w.live("shop", "green")

	w.git(w.clone(), "config", "commit.gpgsign", "false")
	w.push("unsigned", map[string]string{"requests/payments/shop.yaml": request("shop", "red")})
	w.eventually("the platform is frozen", func() error {
		s, err := w.status()
		if err == nil && (s.Platform.Commit != signed || s.Platform.Frozen == "") {
			err = fmt.Errorf("%+v", s.Platform)
		}
		return err
	})
	require.NoError(t, w.color("one", "payments", "shop", "green"))
	w.git(w.clone(), "config", "commit.gpgsign", "true")
	w.push("signed again", map[string]string{"requests/payments/shop.yaml": request("shop", "blue")})
	w.live("shop", "blue")

	w.push("a mistake", map[string]string{"requests/payments/search.yaml": document("Request", "search", "offering: nothing")})
	w.eventually("people and the collector are told", func() error {
		around.mu.Lock()
		defer around.mu.Unlock()
		if all := strings.Join(around.told, "\n"); around.traced == 0 || !strings.Contains(all, "problem") {
			return fmt.Errorf("%d traces, and %s", around.traced, all)
		}
		return nil
	})

	w.eventually("a client that fails too often is limited", func() error {
		if code := w.guesses("192.0.2.1"); code != http.StatusTooManyRequests {
			return fmt.Errorf("answered %d", code)
		}
		return nil
	})
	require.Equal(t, http.StatusUnauthorized, w.guesses("192.0.2.2"), "another client of the same proxy is not")

	script := *w
	script.asker = &http.Client{Transport: bearer{http.DefaultTransport, scripts}}
	asked, code := 0, http.StatusOK
	for ; code == http.StatusOK && asked < 5000; asked++ {
		var err error
		_, code, err = script.get("/api/v1/environments")
		require.NoError(t, err)
	}
	require.Equal(t, http.StatusTooManyRequests, code, "a client that asks without end is limited")
	require.GreaterOrEqual(t, asked, 500, "but not sooner than is said")
	require.NoError(t, script.answers("/readyz", "ok"), "health is not")
	require.NoError(t, w.answers("/api/v1/environments", "dev"), "nor is anybody else")
	w.stop()
}

// signs has commits to the platform be signed from now on, by a key whose public part is in signer.pub.
func (w *world) signs() {
	w.t.Helper()
	key := filepath.Join(w.dir, "signer")
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput()
	require.NoError(w.t, err, "%s", out)
	for name, value := range map[string]string{"gpg.format": "ssh", "user.signingkey": key, "commit.gpgsign": "true"} {
		w.git(w.clone(), "config", name, value)
	}
}

// file writes a file that the daemon alone may read.
func (w *world) file(name, content string) string {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	require.NoError(w.t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

// guesses asks with a token that nobody has, as a client of a proxy, and returns the status of the answer.
func (w *world) guesses(client string) int {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.api+"/api/v1/status", http.NoBody)
	require.NoError(w.t, err)
	token, _ := access.NewToken()
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Forwarded-For", client)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(w.t, err)
	require.NoError(w.t, answer.Body.Close())
	return answer.StatusCode
}
