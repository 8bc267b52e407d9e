package access_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web/access"
)

func TestOnlyAProxySaysForWhomItAsks(t *testing.T) {
	networks := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}
	h := access.Behind(networks, func(path string) bool { return path == "/healthz" }, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, access.Client(r), " ", r.Host)
	}))
	for name, c := range map[string]struct {
		peer, path, client, host string
		code                     int
		want                     string
	}{
		"through the proxy":            {"10.1.0.5:1", "/", "203.0.113.7", "transom.acme.example", 200, "203.0.113.7 transom.acme.example"},
		"through two":                  {"10.1.0.5:1", "/", "203.0.113.7, 10.1.0.6", "", 200, "203.0.113.7 pod"},
		"who adds addresses":           {"10.1.0.5:1", "/", "198.51.100.1, 203.0.113.7", "evil.example, transom.acme.example", 200, "203.0.113.7 transom.acme.example"},
		"who adds nonsense":            {"10.1.0.5:1", "/", "203.0.113.7, nonsense", "", 200, "10.1.0.5 pod"},
		"by IPv6":                      {"[fd00::5]:1", "/", "2001:db8:1:2:3::7", "", 200, "2001:db8:1:2::/64 pod"},
		"the proxy itself":             {"10.1.0.5:1", "/", "", "", 200, "10.1.0.5 pod"},
		"by IPv4 in IPv6":              {"[::ffff:10.1.0.5]:1", "/", "203.0.113.7", "", 200, "203.0.113.7 pod"},
		"past the proxy":               {"10.2.0.5:1", "/", "203.0.113.7", "evil.example", 403, ""},
		"past the proxy, for health":   {"10.2.0.5:1", "/healthz", "203.0.113.7", "evil.example", 200, "10.2.0.5 pod"},
		"from this machine, as itself": {"127.0.0.1:1", "/", "203.0.113.7", "evil.example", 200, "127.0.0.1 pod"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, c.path, http.NoBody)
			r.RemoteAddr, r.Host = c.peer, "pod"
			for header, value := range map[string]string{"X-Forwarded-For": c.client, "X-Forwarded-Host": c.host} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, c.code, w.Code, w.Body)
			if c.want != "" {
				require.Equal(t, c.want, w.Body.String())
			}
		})
	}
}
