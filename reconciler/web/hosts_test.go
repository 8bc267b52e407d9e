package web_test

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
)

// TestOnlyOwnNamesAreAnswered: a name that somebody else has resolve to this machine reads nothing.
func TestOnlyOwnNamesAreAnswered(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Hosts: []string{"Transom.acme.example"}})
	own := "127.0.0.1"
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		if of, ok := a.(*net.IPNet); ok && !of.IP.IsLoopback() {
			own = of.IP.String()
		}
	}
	for host, code := range map[string]int{
		"localhost":                     http.StatusOK,
		"localhost:7460":                http.StatusOK,
		"console.localhost":             http.StatusOK,
		"127.0.0.9:1":                   http.StatusOK,
		"[::1]:7460":                    http.StatusOK,
		net.JoinHostPort(own, "7460"):   http.StatusOK,
		"transom.acme.example":          http.StatusOK,
		"transom.acme.example.:7460":    http.StatusOK,
		"attacker.example":              http.StatusMisdirectedRequest,
		"127.0.0.1.attacker.example":    http.StatusMisdirectedRequest,
		"localhost.attacker.example:80": http.StatusMisdirectedRequest,
		"203.0.113.7":                   http.StatusMisdirectedRequest,
	} {
		for _, path := range []string{"/", "/api/v1/status"} {
			require.Equal(t, code, codeAs(t, s.URL+path, host), "%s as %s", path, host)
		}
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			require.Equal(t, http.StatusOK, codeAs(t, s.URL+path, host), "%s as %s", path, host)
		}
	}
}

func codeAs(t *testing.T, url, host string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	req.Host = host
	answer, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}
