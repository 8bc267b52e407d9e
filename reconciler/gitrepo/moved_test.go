package gitrepo_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMovedTellsAndFetchesNothing(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		r := o.remote()
		moved := func() bool {
			t.Helper()
			moved, err := r.Moved(t.Context())
			require.NoError(t, err)
			return moved
		}
		require.True(t, moved(), "nothing is known of it yet")
		s := fetch(t, r)
		require.Empty(t, s.Commit)
		require.False(t, moved(), "there is still no branch")
		o.commit("first", map[string]string{"f": "1"})
		require.True(t, moved())
		require.True(t, moved(), "until it is fetched")
		s = fetch(t, r)
		require.False(t, moved())
		o.git("pack-refs", "--all")
		require.False(t, moved())
		commit(t, r, s, map[string][]byte{"f": []byte("2")})
		require.False(t, moved(), "its own commits are known")
	})
}

func TestQuestionsKeepOneConnection(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	connections, asked, other := map[string]bool{}, 0, 0
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			connections[req.RemoteAddr] = true
			if req.Method == http.MethodGet {
				asked++
			} else {
				other++
			}
			git.ServeHTTP(w, req)
			_ = http.NewResponseController(w).Flush() // so that the end of the answer comes by itself, as that of a long one does
		})
	})
	r := o.remote()
	s := fetch(t, r)
	require.Equal(t, 1, other, "the pack")
	for range 20 {
		moved, err := r.Moved(t.Context())
		require.NoError(t, err)
		require.False(t, moved)
		require.Same(t, s, fetch(t, r))
	}
	require.Equal(t, 41, asked)
	require.Equal(t, 1, other)
	require.Len(t, connections, 1)
}

func TestAServerThatAsksToBeLeftAloneIs(t *testing.T) {
	b := newBare(t)
	b.commit("first", map[string]string{"f": "1"})
	var requests atomic.Int64
	var answer atomic.Pointer[http.Handler]
	o := overHTTPS(b, func(git http.Handler) http.Handler {
		answer.Store(&git)
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			requests.Add(1)
			(*answer.Load()).ServeHTTP(w, req)
		})
	})
	well := *answer.Load()
	for _, retryAfter := range []string{"86400", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)} {
		busy := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", retryAfter)
			http.Error(w, "busy", http.StatusTooManyRequests)
		}))
		answer.Store(&busy)
		r := o.remote()
		r.Timeout = time.Second
		requests.Store(0)
		_, err := r.Fetch(t.Context())
		require.ErrorContains(t, err, "the server asks to be left alone until ")
		require.ErrorContains(t, err, "429")
		for range 10 {
			_, err = r.Moved(t.Context())
			require.ErrorContains(t, err, "the server asks to be left alone until ")
		}
		require.EqualValues(t, 1, requests.Load(), retryAfter)
		answer.Store(&well)
		require.Eventually(t, func() bool {
			_, err = r.Fetch(t.Context())
			return err == nil
		}, 30*time.Second, 50*time.Millisecond, "but not for as long as it may say by mistake")
	}
}
