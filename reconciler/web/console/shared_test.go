package console_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

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

// TestAPageIsCompressedOnceForEverybody: its parts are one stream of gzip, in each person's page with their own head.
func TestAPageIsCompressedOnceForEverybody(t *testing.T) {
	b := crowd(200)
	routes := console.New(console.Options{Board: b, Person: func(r *http.Request) console.Person {
		return console.Person{Name: r.Header.Get("As")}
	}}).Routes()
	ask := func(name, accepted string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/fleet", nil)
		r.Header.Set("As", name)
		r.Header.Set("Accept-Encoding", accepted)
		routes["/fleet"].ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
		return w
	}
	for _, name := range []string{"", "Writer", "Merger", "a\x00b", "</header>"} {
		plain, packed := ask(name, ""), ask(name, "br, gzip;q=0.8")
		require.Empty(t, plain.Header().Get("Content-Encoding"))
		require.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
		require.Equal(t, plain.Header().Get("ETag"), packed.Header().Get("ETag"))
		unpacked, err := gzip.NewReader(packed.Body)
		require.NoError(t, err)
		text, err := io.ReadAll(unpacked)
		require.NoError(t, err, "with the sum of all of it")
		require.Equal(t, plain.Body.String(), string(text))
		require.Contains(t, string(text), "</html>")
		require.NotContains(t, string(text), "\x00")
	}
	for accepted, takes := range map[string]bool{"": false, "gzip": true, "deflate,GZIP ; q=1.0": true, "gzip;q=0": false, "gzip; q=0.000": false, "gzip;\tQ=0": false, "br": false, "x-gzip2": false} {
		require.Equal(t, takes, ask("", accepted).Header().Get("Content-Encoding") == "gzip", accepted)
	}
	first := testing.AllocsPerRun(1, func() {
		b.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Version: "v1"})
		ask("Writer", "gzip")
	})
	require.Less(t, testing.AllocsPerRun(10, func() { ask("Writer", "gzip") })*50, first)
}

// TestThoseWhoAskTogetherWaitForOne: a repository that does not answer is asked once, and whoever goes away takes nothing from the others.
func TestThoseWhoAskTogetherWaitForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := 0
		answers := make(chan struct{})
		page := console.New(console.Options{
			Board: crowd(2), Person: anyone,
			History: func(ctx context.Context, _ string, _ platform.RequestKey) ([]console.Past, error) {
				read++
				<-answers
				return []console.Past{{Commit: "5a1e", Events: []string{"read once"}}}, ctx.Err()
			},
		}).Routes()["/requests/{team}/{name}"]
		ask := func(ctx context.Context) *httptest.ResponseRecorder {
			w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/requests/team-1/request-1?environment=dev", nil)
			r.SetPathValue("team", "team-1")
			r.SetPathValue("name", "request-1")
			page.ServeHTTP(w, r)
			return w
		}
		first, leaves := context.WithCancel(t.Context())
		go ask(first)
		synctest.Wait()
		var others sync.WaitGroup
		for range 20 {
			others.Go(func() { require.Contains(t, ask(t.Context()).Body.String(), "read once") })
		}
		second, gone := context.WithCancel(t.Context())
		others.Go(func() { ask(second) })
		synctest.Wait()
		leaves()
		gone()
		synctest.Wait()
		close(answers)
		others.Wait()
		require.Equal(t, 1, read)
	})
}

// TestAFaultOfAPageIsForgotten: the next one who asks has it made again.
func TestAFaultOfAPageIsForgotten(t *testing.T) {
	fails := true
	page := console.New(console.Options{
		Board: crowd(2), Person: anyone,
		History: func(context.Context, string, platform.RequestKey) ([]console.Past, error) {
			if fails {
				panic("a fault of ours")
			}
			return nil, nil
		},
	}).Routes()["/requests/{team}/{name}"]
	ask := func() {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/requests/team-1/request-1?environment=dev", nil)
		r.SetPathValue("team", "team-1")
		r.SetPathValue("name", "request-1")
		page.ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code)
	}
	require.Panics(t, ask)
	require.Panics(t, ask, "nobody waits for what was never finished")
	fails = false
	ask()
}

// TestThoseWhoWaitedForAFaultAreTold that it is one of ours: the page may well be there.
func TestThoseWhoWaitedForAFaultAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := make(chan struct{})
		page := console.New(console.Options{
			Board: crowd(2), Person: anyone,
			History: func(context.Context, string, platform.RequestKey) ([]console.Past, error) {
				<-fault
				panic("a fault of ours")
			},
		}).Routes()["/requests/{team}/{name}"]
		ask := func() *httptest.ResponseRecorder {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/requests/team-1/request-1?environment=dev", nil)
			r.SetPathValue("team", "team-1")
			r.SetPathValue("name", "request-1")
			page.ServeHTTP(w, r)
			return w
		}
		go func() {
			defer func() { _ = recover() }()
			ask()
		}()
		synctest.Wait()
		var others sync.WaitGroup
		for range 3 {
			others.Go(func() {
				w := ask()
				require.Equal(t, http.StatusInternalServerError, w.Code)
				require.Contains(t, w.Body.String(), "It was not finished.")
			})
		}
		synctest.Wait()
		close(fault)
		others.Wait()
	})
}
