package gitrepo_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"transom.dev/reconciler/gitrepo"
)

// A grownMirror is the mirror of a repository with one large commit after the other, which says when it is too large to be merged.
type grownMirror struct {
	*bare
	*gitrepo.Remote
	clones   atomic.Pointer[http.Handler] // answers those who ask for the whole history; nil: as git does
	listed   atomic.Pointer[func()]       // is called before the branches are listed; nil: nothing is
	asked    int                          // how many times Large was called
	contents map[string]string            // of the only file that is new in a commit
	latest   *gitrepo.Snapshot
}

// newGrownMirror returns a Remote that has read nothing yet of the mirror which it finds.
func newGrownMirror(t *testing.T) *grownMirror {
	b := newBare(t)
	b.git("config", "receive.autogc", "false")
	b.git("config", "core.bigFileThreshold", "64k") // or git looks for differences of what has none in common, which takes a busy machine a minute
	m := &grownMirror{bare: b, contents: map[string]string{}}
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				hangUp(w)
				return
			}
			req.Body = io.NopCloser(bytes.NewReader(body))
			if before := m.listed.Load(); before != nil && req.Method == http.MethodGet {
				(*before)()
			}
			whole := strings.HasSuffix(req.URL.Path, "/git-upload-pack") && !bytes.Contains(body, []byte("have "))
			if other := m.clones.Load(); whole && other != nil {
				(*other).ServeHTTP(w, req)
			}
			git.ServeHTTP(w, req)
		})
	})
	writer := b.remote()
	writer.Large = func(*gitrepo.Remote) { m.asked++ }
	m.Remote, m.latest = writer, fetch(t, writer)
	for m.asked == 0 {
		m.grow(t, 700<<10)
	}
	m.Remote = o.remote()
	m.Dir, m.Large = writer.Dir, writer.Large
	m.latest = fetch(t, m.Remote)
	return m
}

// grow commits one more file that does not compress.
func (m *grownMirror) grow(t *testing.T, size int) {
	large := make([]byte, size)
	_, _ = rand.Read(large)
	name := fmt.Sprint(len(m.contents))
	m.latest = commit(t, m.Remote, m.latest, map[string][]byte{name: large, "last": large})
	m.contents[m.latest.Commit] = string(large)
}

// unread returns an error unless each commit can be read.
func (m *grownMirror) unread() error {
	for id, want := range m.contents {
		s, err := m.At(context.Background(), id)
		if err != nil {
			return err
		}
		got, err := s.ReadFile("last")
		if err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("commit %s has something else", id)
		}
	}
	return nil
}

// TestALargeMirrorIsRenewedBesideItsUse: who fetches, commits and reads does not wait while a new mirror comes, and finds everything in it.
func TestALargeMirrorIsRenewedBesideItsUse(t *testing.T) {
	t.Parallel()
	m := newGrownMirror(t)
	require.Len(t, packsOf(t, m.Remote), 51, "it was not made anew at once")
	for range 5 {
		m.grow(t, 300<<10)
	}
	require.Less(t, len(packsOf(t, m.Remote)), 35, "a part may be merged meanwhile")
	require.Greater(t, m.asked, 1)

	begun, goOn := make(chan struct{}), make(chan struct{})
	held := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-goOn
	}))
	m.clones.Store(&held)
	renewed := make(chan error)
	go func() { renewed <- m.Renew(t.Context()) }()
	<-begun
	m.grow(t, 1<<10)
	theirs := m.commit("theirs", map[string]string{"theirs": "1"})
	m.latest = fetch(t, m.Remote)
	require.Equal(t, theirs, m.latest.Commit)
	require.NoError(t, (&gitrepo.Remote{URL: m.URL, Branch: "main", Dir: m.Dir, Credentials: m.Credentials}).Renew(t.Context()), "who has not opened it leaves it")

	var reading sync.WaitGroup
	for range 4 {
		reading.Go(func() {
			if err := m.unread(); err != nil {
				t.Error(err)
			}
		})
	}
	close(goOn)
	require.NoError(t, <-renewed)
	reading.Wait()
	require.Len(t, packsOf(t, m.Remote), 2, "the one that was asked for, and one with the commits since then")
	require.NoDirExists(t, m.Dir+".next")
	m.run("", "-C", m.Dir, "fsck", "--strict", "--full")
	require.Same(t, m.latest, fetch(t, m.Remote))
	m.grow(t, 1<<10)
	require.NoError(t, m.unread())
	require.Equal(t, m.latest.Commit, m.head())
	m.clones.Store(nil)
	before := packsOf(t, m.Remote)
	require.NoError(t, m.Renew(t.Context()))
	require.Equal(t, before, packsOf(t, m.Remote), "it is not large any more")
}

// TestARenewalThatFailsLeavesTheMirror: it ends, fails at the server, or finds a branch that was rewound.
func TestARenewalThatFailsLeavesTheMirror(t *testing.T) {
	t.Parallel()
	m := newGrownMirror(t)
	before := packsOf(t, m.Remote)
	require.NoError(t, os.MkdirAll(m.Dir+".next/objects/pack", 0o700), "of a process that was killed")
	fails := func(ctx context.Context, words string, answer http.HandlerFunc) {
		t.Helper()
		handler := http.Handler(answer)
		m.clones.Store(&handler)
		require.ErrorContains(t, m.Renew(ctx), words)
		require.Equal(t, before, packsOf(t, m.Remote))
		require.NoDirExists(t, m.Dir+".next")
		require.NoDirExists(t, m.Dir+".next.new")
	}
	fails(t.Context(), "EOF", func(w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	ctx, cancel := context.WithCancel(t.Context())
	fails(ctx, "context canceled", func(_ http.ResponseWriter, req *http.Request) {
		cancel()
		<-req.Context().Done()
	})
	head := m.head()
	m.git("update-ref", "refs/heads/main", head+"~1")
	fails(t.Context(), "the branch does not have commit "+head+" any more", func(http.ResponseWriter, *http.Request) {})
	m.git("update-ref", "refs/heads/main", head)
	require.NoError(t, m.unread())

	theirs := m.commit("theirs", map[string]string{"theirs": "1"})
	m.git("update-ref", "refs/heads/main", head)
	asked, cloned := 0, 0
	breaks := func() {
		if asked++; asked == 2 { // by who has the turn
			m.git("update-ref", "refs/heads/main", theirs)
			if err := os.RemoveAll(m.Dir + ".next/objects/pack"); err != nil {
				t.Error(err)
			}
		}
	}
	m.listed.Store(&breaks)
	fails(t.Context(), "no such file or directory", func(http.ResponseWriter, *http.Request) { cloned++ })
	require.Equal(t, 1, cloned, "nobody waits for a second clone")
}

// TestAMirrorThatCannotBeRenewedHasFewPacks: each object is looked for in all of them.
func TestAMirrorThatCannotBeRenewedHasFewPacks(t *testing.T) {
	t.Parallel()
	packs, most := []int64{}, 0
	for range 2000 {
		merged := gitrepo.MergedMeanwhile(packs)
		if size := int64(0); merged > 0 {
			for _, p := range packs[:merged] {
				size += p
			}
			packs = append(packs[merged:], size)
		}
		packs = append(packs, 1<<20)
		slices.Sort(packs)
		most = max(most, len(packs))
	}
	require.Greater(t, most, 100, "a few more may be there until it is renewed")
	require.Less(t, most, 250, "2000 commits of a mebibyte are 125 packs of what is merged at once")
}
