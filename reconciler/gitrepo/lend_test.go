package gitrepo_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/gitrepo"
)

func TestAnotherBranchIsFetchedBeside(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		first := o.commit("first", map[string]string{"f": "1"})
		change := o.commit("change", map[string]string{"f": "2"})
		o.git("update-ref", "refs/heads/feature/one", change)
		o.git("update-ref", "refs/heads/main", first)

		r := o.remote()
		_, err := r.FetchBeside(t.Context(), "feature/one")
		require.ErrorContains(t, err, "its own branch was not fetched yet")
		own := fetch(t, r)
		beside, err := r.FetchBeside(t.Context(), "feature/one")
		require.NoError(t, err)
		require.Equal(t, change, beside.Commit)
		require.Equal(t, "2", readFile(t, beside, "f"))
		require.Same(t, own, fetch(t, r), "the Remote's own branch is where it was")
		require.Equal(t, first, own.Commit)

		gone, err := r.FetchBeside(t.Context(), "nothing")
		require.NoError(t, err)
		require.Empty(t, gone.Commit)
		_, err = r.FetchBeside(t.Context(), "a..b")
		require.ErrorContains(t, err, "is no valid name")

		dir := filepath.Join(t.TempDir(), "clone")
		require.NoError(t, r.Lend(t.Context(), filepath.Join(dir, ".git"), change, `https://git.example/"a"`, map[string]string{"refs/remotes/origin/main": first}))
		c, err := gitrepo.Open(dir)
		require.NoError(t, err)
		require.Equal(t, `https://git.example/"a"`, c.Origin())
		fork, err := c.Fork("refs/remotes/origin/main")
		require.NoError(t, err)
		require.Equal(t, first, fork)
		lent := filepath.Join(t.TempDir(), "state.git")
		require.NoError(t, r.Lend(t.Context(), lent, first, "", map[string]string{"refs/heads/main": first}))
		state, err := gitrepo.OpenBranch(lent, "main")
		require.NoError(t, err)
		require.Equal(t, "1", readFile(t, state, "f"))
		require.NoError(t, os.RemoveAll(lent))
		require.Equal(t, "1", readFile(t, fetch(t, o.remote()), "f"), "the mirror keeps its objects")
	})
}

// TestBranchesAreListedBesideAFetch, which goes on as it would: it waits for a server that has a pack to prepare for as long as that gives signs
// of life.
func TestBranchesAreListedBesideAFetch(t *testing.T) {
	t.Parallel()
	b := newBare(t)
	head := b.commit("first", map[string]string{"f": "1"})
	var fetches atomic.Bool
	entered, listed := make(chan struct{}), make(chan struct{})
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodGet {
				if fetches.CompareAndSwap(false, true) {
					close(entered)
					<-listed
				}
				git.ServeHTTP(w, req)
				return
			}
			answer := httptest.NewRecorder()
			git.ServeHTTP(answer, req)
			maps.Copy(w.Header(), answer.Header())
			for range 5 {
				_, _ = w.Write(answer.Body.Next(1))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(600 * time.Millisecond)
			}
			_, _ = w.Write(answer.Body.Bytes())
		})
	})
	r := o.remote()
	r.Timeout = 2 * time.Second
	fetched := make(chan error)
	go func() {
		_, err := r.Fetch(context.Background())
		fetched <- err
	}()
	<-entered
	heads, err := r.Branches(t.Context())
	close(listed)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"main": head}, heads)
	require.NoError(t, <-fetched)
}

// A repository is lent whole while packs come, are merged and removed.
func TestARepositoryIsLentWholeWhileItGrows(t *testing.T) {
	t.Parallel()
	b := newBare(t)
	r := b.remote()
	s := commit(t, r, fetch(t, r), map[string][]byte{"f": []byte("0")})
	first, to := s.Commit, t.TempDir()
	grown, lent := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-grown:
				lent <- nil
				return
			default:
			}
			dir := filepath.Join(to, fmt.Sprint(i))
			if err := r.Lend(context.Background(), dir, first, "", map[string]string{"refs/heads/main": first}); err != nil {
				lent <- err
				return
			}
			of, err := gitrepo.OpenBranch(dir, "main")
			if err == nil {
				_, err = fs.ReadFile(of, "f")
			}
			if err != nil {
				lent <- err
				return
			}
		}
	}()
	for i := range 120 {
		s = commit(t, r, s, map[string][]byte{fmt.Sprint(i % 7): fmt.Append(nil, i)})
	}
	close(grown)
	require.NoError(t, <-lent)
}

func TestBranchesFetchedBesideLeaveFewPacks(t *testing.T) {
	t.Parallel()
	b := newBare(t)
	first := b.commit("first", map[string]string{"f": "1"})
	r := b.remote()
	fetch(t, r)
	for i := range 60 {
		change := b.commit("change", map[string]string{"f": fmt.Sprint("change ", i)})
		b.git("update-ref", "refs/heads/feature", change)
		b.git("update-ref", "refs/heads/main", first)
		beside, err := r.FetchBeside(t.Context(), "feature")
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("change ", i), readFile(t, beside, "f"))
	}
	packs, err := filepath.Glob(filepath.Join(r.Dir, "objects/pack/*.pack"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(packs), 50)
}
