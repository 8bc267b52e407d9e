package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web/console"
	"transom.dev/render/platform"
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

// TestHomeIsMadeOnceForATeam: it costs as much as the fleet, and whoever is of other teams sees others.
func TestHomeIsMadeOnceForATeam(t *testing.T) {
	b := crowd(200)
	home := console.New(console.Options{Board: b, Person: func(r *http.Request) console.Person {
		return console.Person{Teams: r.Header.Values("Team")}
	}}).Routes()["/{$}"]
	ask := func(teams ...string) string {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Team"] = teams
		home.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		return w.Body.String()
	}
	first := testing.AllocsPerRun(1, func() {
		b.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Version: "v1"})
		ask("team-1")
	})
	again := testing.AllocsPerRun(10, func() { ask("team-1") })
	require.Less(t, again*5, first, "its content is not made again")
	require.Contains(t, ask("team-1"), `/fleet?team=team-1"`)
	require.NotContains(t, ask("team-2"), `/fleet?team=team-1"`)
	require.Contains(t, ask("team-1", "team-2"), `/fleet?team=team-2"`)
	require.Contains(t, ask(), `/fleet?team=team-3"`)
}

// TestThePageOfAnInstanceReadsGitOnce until something changes, for all who may see the same; a failure is tried again.
func TestThePageOfAnInstanceReadsGitOnce(t *testing.T) {
	b := crowd(2)
	read, fails := 0, false
	page := console.New(console.Options{
		Board: b, Person: func(r *http.Request) console.Person {
			return console.Person{Role: r.Header.Get("Role"), In: func(string) bool { return r.Header.Get("Role") == "developer" }}
		},
		Open: func(*http.Request, console.ManifestLook) (console.Manifests, error) { return console.Manifests{}, nil },
		History: func(context.Context, string, platform.RequestKey) ([]console.Past, error) {
			read++
			if fails {
				return nil, errors.New("the repository is being read")
			}
			return []console.Past{{Commit: "5a1e", Events: []string{fmt.Sprintf("read %d", read)}}}, nil
		},
	}).Routes()["/requests/{team}/{name}"]
	ask := func(role string) string {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/requests/team-1/request-1?environment=dev", nil)
		r.SetPathValue("team", "team-1")
		r.SetPathValue("name", "request-1")
		r.Header.Set("Role", role)
		page.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		return w.Body.String()
	}
	require.Contains(t, ask("viewer"), "read 1")
	require.Contains(t, ask("viewer"), "read 1")
	require.NotContains(t, ask("viewer"), "Live against desired")
	require.Contains(t, ask("developer"), "Live against desired", "who may see more sees it")
	require.Equal(t, 2, read)
	fails = true
	b.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Version: "v2"})
	require.Contains(t, ask("viewer"), "the repository is being read")
	fails = false
	require.Contains(t, ask("viewer"), "read 4")
	require.Contains(t, ask("viewer"), "read 4")
}

// TestOneWhoAsksForManyPagesTakesNobodysRoom: a page that comes once there is no more room is kept, too.
func TestOneWhoAsksForManyPagesTakesNobodysRoom(t *testing.T) {
	b := crowd(200)
	fleet := console.New(console.Options{Board: b, Person: func(*http.Request) console.Person { return console.Person{} }}).Routes()["/fleet"]
	ask := func(address string) (size int) {
		w := httptest.NewRecorder()
		fleet.ServeHTTP(w, httptest.NewRequest(http.MethodGet, address, nil))
		require.Equal(t, http.StatusOK, w.Code)
		return w.Body.Len()
	}
	first := testing.AllocsPerRun(1, func() {
		b.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Version: "v1"})
		ask("/fleet?unused=")
	})
	for i, size := 0, 0; size < 10<<20; i++ { // more than there is room for
		size += ask(fmt.Sprint("/fleet?unused=", i))
	}
	ask("/fleet")
	require.Less(t, testing.AllocsPerRun(10, func() { ask("/fleet") })*20, first, "it is not made again")
}
