package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
)

// TestFleetTellsWhichVersionsRunWhere, each with a link to the requests that run it; while a change is on its way, both count.
func TestFleetTellsWhichVersionsRunWhere(t *testing.T) {
	b := status.NewBoard(time.Now)
	at := func(name, version string, clusters ...string) status.Instance {
		in := status.Instance{Environment: "dev", Request: platform.RequestKey{Team: "store", Name: name}, Offering: "web", Version: version, Release: "sha256:" + name}
		for i, other := range clusters {
			in.Placements = append(in.Placements, status.Placement{Cluster: []string{"one", "two"}[i], Version: other, Revision: "r", Stage: status.Committed})
		}
		return in
	}
	b.Reconciled(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one", State: "active"}, {Name: "two", State: "active"}}}, []status.Instance{
		at("old", "1.2.0", "", ""), at("moving", "1.10.0", "", "1.2.0"), at("new", "1.10.0", "", ""),
	})
	get := serve(console.Options{Board: b})
	_, body := get(t, "/fleet")
	require.Contains(t, body, `web in 2 versions`)
	require.Regexp(t, `(?s)title="2 requests"><span class="version">1.2.0</span>.*title="2 requests"><span class="version">1.10.0</span>`, body, "in the order of their numbers")
	require.Contains(t, body, `href="/fleet?environment=dev&amp;offering=web&amp;version=1.2.0"`)

	code, body := get(t, "/fleet?environment=dev&offering=web&version=1.2.0")
	require.Equal(t, http.StatusOK, code)
	for name, shown := range map[string]bool{"old": true, "moving": true, "new": false} {
		require.Equal(t, shown, strings.Contains(body, `href="/requests/store/`+name+`"`), name)
	}
	require.Contains(t, body, `aria-current="true" title="2 requests"><span class="version">1.2.0`)
	require.Contains(t, body, `<input type="hidden" name="version" value="1.2.0">`, "the filter stays while one types")
}
