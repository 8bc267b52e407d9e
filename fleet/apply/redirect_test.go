package apply_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/apply"
)

// elsewhere is a server that nothing may reach.
func elsewhere(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s went elsewhere, with Authorization %q", r.Method, r.URL.Path, r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestATokenDoesNotFollowARedirect(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler(elsewhere(t)+"/login", http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	_, err := apply.Connect(t.Context(), &rest.Config{Host: server.URL, BearerToken: "orchard"}, apply.Options{})
	require.ErrorContains(t, err, "answered with a redirect to")
}

// TestAManifestDoesNotFollowARedirect, which would carry it in a request of an account that the daemon acts as.
func TestAManifestDoesNotFollowARedirect(t *testing.T) {
	r := newRig(t, &apiOnly)
	config, to := rest.CopyConfig(r.config), elsewhere(t)
	var redirects atomic.Bool
	redirects.Store(true)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Method != http.MethodPatch || !redirects.Load() || "http://"+req.URL.Host == to {
				return next.RoundTrip(req)
			}
			answer := httptest.NewRecorder()
			http.Redirect(answer, req, to, http.StatusTemporaryRedirect)
			return answer.Result(), nil
		})
	})
	c, err := apply.Connect(t.Context(), config, apply.Options{})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	in := r.instance("web", configMap("web", "1"))
	_, err = c.Apply(t.Context(), in)
	require.ErrorContains(t, err, "answered with a redirect to")
	redirects.Store(false)
	_, err = c.Apply(t.Context(), in)
	require.NoError(t, err)
}
