package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
)

// TestAPageIsMadeOnceForEverybody: whoever asks before something changes gets the same content below a head of their own, and a change
// is on it at once.
func TestAPageIsMadeOnceForEverybody(t *testing.T) {
	b := crowd(200)
	routes := console.New(console.Options{Board: b, Person: func(r *http.Request) console.Person {
		return console.Person{Name: r.Header.Get("As")}
	}}).Routes()
	ask := func(name string) string {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/fleet", nil)
		r.Header.Set("As", name)
		routes["/fleet"].ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		return w.Body.String()
	}
	first := testing.AllocsPerRun(1, func() {
		b.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Version: "v1"})
		ask("Writer")
	})
	again := testing.AllocsPerRun(10, func() { ask("Writer") })
	require.Less(t, again*20, first, "the matrix is not made again")
	require.Equal(t, strings.Replace(ask("Writer"), "Writer", "Merger", 1), ask("Merger"))
	require.NotContains(t, ask("Merger"), "no answer at all")
	b.ClusterSeen(status.Cluster{Name: "dev-1", Message: "no answer at all"})
	require.Contains(t, ask("Merger"), "no answer at all")
}
