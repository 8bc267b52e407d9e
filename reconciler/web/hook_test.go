package web_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"transom.dev/e2e/bounded"
	"transom.dev/reconciler/web"
)

const (
	oldSecret = "the secret of last year"
	newSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// A listener is a daemon that takes hooks.
type listener struct {
	http.Handler
	t       testing.TB
	heard   [][]string
	figures *web.Figures
	broken  error // of the file with the secrets
}

func newListener(t testing.TB) *listener {
	l := &listener{t: t, figures: web.NewFigures()}
	l.Handler = web.Handler(web.Options{
		Board: board(), Collectors: l.figures.Collectors(),
		Hooks: &web.Hooks{
			Secrets: func() ([]string, error) { return []string{newSecret, oldSecret}, l.broken },
			Heard:   func(addresses []string) { l.heard = append(l.heard, addresses) },
			Counted: l.figures.Hook,
		},
	})
	return l
}

// call returns the status and the body of the answer.
func (l *listener) call(body io.Reader, header map[string]string) (int, string) {
	r := httptest.NewRequestWithContext(l.t.Context(), http.MethodPost, "http://transom.example.com/hooks/git", body)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// counted are the calls by outcome that are not zero.
func (l *listener) counted() map[string]int {
	registry := prometheus.NewRegistry()
	registry.MustRegister(l.figures.Collectors()...)
	families, err := registry.Gather()
	require.NoError(l.t, err)
	counts := map[string]int{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if n := int(m.GetCounter().GetValue()); f.GetName() == "transom_hook_calls_total" && n > 0 {
				counts[m.GetLabel()[0].GetValue()] = n
			}
		}
	}
	return counts
}

func macOf(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text))
	return mac.Sum(nil)
}

func hexMAC(secret, text string) string { return hex.EncodeToString(macOf([]byte(secret), text)) }

func TestHooksOfAllForgesAreHeard(t *testing.T) {
	github := `{"ref":"refs/heads/main","repository":{"id":1,"clone_url":"https://github.com/acme/platform.git","ssh_url":"git@github.com:acme/platform.git"}}`
	gitlab := `{"object_kind":"push","repository":{"name":"platform","git_http_url":"https://gitlab.example.com/acme/platform.git"}}`
	bitbucket := `{"push":{},"repository":{"links":{"html":{"href":"https://bitbucket.org/acme/platform"},"self":{}}}}`
	form := url.Values{"payload": {github}}.Encode()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(newSecret, "whsec_"))
	require.NoError(t, err)
	for _, c := range []struct {
		sender, body string
		header       map[string]string
		heard        []string
	}{
		{
			"GitHub", github,
			map[string]string{"X-Hub-Signature-256": "sha256=" + hexMAC(newSecret, github), "X-Hub-Signature": "sha1=" + strings.Repeat("0", 40)},
			[]string{"https://github.com/acme/platform.git", "git@github.com:acme/platform.git"},
		},
		{
			"GitHub, as a form", form,
			map[string]string{"X-Hub-Signature-256": "sha256=" + hexMAC(newSecret, form), "Content-Type": "application/x-www-form-urlencoded"},
			[]string{"https://github.com/acme/platform.git", "git@github.com:acme/platform.git"},
		},
		{
			"GitHub, with the secret of before", github,
			map[string]string{"X-Hub-Signature-256": "sha256=" + hexMAC(oldSecret, github)},
			[]string{"https://github.com/acme/platform.git", "git@github.com:acme/platform.git"},
		},
		{"GitLab, with a secret token", gitlab, map[string]string{"X-Gitlab-Token": oldSecret}, []string{"https://gitlab.example.com/acme/platform.git"}},
		{"GitLab, with a signing token", gitlab, map[string]string{
			"Webhook-Id": "1", "Webhook-Timestamp": "2",
			"Webhook-Signature": "v1a,x v1,x v1," + base64.StdEncoding.EncodeToString(macOf(key, "1.2."+gitlab)),
		}, []string{"https://gitlab.example.com/acme/platform.git"}},
		{
			"Gitea", github,
			map[string]string{"X-Gitea-Signature": hexMAC(newSecret, github)},
			[]string{"https://github.com/acme/platform.git", "git@github.com:acme/platform.git"},
		},
		{"Forgejo", `{}`, map[string]string{"X-Forgejo-Signature": hexMAC(newSecret, `{}`)}, nil},
		{"Bitbucket", bitbucket, map[string]string{"X-Hub-Signature": "sha256=" + hexMAC(newSecret, bitbucket)}, []string{"https://bitbucket.org/acme/platform"}},
		{"a post-receive hook", "", map[string]string{"X-Transom-Signature": "sha256=" + hexMAC(newSecret, "")}, nil},
		{"somebody with another notion of a repository", `{"repository":["x"]}`, map[string]string{"X-Transom-Signature": "sha256=" + hexMAC(newSecret, `{"repository":["x"]}`)}, nil},
	} {
		l := newListener(t)
		code, text := l.call(strings.NewReader(c.body), c.header)
		require.Equal(t, http.StatusAccepted, code, c.sender+text)
		require.Equal(t, [][]string{c.heard}, l.heard, c.sender)
		require.Equal(t, map[string]int{"accepted": 1}, l.counted(), c.sender)
	}
}

// The examples of the documentation of GitHub and of Standard Webhooks.
func TestSignaturesAreThoseOfTheDocumentation(t *testing.T) {
	require.Equal(t, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", hexMAC("It's a Secret to Everybody", "Hello, World!"))
	l := newListener(t)
	code, text := l.call(strings.NewReader(`{"test": 2432232314}`), map[string]string{
		"Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp": "1614265330", "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	})
	require.Equal(t, http.StatusAccepted, code, text)
}

func TestHooksThatAreNotSoundAreRefused(t *testing.T) {
	sound := "sha256=" + hexMAC(newSecret, `{}`)
	long := strings.Repeat(" ", 1<<20+1)
	for _, c := range []struct {
		name    string
		body    io.Reader
		header  map[string]string
		code    int
		outcome string
	}{
		{"not signed", strings.NewReader(`{}`), nil, 401, "forged"},
		{"with another secret", strings.NewReader(`{}`), map[string]string{"X-Hub-Signature-256": "sha256=" + hexMAC("another", `{}`)}, 401, "forged"},
		{"with no secret", strings.NewReader(`{}`), map[string]string{"X-Hub-Signature-256": "sha256=" + hexMAC("", `{}`)}, 401, "forged"},
		{"changed", strings.NewReader(`{ }`), map[string]string{"X-Hub-Signature-256": sound}, 401, "forged"},
		{"cut", strings.NewReader(`{}`), map[string]string{"X-Hub-Signature-256": sound[:20]}, 401, "forged"},
		{"by SHA-1", strings.NewReader(`{}`), map[string]string{"X-Hub-Signature": "sha1=" + strings.Repeat("0", 40)}, 401, "forged"},
		{"an empty signature", strings.NewReader(`{}`), map[string]string{"X-Gitea-Signature": ""}, 401, "forged"},
		{"an empty signature of Standard Webhooks", strings.NewReader(`{}`), map[string]string{"Webhook-Signature": "v1,"}, 401, "forged"},
		{"a token that is part of the secret", strings.NewReader(`{}`), map[string]string{"X-Gitlab-Token": oldSecret[:20]}, 401, "forged"},
		{"longer than it may be", strings.NewReader(long), map[string]string{"X-Gitlab-Token": oldSecret}, 413, "oversized"},
		{"longer, without saying so", io.MultiReader(strings.NewReader(long)), map[string]string{"X-Gitlab-Token": oldSecret}, 413, "oversized"},
		{"broken off", io.MultiReader(strings.NewReader(`{}`), failing{}), map[string]string{"X-Gitlab-Token": oldSecret}, 400, "malformed"},
		{"no JSON", strings.NewReader(`{`), map[string]string{"X-Gitlab-Token": oldSecret}, 400, "malformed"},
		{"no form", strings.NewReader(`%`), map[string]string{"X-Gitlab-Token": oldSecret, "Content-Type": "application/x-www-form-urlencoded"}, 400, "malformed"},
		{"deeper than is read", strings.NewReader(strings.Repeat("[", 20_000)), map[string]string{"X-Gitlab-Token": oldSecret}, 400, "malformed"},
	} {
		l := newListener(t)
		code, text := l.call(c.body, c.header)
		require.Equal(t, c.code, code, c.name+text)
		require.Empty(t, l.heard, c.name)
		require.Equal(t, map[string]int{c.outcome: 1}, l.counted(), c.name)
		require.NotContains(t, text, oldSecret)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestHooksAreOff(t *testing.T) {
	s := serve(t, web.Options{Board: board()})
	resp, err := http.Post(s.URL+"/hooks/git", "application/json", strings.NewReader(`{}`))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), "start transom serve with --hook-secret FILE")

	l := newListener(t)
	l.broken = errors.New("no such file")
	code, text := l.call(strings.NewReader(`{}`), map[string]string{"X-Gitlab-Token": newSecret})
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.NotContains(t, text, "no such file", "where the secrets are is the operator's")
}

func TestAFloodOfHooksIsCutShort(t *testing.T) {
	l := newListener(t)
	for range 1000 {
		code, _ := l.call(strings.NewReader(`{}`), map[string]string{"X-Gitlab-Token": "a guess"})
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusTooManyRequests}, code)
	}
	require.Greater(t, l.counted()["limited"], 500)

	l = newListener(t)
	for range 20 {
		_, _ = l.call(bytes.NewReader(make([]byte, 1<<20)), map[string]string{"X-Gitlab-Token": "a guess"})
	}
	require.Greater(t, l.counted()["limited"], 10, "a long call counts for many")
}

func TestLooksAreAskedFor(t *testing.T) {
	looked := []web.Looked{{Repository: "https://git.example.com/platform.git main", Moved: true}, {Environment: "prod", Repository: "r", Error: "no answer"}}
	looks := 0
	s := serve(t, web.Options{Board: board(), Look: func(context.Context) []web.Looked {
		looks++
		return looked
	}})
	post := func(header ...string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/reconcile", nil)
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		resp, err := s.Client().Do(r)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	code, body := post()
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `[{"repository":"https://git.example.com/platform.git main","moved":true},{"environment":"prod","repository":"r","moved":false,"error":"no answer"}]`, body)

	code, _ = post("Origin", "https://elsewhere.example.com")
	require.Equal(t, http.StatusForbidden, code)
	code, _ = post("Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, code)
	code, _ = get(t, s, "/api/v1/reconcile")
	require.Equal(t, http.StatusMethodNotAllowed, code)
	require.Equal(t, 1, looks)
	for range 20 {
		code, _ = post()
	}
	require.Equal(t, http.StatusTooManyRequests, code)
	require.Less(t, looks, 10)
}

// Whatever is sent, the answer is one that is documented, and only a call with the secret is heard.
func FuzzHooks(f *testing.F) {
	for _, body := range []string{``, `{}`, `{"repository":{"clone_url":"https://git.example.com/a.git"}}`, `{"repository":7}`, `payload=%7B%7D`, "\x00", `[[[[`} {
		f.Add("sha256="+hexMAC(newSecret, body), "v1,"+base64.StdEncoding.EncodeToString(macOf([]byte("x"), body)), "", "application/json", []byte(body))
		f.Add("sha256="+strings.Repeat("0", 64), "v1,", "token", "application/x-www-form-urlencoded", []byte(body))
	}
	f.Fuzz(func(t *testing.T, signature, standard, token, contentType string, body []byte) {
		bounded.Usual.Run(func() {
			l := newListener(t)
			code, text := l.call(bytes.NewReader(body), map[string]string{
				"X-Hub-Signature-256": signature, "Webhook-Signature": standard, "X-Gitlab-Token": token, "Content-Type": contentType,
			})
			require.Contains(t, []int{202, 400, 401, 413}, code, text)
			require.Equal(t, code == 202, len(l.heard) == 1)
			if code == 202 || code == 400 {
				given, _ := hex.DecodeString(strings.TrimPrefix(signature, "sha256="))
				isSecret := token == newSecret || token == oldSecret
				isMAC := bytes.Equal(given, macOf([]byte(newSecret), string(body))) || bytes.Equal(given, macOf([]byte(oldSecret), string(body)))
				require.True(t, isSecret || isMAC, "heard without the secret")
			}
		})
	})
}
