package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/credential"
	"transom.dev/reconciler/check"
	forges "transom.dev/reconciler/forge"
	"transom.dev/reconciler/gitrepo"
	"transom.dev/reconciler/notify"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/access"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
)

// partySecret is the daemon's credential at a party.
const partySecret = "s3cret-of-the-daemon-0123456789"

// A party is somebody outside that the daemon asks over HTTP.
type party struct {
	well  http.HandlerFunc                                              // its answers when it is well
	asker func(t *testing.T, at, ca string) func(context.Context) error // ca is a file with the certificate to trust
	plain bool                                                          // it is asked without TLS here: only the system's authorities are trusted
	bears []string                                                      // ways in which it can answer that are an answer all the same
}

// parties are all but Kubernetes, which TestWhatMisbehavesOutsideDelaysOnlyItself has, the collector of traces, which the environment of
// the whole process names (TestACollectorMayMisbehave), and mail, which is not told over HTTP (TestAMailServerMayMisbehave).
func parties(git http.Handler) map[string]party {
	return map[string]party{
		"Git server":    {well: git.ServeHTTP, asker: askGit},
		"GitHub":        {well: answerAsForge, asker: askForge(forges.GitHub, "/api/v3"), bears: []string{"something-else"}},
		"GitLab":        {well: answerAsGitLab, asker: askForge(forges.GitLab, "/api/v4")},
		"issuer":        {well: answerAsIssuer, asker: askIssuer},
		"web hook":      {well: func(http.ResponseWriter, *http.Request) {}, asker: askWebhook, plain: true, bears: onlyStatus},
		"check's party": {well: answerAsService, asker: askService, plain: true},
		"chat":          {well: func(http.ResponseWriter, *http.Request) {}, asker: askChat, plain: true, bears: []string{"page", "truncates", "something-else", "resets", "pack-lies"}},
		"TokenReview":   {well: answerAsCluster, asker: askWhoseToken},
	}
}

// onlyStatus are the ways that matter to nobody who reads the status of an answer alone.
var onlyStatus = []string{
	"endless", "bomb", "page", "truncates", "something-else", "hangs-within", "promises", "trickles", "resets", "pack-lies", "refs-without-end",
}

func askGit(t *testing.T, at, ca string) func(context.Context) error {
	file := filepath.Join(t.TempDir(), "git.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "credentials:\n- {url: %q, token: %s, caFile: %q}\n", at, partySecret, ca), 0o600))
	credentials, err := gitrepo.ReadCredentials(file)
	require.NoError(t, err)
	remote := &gitrepo.Remote{
		URL: at + "/git/platform.git", Branch: "main", Dir: t.TempDir(), Credentials: credentials, Timeout: 2 * time.Second,
		Limits: gitrepo.Limits{AnswerBytes: 1 << 20, PackBytes: 1 << 20},
	}
	return func(ctx context.Context) error {
		_, err := remote.Fetch(ctx)
		return err
	}
}

func answerAsForge(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"statuses": []}`)
}

func answerAsGitLab(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, `[]`)
		return
	}
	_, _ = io.WriteString(w, `{"id": 1}`)
}

// askForge has a forge told of a commit.
func askForge(kind forges.Kind, api string) func(t *testing.T, at, ca string) func(context.Context) error {
	return func(t *testing.T, at, ca string) func(context.Context) error {
		trusted, err := os.ReadFile(ca)
		require.NoError(t, err)
		return tellForge(forges.Config{Kind: kind, API: at + api, Repository: "acme/platform", Token: partySecret, CA: string(trusted)})
	}
}

// tellForge has a forge told of a commit, and returns its fault.
func tellForge(config forges.Config) func(context.Context) error {
	return func(ctx context.Context) error {
		board := status.NewBoard(time.Now)
		board.Loaded("url", &platform.Platform{Commit: "c1", Environments: map[string]*platform.Environment{"dev": {}}})
		teller := &forges.Teller{
			Config: func() (forges.Config, error) { return config, nil },
			Board:  board, Branch: "main", Interval: time.Hour, Wait: time.Hour,
			Changed: func(context.Context, string, string) (string, error) { return "", nil },
		}
		news, end := board.Subscribe()
		defer end()
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = teller.Run(ctx) // until it is ended
		}()
		defer func() {
			cancel()
			<-ended
		}()
		tick := time.NewTicker(20 * time.Millisecond) // telling is no news of the Board where all is well
		defer tick.Stop()
		for {
			if said, told := board.Status().Platform.Forge[forges.Statuses]; told && said != "" {
				return errors.New(said)
			} else if told {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-news:
			case <-tick.C:
			}
		}
	}
}

func answerAsIssuer(w http.ResponseWriter, r *http.Request) {
	at := "https://" + r.Host
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"issuer": at, "authorization_endpoint": at + "/auth", "token_endpoint": at + "/token", "jwks_uri": at + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// askIssuer has somebody begin to log in.
func askIssuer(t *testing.T, at, ca string) func(context.Context) error {
	dir := t.TempDir()
	file := filepath.Join(dir, "access.yaml")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(partySecret), 0o600))
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "oidc:\n  issuer: %s\n  clientID: transom\n  clientSecretFile: secret\n  caFile: %s\n"+
		"  url: https://transom.example\n  roles: [{group: '*', role: viewer}]\n", at, ca), 0o600))
	now := time.Now()
	guard, err := access.New(access.Options{File: file, Now: func() time.Time { return now }})
	require.NoError(t, err)
	return func(ctx context.Context) error {
		now = now.Add(time.Minute) // so that an issuer that did not answer is asked again
		w := httptest.NewRecorder()
		guard.Login(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "https://transom.example/login", http.NoBody))
		if w.Code != http.StatusSeeOther {
			return errors.New(w.Body.String())
		}
		return nil
	}
}

// shortly bounds a question less generously than the daemon does, so that a test waits less.
const shortly = 3 * time.Second

func askWebhook(_ *testing.T, at, _ string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, shortly)
		defer cancel()
		return notify.Test(ctx, notify.Target{Name: "pager", Webhook: at + "/hook", Secret: partySecret})
	}
}

// askChat tells a chat, as all those that shoutrrr knows.
func askChat(_ *testing.T, at, _ string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, shortly)
		defer cancel()
		return notify.Test(ctx, notify.Target{Name: "chat", URL: "generic+" + at + "/hook?@Authorization=Bearer+" + partySecret})
	}
}

func answerAsCluster(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": `+
		`{"authenticated": true, "audiences": ["transom"], "user": {"username": "system:serviceaccount:search:deployer"}}}`)
}

// askWhoseToken has somebody show a token that a cluster made. Who shows one that the file of access has waits for no cluster meanwhile.
func askWhoseToken(t *testing.T, at, ca string) func(context.Context) error {
	own, digest := access.NewToken()
	file := filepath.Join(t.TempDir(), "access.yaml")
	require.NoError(t, os.WriteFile(file, []byte("kubernetes: {audience: transom, roles: [{user: 'system:serviceaccount:search:deployer', role: viewer}]}\n"+
		"tokens: [{name: watcher, role: viewer, sha256: "+digest+"}]\n"), 0o600))
	client, err := authentication.NewForConfig(credential.Bound(&rest.Config{Host: at, BearerToken: partySecret, TLSClientConfig: rest.TLSClientConfig{CAFile: ca}}))
	require.NoError(t, err)
	guard, err := access.New(access.Options{File: file, Reviews: client.TokenReviews()})
	require.NoError(t, err)
	show := func(ctx context.Context, token string) error {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://transom.example/", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := guard.Admit(r, access.Viewer)
		return err
	}
	return func(ctx context.Context) error {
		asked := make(chan error, 1)
		go func() { asked <- show(ctx, "a.b.c") }()
		require.NoError(t, show(ctx, own))
		return <-asked
	}
}

func answerAsService(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"pass": true}`)
}

func askService(t *testing.T, at, _ string) func(context.Context) error {
	u, err := url.Parse(at)
	require.NoError(t, err)
	client := check.NewClient([]string{u.Host})
	return func(ctx context.Context) error {
		if a := client.Ask(ctx, &inquiry.Check{Name: "slo", Timeout: 5 * time.Second}, inquiry.Text{URL: at}); a.Verdict == "" {
			return errors.New(a.Message)
		}
		return nil
	}
}

// An elsewhere is a host that nobody was told of, and what it was sent.
type elsewhere struct {
	*httptest.Server
	mu   sync.Mutex
	sent strings.Builder
}

func newElsewhere(t *testing.T) *elsewhere {
	e := &elsewhere{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		user, password, _ := r.BasicAuth()
		_, _ = fmt.Fprint(&e.sent, r.URL, r.Header, user, password)
		_, _ = io.CopyN(&e.sent, r.Body, 1<<16)
	}))
	t.Cleanup(e.Close)
	return e
}

// sendsTo has clients go on elsewhere.
func sendsTo(e *elsewhere) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, e.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}
}

// TestEveryPartyMayMisbehave asks each party that the daemon talks to while it misbehaves in each way: the question ends within its bound
// and says so, no credential is told or goes elsewhere, and once the party is well it is asked as before.
func TestEveryPartyMayMisbehave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &world{t: t, dir: dir}
	w.git(dir, "init", "-q", "--bare", "-b", "main", "platform.git")
	w.git(dir, "clone", "-q", "platform.git", "clone")
	w.git(dir, "-C", "clone", "commit", "-q", "--allow-empty", "-m", "first")
	w.git(dir, "-C", "clone", "push", "-q", "origin", "HEAD:main")
	away := newElsewhere(t)
	all := ways(t)
	all["sends-elsewhere"] = way{answer: sendsTo(away)}
	all["another-certificate"] = way{}
	for who, p := range parties(w.gitHandler()) {
		for name, how := range all {
			t.Run(who+"/"+name, func(t *testing.T) {
				t.Parallel()
				misbehaves(t, p, name, how)
			})
		}
	}
	t.Cleanup(func() { require.NotContains(t, away.sent.String(), partySecret) })
}

// misbehaves tells of one party that misbehaves in one way.
func misbehaves(t *testing.T, p party, name string, how way) {
	s := &proxy{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if now := s.way.Load(); now != nil && now.answer != nil {
			_, _ = io.Copy(io.Discard, r.Body)
			now.answer(w, r)
			return
		}
		p.well(w, r)
	}))
	s.Listener = &rude{s.Listener, s}
	s.Config.ErrorLog = discard
	foreign := name == "another-certificate"
	if p.plain && !foreign {
		s.Start()
	} else {
		s.StartTLS()
	}
	t.Cleanup(func() {
		s.behave(nil)
		s.Close()
	})
	trusted, untrusted := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "other.pem")
	if s.Certificate() != nil {
		require.NoError(t, os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	}
	ask := p.asker(t, s.URL, trusted)
	if foreign {
		certificate, _ := selfSigned(t)
		require.NoError(t, os.WriteFile(untrusted, certificate, 0o600))
		ask = p.asker(t, s.URL, untrusted)
	} else {
		s.behave(&how)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	err := ask(ctx)
	require.NoError(t, ctx.Err(), "it ends by its own bound")
	if slices.Contains(p.bears, name) {
		return
	}
	require.Error(t, err)
	require.NotContains(t, err.Error(), partySecret)
	require.Less(t, len(err.Error()), 8<<10)
	if foreign {
		require.ErrorContains(t, err, "certificate")
		return
	}
	s.behave(nil)
	require.Eventually(t, func() bool { err = ask(ctx); return err == nil }, deadline, 200*time.Millisecond)
}

// selfSigned is a certificate of this machine, which no server of httptest has, and its key, in PEM.
func selfSigned(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}
