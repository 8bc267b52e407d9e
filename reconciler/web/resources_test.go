package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"weak"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/decision"
	"transom.dev/render/platform"
)

// page is a page of a list, of which the test reads the fields that it needs.
type page struct {
	Items []struct {
		Environment string
		Request     platform.RequestKey
	}
	Next string
}

// TestListsHavePages: each item is on exactly one page, and the last page names no next one.
func TestListsHavePages(t *testing.T) {
	b := status.NewBoard(clock())
	var all []status.Instance
	for i := range 7 {
		all = append(all, status.Instance{Environment: "prod", Request: platform.RequestKey{Team: "store", Name: fmt.Sprintf("shop%d", i)}})
	}
	b.Reconciled(status.Environment{Name: "prod"}, all)
	s := serve(t, web.Options{Board: b})
	var seen []string
	at, pages := "/api/v1/instances?limit=3&team=store", 0
	for ; at != ""; pages++ {
		resp, body := as(t, http.MethodGet, s.URL+at, "")
		require.Equal(t, http.StatusOK, resp.StatusCode, body)
		for _, one := range getJSON[page](t, s, at).Items {
			seen = append(seen, one.Request.Name)
		}
		link, _, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">")
		require.Equal(t, link == "", getJSON[page](t, s, at).Next == "")
		at = link
	}
	require.Equal(t, 3, pages)
	require.Equal(t, []string{"shop0", "shop1", "shop2", "shop3", "shop4", "shop5", "shop6"}, seen)
	for query, want := range map[string]string{
		"limit=0": "limit=0: it is a number from 1 to 1000", "limit=many": "limit=many: it is a number", "waiting=maybe": "waiting=maybe: it is true or false",
		"health=Fine": "health=Fine: it is Healthy, Progressing, Failed, Suspended or Unknown", "request=shop1": "request=shop1 needs team=",
		"after=garbage": "after=garbage: it is the field next of a page of this list", "after=" + url.QueryEscape("prod/store/shop1"): "it is the field next of a page",
		"colour=red": `unknown parameter \"colour\"; known: team, request, environment, cluster, offering, version, health, waiting, objects, limit and after`,
	} {
		code, body := get(t, s, "/api/v1/instances?"+query)
		require.Equal(t, http.StatusBadRequest, code)
		require.Contains(t, body, want)
	}
}

// TestEachKindOfDecisionIsAFilter checks the tag of the parameter, which can only be a literal, against the kinds.
func TestEachKindOfDecisionIsAFilter(t *testing.T) {
	s := serve(t, busy(t))
	for _, kind := range decision.Kinds() {
		code, body := get(t, s, "/api/v1/decisions?kind="+string(kind))
		require.Equal(t, http.StatusOK, code, body)
	}
}

// TestListsAreNarrowedByTheirFilters finds the same one instance, request, offering and cluster by each filter that it meets, and
// nothing by one that it does not.
func TestListsAreNarrowedByTheirFilters(t *testing.T) {
	s := serve(t, busy(t))
	for path, n := range map[string]int{
		"instances?environment=prod": 1, "instances?environment=dev": 0, "instances?cluster=east": 1, "instances?cluster=west": 0,
		"instances?health=Healthy&cluster=east": 1, "instances?health=Failed": 0, "instances?waiting=true": 1, "instances?offering=web": 1,
		"instances?offering=redis": 0, "instances?version=1.2.0": 1, "instances?version=1.1.0": 0, "instances?team=store&request=shop": 1,
		"requests": 2, "requests?offering=web": 1, "requests?environment=prod": 1, "requests?team=search": 0,
		"offerings?q=serves+HTTP": 1, "offerings?q=database": 0, "offerings?team=store": 1,
		"clusters?environment=prod": 1, "clusters?environment=dev": 0,
		"problems": 1, "problems?team=search": 0, "drift?cluster=east": 1, "drift?cluster=west": 0,
		"debt?kind=Hold": 1, "debt?kind=Pin": 0, "decisions?environment=prod": 1, "decisions?environment=dev": 0,
	} {
		require.Len(t, getJSON[page](t, s, "/api/v1/"+path).Items, n, path)
	}
	_, with := get(t, s, "/api/v1/instances")
	_, without := get(t, s, "/api/v1/instances?objects=none")
	require.Contains(t, with, `"objects":[{"kind":"ConfigMap"`)
	require.NotContains(t, without, `"objects":`)
	for path, want := range map[string]string{
		"clusters/eats":             `there is no cluster eats; did you mean \"east\"?`,
		"offerings/wbe/versions/1":  `there is no offering wbe; did you mean \"web\"?`,
		"offerings/web/versions/2":  "web has no version 2",
		"instances/prod/store/shpo": `there is no instance prod/store/shpo; did you mean \"prod/store/shop\"?`,
	} {
		code, body := get(t, s, "/api/v1/"+path)
		require.Equal(t, http.StatusNotFound, code)
		require.Contains(t, body, want)
	}
	require.Contains(t, fmt.Sprint(getJSON[map[string]any](t, s, "/api/v1/offerings/web/versions/1")["parameters"]), "image")
}

// TestAnswersNameTheCauseWhereThePlatformWasNeverRead: an empty list would say that there is nothing.
func TestAnswersNameTheCauseWhereThePlatformWasNeverRead(t *testing.T) {
	b := status.NewBoard(clock())
	b.PlatformFailed("https://git.example/platform.git", errors.New("no commit of its branch is signed"))
	b.PlatformFrozen("commit 9f2c1ab is not vouched for: push a signed commit on top")
	s := serve(t, web.Options{Board: b, Runtime: pods{}})
	for _, path := range []string{
		"instances", "instances/prod/store/shop", "requests", "clusters/east", "environments", "offerings", "offerings/web/versions/1",
		"instances/prod/store/shop/logs", "instances/prod/store/shop/pods",
	} {
		code, body := get(t, s, "/api/v1/"+path)
		require.Equal(t, http.StatusServiceUnavailable, code, "%s: %s", path, body)
		require.Contains(t, body, "the platform is not read yet: commit 9f2c1ab is not vouched for: push a signed commit on top", path)
		require.Contains(t, body, `"remedy":"mend that first`, path)
	}
	_, body := get(t, s, "/api/v1/problems")
	require.Contains(t, body, "commit 9f2c1ab is not vouched for")
	_, body = get(t, s, "/api/v1/progress?environment=prod")
	require.Contains(t, body, `"frozen":"commit 9f2c1ab is not vouched for`, "so that status --wait ends")
	_, body = get(t, s, "/")
	require.NotContains(t, body, "Nothing waits for a person.")
	require.Contains(t, body, "commit 9f2c1ab is not vouched for")
}

// TestDriftHasTheFieldsThatWereSetByHand beside those of the manifest that others changed.
func TestDriftHasTheFieldsThatWereSetByHand(t *testing.T) {
	b := status.NewBoard(clock())
	b.Reconciled(status.Environment{Name: "prod"}, []status.Instance{{
		Environment: "prod", Request: platform.RequestKey{Team: "store", Name: "shop"},
		Placements: []status.Placement{{
			Cluster: "east", Drift: []status.ObjectProblem{{Object: "Deployment store/shop", Message: "spec.replicas is kubectl's"}},
			Added: []status.Added{{Object: "Deployment store/shop", Field: "spec.paused", Manager: "kubectl-edit"}},
		}},
	}})
	_, body := get(t, serve(t, web.Options{Board: b}), "/api/v1/drift")
	require.Contains(t, body, "spec.replicas is kubectl's")
	require.Contains(t, body, "kubectl-edit set spec.paused, which is not in the manifest")
	require.Contains(t, body, `"added":{"object":"Deployment store/shop","field":"spec.paused","manager":"kubectl-edit"}`)
}

// TestProblemsOfOneLineAreEachListed, though two fields have the same mistake.
func TestProblemsOfOneLineAreEachListed(t *testing.T) {
	wrong := func(column int, field string) platform.Problem {
		return platform.Problem{File: "requests/store/shop.yaml", Line: 3, Column: column, Field: field, Message: "must be text"}
	}
	b := status.NewBoard(clock())
	b.Loaded("https://git.example.com/platform.git", &platform.Platform{Commit: "c1", Problems: []platform.Problem{wrong(9, "spec.b"), wrong(4, "spec.a")}})
	listed := getJSON[struct{ Items []struct{ Field string } }](t, serve(t, web.Options{Board: b}), "/api/v1/problems")
	require.Len(t, listed.Items, 2)
	require.Equal(t, "spec.a", listed.Items[0].Field)
}

// TestNothingIsListedBeforeThePlatformWasRead: a daemon that just began knows of nothing, which is not that there is nothing.
func TestNothingIsListedBeforeThePlatformWasRead(t *testing.T) {
	s := serve(t, web.Options{Board: status.NewBoard(clock())})
	for _, path := range []string{"offerings", "offerings/web", "offerings/web/versions/1", "requests", "instances", "environments", "clusters", "problems", "decisions"} {
		code, body := get(t, s, "/api/v1/"+path)
		require.Equal(t, http.StatusServiceUnavailable, code, path)
		require.Contains(t, body, "the platform is not read yet: the daemon has just begun", path)
	}
}

// TestAListIsMadeOnceUntilSomethingChanges: of those who ask in between, each has the same one, and a change is in the next answer.
func TestAListIsMadeOnceUntilSomethingChanges(t *testing.T) {
	b := crowd(500)
	b.Loaded("https://git.example.com/platform.git", busy(t).Board.Status().Platform.Offers())
	h := web.Handler(web.Options{Board: b})
	ask := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody))
		require.Equal(t, http.StatusOK, w.Code)
		return w.Body.String()
	}
	for _, path := range []string{"/api/v1/instances?limit=1", "/api/v1/instances/dev/team-1/request-1", "/api/v1/clusters/dev-1"} {
		first := testing.AllocsPerRun(1, func() {
			b.ClusterSeen(status.Cluster{Name: "dev-1", Reachable: true, Version: path})
			ask(path)
		})
		again := testing.AllocsPerRun(10, func() { ask(path) })
		require.Less(t, again, first, path)
		require.Less(t, again, 100.0, path)
	}
	require.Contains(t, ask("/api/v1/clusters/dev-1"), `"version":"/api/v1/clusters/dev-1"`)
	b.ClusterSeen(status.Cluster{Name: "dev-1", Message: "no answer at all"})
	require.Contains(t, ask("/api/v1/clusters/dev-1"), "no answer at all")
	require.Contains(t, ask("/api/v1/instances/dev/team-1/request-1"), "no answer at all")
}

// TestADeferredRequestIsCalledSo of two new ones whose files are broken: of the one whose turn is still to come nothing else is said.
func TestADeferredRequestIsCalledSo(t *testing.T) {
	files, l := fstest.MapFS{}, &platform.Loader{AtOnce: 1}
	_, err := l.Load(files)
	require.NoError(t, err)
	for _, name := range []string{"one", "two"} {
		files["requests/store/"+name+".yaml"] = &fstest.MapFile{Data: []byte("kind: nothing\n")}
	}
	p, err := l.Load(files)
	require.NoError(t, err)
	p.Commit = "c1"
	b := status.NewBoard(clock())
	b.Loaded("https://git.example.com/platform.git", p)
	list := getJSON[struct{ Items []map[string]any }](t, serve(t, web.Options{Board: b}), "/api/v1/requests")
	require.Len(t, list.Items, 2)
	one, two := list.Items[0], list.Items[1]
	require.Equal(t, true, one["problem"])
	require.NotContains(t, one, "deferred")
	require.Equal(t, true, two["deferred"])
	require.NotContains(t, two, "problem")
}

// TestListsKeepNothingThatIsOver: a platform and a status may be large, and nobody may ask for a list again.
func TestListsKeepNothingThatIsOver(t *testing.T) {
	b := busy(t).Board.(*status.Board)
	h := web.Handler(web.Options{Board: b})
	ask := func(path string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, http.NoBody))
		require.Equal(t, http.StatusOK, w.Code, path)
	}
	var platforms []weak.Pointer[platform.Platform]
	var placements []weak.Pointer[status.Placement]
	for _, path := range []string{"/api/v1/offerings", "/api/v1/requests", "/api/v1/decisions", "/api/v1/instances", "/api/v1/instances/prod/store/shop"} {
		b.Loaded("https://git.example.com/platform.git", busy(t).Board.Status().Platform.Offers())
		b.Lost("prod", shop, "east", path) // its placement is another one, which later statuses share
		ask(path)
		platforms = append(platforms, weak.Make(b.Status().Platform.Offers()))
		placements = append(placements, weak.Make(&b.Status().Instances[0].Placements[0]))
	}
	b.Loaded("https://git.example.com/platform.git", busy(t).Board.Status().Platform.Offers())
	b.Lost("prod", shop, "east", "no answer")
	ask("/api/v1/clusters")
	runtime.GC()
	require.NotNil(t, weak.Make(b.Status().Platform.Offers()).Value())
	for i := range platforms {
		require.Nil(t, platforms[i].Value(), i)
		require.Nil(t, placements[i].Value(), i)
	}
	runtime.KeepAlive(h)
}
