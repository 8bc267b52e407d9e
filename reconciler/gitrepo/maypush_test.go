package gitrepo_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMayPushAsksAndPushesNothing(t *testing.T) {
	everyTransport(t, func(t *testing.T, o *origin) {
		may, err := o.remote().MayPush(t.Context())
		require.NoError(t, err)
		require.True(t, may)
		o.commit("first", map[string]string{"f": "1"})
		head := o.head()
		may, err = o.remote().MayPush(t.Context())
		require.NoError(t, err)
		require.True(t, may)
		require.Equal(t, head, o.head())
	})
}

func TestCredentialThatMayOnlyReadMayNotPush(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		b := newBare(t)
		b.commit("first", map[string]string{"f": "1"})
		o := overHTTPS(b, func(git http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.RawQuery, "git-receive-pack") {
					http.Error(w, "Write access to repository not granted.", status)
					return
				}
				git.ServeHTTP(w, r)
			})
		})
		may, err := o.remote().MayPush(t.Context())
		require.NoError(t, err)
		require.False(t, may)
		fetch(t, o.remote())
	}
	o := overHTTPS(newBare(t), func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	})
	_, err := o.remote().MayPush(t.Context())
	require.ErrorContains(t, err, "502")
}
