package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A hub stands in for GitHub, for the few routes that the daemon needs.
type hub struct {
	*httptest.Server

	mu       sync.Mutex
	down     bool
	statuses map[string][]map[string]string // by commit, the latest first
	requests []any
	comments map[string][]map[string]any // by request
	asked    map[string]int              // for the statuses of a commit
}

func newHub(t testing.TB) *hub {
	h := &hub{statuses: map[string][]map[string]string{}, comments: map[string][]map[string]any{}, asked: map[string]int{}}
	const repo = "/api/v3/repos/acme/platform"
	mux := http.NewServeMux()
	answer := func(route string, of func(r *http.Request) any) {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(of(r)) })
	}
	me := map[string]any{"id": 1}
	answer("GET /api/v3/user", func(*http.Request) any { return me })
	answer("GET "+repo+"/commits/{commit}/status", func(r *http.Request) any {
		h.asked[r.PathValue("commit")]++
		return map[string]any{"statuses": h.statuses[r.PathValue("commit")]}
	})
	answer("POST "+repo+"/statuses/{commit}", func(r *http.Request) any {
		var s map[string]string
		_ = json.NewDecoder(r.Body).Decode(&s)
		h.statuses[r.PathValue("commit")] = slices.Insert(h.statuses[r.PathValue("commit")], 0, s)
		return me
	})
	answer("GET "+repo+"/pulls", func(*http.Request) any { return append([]any{}, h.requests...) })
	answer("GET "+repo+"/collaborators/{login}/permission", func(*http.Request) any { return map[string]string{"permission": "write"} })
	answer("GET "+repo+"/issues/{number}/comments", func(r *http.Request) any { return append([]map[string]any{}, h.comments[r.PathValue("number")]...) })
	answer("POST "+repo+"/issues/{number}/comments", func(r *http.Request) any {
		c := map[string]any{"user": me, "id": 7}
		_ = json.NewDecoder(r.Body).Decode(&c)
		h.comments[r.PathValue("number")] = append(h.comments[r.PathValue("number")], c)
		return c
	})
	answer("PATCH "+repo+"/issues/comments/{id}", func(r *http.Request) any {
		_ = json.NewDecoder(r.Body).Decode(&h.comments["1"][0])
		return me
	})
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// told are the statuses of a commit, as CONTEXT STATE TEXT, sorted.
func (h *hub) told(commit string) (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.statuses[commit] {
		all = append(all, s["context"]+" "+s["state"]+" "+s["description"])
	}
	slices.Sort(all)
	return all
}

// comment is the only comment on the request 1.
func (h *hub) comment() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.comments["1"]); n != 1 {
		return "", fmt.Errorf("%d comments", n)
	}
	return fmt.Sprint(h.comments["1"][0]["body"]), nil
}

// change changes the hub.
func (h *hub) change(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// TestAForgeIsTold of each commit's way and of the plan of a pull request, and that it is away delays nothing.
func TestAForgeIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings, bothClusters, "--api-only")
	f, h := w.overHTTPS(), newHub(t)
	w.takeHooks()
	file := filepath.Join(w.dir, "forge.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "{kind: github, api: %q, repository: acme/platform, token: secret}\n", h.URL+"/api/v3"), 0o600))
	w.flags = append(w.flags, "--forge", file, "--console-url", "https://transom.example")
	w.start()
	w.live("shop", "green")
	first := w.git(w.clone(), "rev-parse", "HEAD")
	live := func(commit string) error {
		all := strings.Join(h.told(commit), "\n")
		for _, environment := range []string{"dev", "prod"} {
			if !strings.Contains(all, "transom/"+environment+" success healthy: 1 of 1 placements") {
				return errors.New(all)
			}
		}
		return nil
	}
	w.eventually("the first commit is told", func() error { return live(first) })
	w.eventually("the credential may push", func() error {
		if w.said("the credential for the platform repository may push there") == "" {
			return errors.New("not said")
		}
		return nil
	})

	// A pull request, and another one of a stranger.
	w.git(w.clone(), "checkout", "-q", "-b", "paint")
	require.NoError(t, os.WriteFile(filepath.Join(w.clone(), "requests/payments/shop.yaml"), []byte(request("shop", "blue")), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(w.clone(), "requests/payments/wrong.yaml"), []byte("kind: Nonsense\n"), 0o644))
	w.git(w.clone(), "add", "-A")
	w.git(w.clone(), "commit", "-qm", "paint")
	w.git(w.clone(), "push", "-q", "origin", "paint")
	branch := w.git(w.clone(), "rev-parse", "HEAD")
	w.git(w.clone(), "checkout", "-q", "main")
	pull := func(number, repository int) any {
		repo := func(id int) any { return map[string]any{"id": id, "html_url": "https://github.example/acme/platform"} }
		return map[string]any{
			"number": number, "user": map[string]any{"login": "dev"}, "base": map[string]any{"repo": repo(1)},
			"head": map[string]any{"ref": "paint", "sha": branch, "repo": repo(repository)},
		}
	}
	h.change(func() { h.requests = []any{pull(1, 1), pull(2, 2)} })
	require.Equal(t, http.StatusAccepted, w.call(hookSecret, f.pushed("platform.git")))
	var comment string
	w.eventually("the plan is told", func() (err error) { comment, err = h.comment(); return err })
	for _, part := range []string{
		"<!-- transom plan " + branch + " " + first + " -->\n### Transom plan: objects 0 added, 2 changed, 0 replaced, 0 removed on 2 clusters\n",
		"-  color: green\n+  color: blue\n", "[requests/payments/wrong.yaml", "](https://github.example/acme/platform/blob/" + branch + "/requests/payments/wrong.yaml",
		"Compared with the states of the environments.",
	} {
		require.Contains(t, comment, part)
	}
	require.NotContains(t, comment, w.dir)
	require.Empty(t, h.comments["2"], "of a fork")
	require.Equal(t, first, w.git(filepath.Join(w.dir, "platform.git"), "rev-parse", "main"))
	w.live("shop", "green")

	// The forge is away, and nothing waits for it.
	h.change(func() { h.down = true })
	second := w.push("red", map[string]string{"requests/payments/shop.yaml": request("shop", "red")})
	require.Equal(t, http.StatusAccepted, w.call(hookSecret, f.pushed("platform.git")))
	w.live("shop", "red")
	w.eventually("it is said", func() error {
		s, err := w.status()
		if err == nil && !strings.Contains(s.Platform.Forge["commit statuses"], "503 Service Unavailable") {
			err = fmt.Errorf("%q", s.Platform.Forge)
		}
		return err
	})
	h.change(func() { h.down = false })
	w.eventually("the second commit is told", func() error { return live(second) })

	// A restart tells nothing twice.
	w.stop()
	before := append(h.told(first), h.told(second)...)
	h.change(func() { clear(h.asked) })
	w.start()
	third := w.push("white", map[string]string{"requests/payments/shop.yaml": request("shop", "white")})
	w.eventually("the third commit is told", func() error { return live(third) })
	require.Equal(t, before, append(h.told(first), h.told(second)...))
	require.Len(t, h.comments["1"], 1)
	w.stop()
}
