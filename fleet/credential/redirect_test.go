package credential_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"transom.dev/fleet/credential"
)

// TestCredentialsDoNotFollowARedirect, neither to another host nor to another path: client-go adds them to every request anew.
func TestCredentialsDoNotFollowARedirect(t *testing.T) {
	for to, where := range map[string]string{
		"http://ELSEWHERE/login?from=prod": `to "ELSEWHERE"`,
		"/other":                           `to "HERE"`,
		"":                                 "nowhere",
		"https://[":                        "to an address that is none",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPatch} {
			for _, status := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect} {
				t.Run(fmt.Sprintf("%s %q %d", method, to, status), func(t *testing.T) {
					elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						t.Errorf("%s went on, with %q", r.Method, r.Header)
					}))
					t.Cleanup(elsewhere.Close)
					var names *strings.Replacer
					var asked int
					server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						asked++
						if got := r.Header.Get("Authorization"); got != "Bearer orchard" {
							t.Errorf("it asked with %q", got)
						}
						if to != "" {
							w.Header().Set("Location", names.Replace(to))
						}
						w.WriteHeader(status)
					}))
					t.Cleanup(server.Close)
					here := server.Listener.Addr().String()
					names = strings.NewReplacer("ELSEWHERE", elsewhere.Listener.Addr().String(), "HERE", here)
					client, err := rest.HTTPClientFor(credential.Bound(&rest.Config{
						Host: server.URL, BearerToken: "orchard", Impersonate: rest.ImpersonationConfig{UserName: "deployer"},
					}))
					require.NoError(t, err)
					request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/api/v1/secrets", strings.NewReader("a secret"))
					require.NoError(t, err)
					answer, err := client.Do(request)
					if err == nil {
						_ = answer.Body.Close()
					}
					require.ErrorContains(t, err, fmt.Sprintf(`%q answered with a redirect %s (%d), which no API server does`, here, names.Replace(where), status))
					require.NotContains(t, err.Error(), "from=prod")
					require.Equal(t, 1, asked)
				})
			}
		}
	}
}

// TestAnAnswerThatNothingChangedIsNoRedirect, though its status is beside theirs.
func TestAnAnswerThatNothingChangedIsNoRedirect(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }))
	t.Cleanup(server.Close)
	client, err := rest.HTTPClientFor(credential.Bound(&rest.Config{Host: server.URL}))
	require.NoError(t, err)
	answer, err := client.Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusNotModified, answer.StatusCode)
}
