package remote_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"transom.dev/cmd/transom/internal/remote"
	"transom.dev/reconciler/gitrepo"
)

// TestWhatCannotBeRenewedIsLetBeForAWhile: its next commit asks again, and it is not tried at each of them.
func TestWhatCannotBeRenewedIsLetBeForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 0
		m := &remote.Mirrors{Dir: t.TempDir(), Large: make(chan *gitrepo.Remote)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- m.Renew(ctx, func(error) { failures++ }) }()
		one, other := m.Open("ftp://one.example", ""), m.Open("ftp://other.example", "")
		tried := func(r *gitrepo.Remote) int {
			synctest.Wait()
			before := failures
			r.Large(r)
			synctest.Wait()
			return failures - before
		}
		require.Equal(t, 1, tried(one))
		require.Equal(t, 0, tried(one))
		require.Equal(t, 1, tried(other), "another one does not wait for it")
		time.Sleep(10 * time.Minute)
		require.Equal(t, 1, tried(one))
		cancel()
		require.NoError(t, <-ended)
		one.Large(one) // which waits for nobody
		require.Nil(t, m.Apart("ftp://one.example", "main", t.TempDir()).Large, "nor is one that is its user's own")
	})
}

// TestWhatAKilledProcessLeftOfARenewalIsRemoved, also of a repository that nobody opens any more.
func TestWhatAKilledProcessLeftOfARenewalIsRemoved(t *testing.T) {
	m := &remote.Mirrors{Dir: t.TempDir(), Large: make(chan *gitrepo.Remote)}
	for _, name := range []string{"0011223344556677", "0011223344556677.next", "0011223344556677.next.new"} {
		require.NoError(t, os.MkdirAll(filepath.Join(m.Dir, "git", name, "objects", "pack"), 0o700))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, m.Renew(ctx, func(err error) { t.Error(err) }))
	left, err := os.ReadDir(filepath.Join(m.Dir, "git"))
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, "0011223344556677", left[0].Name())
}
