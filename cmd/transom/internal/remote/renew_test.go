package remote_test

import (
	"context"
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
