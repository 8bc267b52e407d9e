package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
)

var (
	shop  = platform.RequestKey{Team: "store", Name: "shop"}
	cache = platform.RequestKey{Team: "store", Name: "cache"}
	api   = platform.RequestKey{Team: "search", Name: "api"}
)

// clock ticks once per reading, so that every event has a time of its own.
func clock() func() time.Time {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

// board knows one environment with two clusters, in which only shop on east is healthy.
func board() *status.Board {
	b := status.NewBoard(clock())
	b.Loaded("https://git.example.com/platform.git", &platform.Platform{Commit: "c2", Problems: []platform.Problem{
		{File: "requests/search/api.yaml", Line: 5, Rule: "unknown-offering", Message: "no offering", Request: &api},
		{File: "README.yaml", Rule: "misplaced", Message: "means nothing here", Warning: true},
	}})
	b.ClusterSeen(status.Cluster{Name: "east", Reachable: true})
	b.ClusterSeen(status.Cluster{Name: "west", Message: "connection refused"})
	place := func(k platform.RequestKey) status.Instance {
		in := status.Instance{Environment: "prod", Request: k, Offering: "web", Version: "1.0.0", Commit: "c2"}
		for _, c := range []string{"east", "west"} {
			in.Placements = append(in.Placements, status.Placement{
				Cluster: c, Stage: status.Committed, Health: "Unknown", Revision: "sha256:" + k.Name + c,
			})
		}
		return in
	}
	b.Reconciled(status.Environment{
		Name: "prod", Commit: "c2", StateCommit: "s1",
		Clusters: []status.Cluster{{Name: "east", State: "active"}, {Name: "west", State: "active"}},
	}, []status.Instance{place(shop), place(cache)})
	b.Reconciled(status.Environment{Name: "dev", Commit: "c1"}, nil)
	b.Placed("prod", shop, status.Placement{
		Cluster: "east", Stage: status.Healthy, Health: "Healthy", Revision: "sha256:shopeast",
		Objects: []status.Object{{Kind: "Service", Name: "shop", Health: "Healthy"}},
	})
	return b
}

func serve(t *testing.T, o web.Options) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(web.Handler(o))
	t.Cleanup(s.Close)
	return s
}

// get returns the status and body of an answer.
func get(t *testing.T, s *httptest.Server, path string) (code int, body string) {
	t.Helper()
	resp, err := s.Client().Get(s.URL + path)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(content)
}

func getJSON[T any](t *testing.T, s *httptest.Server, path string) T {
	t.Helper()
	code, body := get(t, s, path)
	require.Equal(t, http.StatusOK, code, body)
	var v T
	require.NoError(t, json.Unmarshal([]byte(body), &v))
	return v
}

func TestStatusIsWhatTheBoardKnows(t *testing.T) {
	b := board()
	got := getJSON[status.Status](t, serve(t, web.Options{Board: b}), "/api/v1/status")
	want, err := json.Marshal(b.Status())
	require.NoError(t, err)
	have, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(have))
}

func TestStatusIsNarrowedByItsParameters(t *testing.T) {
	s := serve(t, web.Options{Board: board()})
	tests := map[string]struct {
		query                             string
		instances, environments, problems int
	}{
		"everything":           {"", 2, 2, 2},
		"a team":               {"?team=store", 2, 2, 1},
		"a request":            {"?team=store&request=shop", 1, 2, 1},
		"an environment":       {"?environment=dev", 0, 1, 2},
		"a request that is in": {"?team=search&request=api", 0, 2, 2},
		"nothing that is":      {"?team=nobody&environment=none", 0, 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := getJSON[status.Status](t, s, "/api/v1/status"+tt.query)
			require.Len(t, got.Instances, tt.instances)
			require.Len(t, got.Environments, tt.environments)
			require.Len(t, got.Platform.Problems, tt.problems)
		})
	}
}

func TestStatusLeavesObjectsOutWhenAsked(t *testing.T) {
	b := board()
	s := serve(t, web.Options{Board: b})
	require.NotContains(t, fmt.Sprint(getJSON[status.Status](t, s, "/api/v1/status?objects=none")), "Service")
	require.NotContains(t, fmt.Sprint(getJSON[status.Status](t, s, "/api/v1/status?objects=unhealthy")), "Service")
	require.Contains(t, fmt.Sprint(getJSON[status.Status](t, s, "/api/v1/status")), "Service", "the board keeps its objects")
	b.Placed("prod", shop, status.Placement{
		Cluster: "east", Stage: status.Applied, Health: "Progressing", Revision: "sha256:shopeast",
		Objects: []status.Object{{Kind: "Service", Name: "shop", Health: "Healthy"}, {Kind: "Job", Name: "migrate", Health: "Progressing"}},
	})
	unhealthy := fmt.Sprint(getJSON[status.Status](t, s, "/api/v1/status?objects=unhealthy"))
	require.Contains(t, unhealthy, "migrate")
	require.NotContains(t, unhealthy, "Service")
}

func TestAnUnchangedStatusIsNotSentAgain(t *testing.T) {
	b := board()
	s := serve(t, web.Options{Board: b})
	ask := func(tag string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/status", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("If-None-Match", tag)
		resp, err := s.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	tag := ask("").Header.Get("ETag")
	require.NotEmpty(t, tag)
	require.Equal(t, http.StatusNotModified, ask(tag).StatusCode)
	b.Lost("prod", shop, "east", "gone")
	require.Equal(t, http.StatusOK, ask(tag).StatusCode)
}

func TestProgressSaysHowFarACommitHasCome(t *testing.T) {
	b := board()
	s := serve(t, web.Options{Board: b, Includes: func(_ context.Context, head, commit string) (bool, error) {
		return head == "c2" && commit == "c1", nil
	}})
	p := getJSON[status.Progress](t, s, "/api/v1/progress?environment=prod&commit=c1")
	require.True(t, p.Reconciled, "c2 continues c1")
	require.False(t, p.Done)
	require.Equal(t, []int{2, 1, 4}, []int{p.Instances, p.Healthy, p.Total})
	require.Equal(t, "store/cache: east: Committed, Unknown", p.Waiting[0].String())
	require.Empty(t, p.Failed)

	require.False(t, getJSON[status.Progress](t, s, "/api/v1/progress?environment=dev&commit=c2").Reconciled)

	b.ClusterSeen(status.Cluster{Name: "west", Reachable: true})
	b.Placed("prod", shop, status.Placement{Cluster: "west", Stage: status.Healthy, Health: "Healthy", Revision: "sha256:shopwest"})
	require.True(t, getJSON[status.Progress](t, s, "/api/v1/progress?environment=prod&commit=c2&team=store&request=shop").Done)

	b.Placed("prod", cache, status.Placement{
		Cluster: "east", Stage: status.Committed, Health: "Unknown", Revision: "sha256:cacheeast",
		Problems: []status.ObjectProblem{{Object: "Service store/cache", Message: "belongs to somebody else"}},
	})
	b.Placed("prod", cache, status.Placement{Cluster: "west", Stage: status.Applied, Health: "Failed", Message: "crashes", Revision: "sha256:cachewest"})
	failed := getJSON[status.Progress](t, s, "/api/v1/progress?environment=prod").Failed
	require.Equal(t, "store/cache: east: Service store/cache: belongs to somebody else", failed[0].String())
	require.Equal(t, "store/cache: west: Failed: crashes", failed[1].String())
}

func TestProgressNamesWhatHoldsTheWholeEnvironment(t *testing.T) {
	b := status.NewBoard(clock())
	b.Reconciled(status.Environment{Name: "prod", Commit: "c1", Frozen: "history was rewritten"}, []status.Instance{{
		Environment: "prod", Request: shop,
		Problems: []platform.Problem{{File: "f.yaml", Message: "wrong"}, {File: "f.yaml", Message: "odd", Warning: true}},
	}})
	b.EnvironmentFailed("prod", errors.New("push refused"))
	p := getJSON[status.Progress](t, serve(t, web.Options{Board: b}), "/api/v1/progress?environment=prod")
	require.Equal(t, "[history was rewritten store/shop: f.yaml: wrong]", fmt.Sprint(p.Failed))
	require.Equal(t, "[push refused]", fmt.Sprint(p.Waiting))
	require.False(t, p.Done)
}

func TestProgressIsNotDoneWhileSomethingWaitsToBePromoted(t *testing.T) {
	b := status.NewBoard(clock())
	in := status.Instance{Environment: "prod", Request: shop, Placements: []status.Placement{{Cluster: "east", Revision: "r"}}}
	e := status.Environment{Name: "prod", Commit: "c1"}
	progress := func(change func(*status.Instance)) status.Progress {
		next := in
		change(&next)
		b.Reconciled(e, []status.Instance{next})
		b.Placed("prod", shop, status.Placement{Cluster: "east", Stage: status.Healthy, Health: "Healthy", Revision: "r"})
		return getJSON[status.Progress](t, serve(t, web.Options{Board: b}), "/api/v1/progress?environment=prod")
	}
	require.True(t, progress(func(*status.Instance) {}).Done)

	p := progress(func(in *status.Instance) {
		in.Waiting = []status.Gate{{Name: "approval", Reason: "nobody approved web 1.1.0", Opens: "an Approval"}}
	})
	require.False(t, p.Done)
	require.Equal(t, "[store/shop: waits for approval: nobody approved web 1.1.0; opens: an Approval]", fmt.Sprint(p.Waiting))

	p = progress(func(in *status.Instance) {
		in.Waiting = []status.Gate{{Name: "rejected", Reason: "failed on east: crashes"}}
	})
	require.Equal(t, "[store/shop: rejected: failed on east: crashes]", fmt.Sprint(p.Failed), "waiting would not help")

	p = progress(func(in *status.Instance) { in.Rollout = &status.Rollout{Pending: []string{"south", "west"}} })
	require.False(t, p.Done)
	require.Equal(t, "[store/shop: is still to reach south, west]", fmt.Sprint(p.Waiting))

	p = progress(func(in *status.Instance) {
		in.Rollout = &status.Rollout{Pending: []string{"west"}, Stopped: "the rollback failed, too"}
	})
	require.Equal(t, "[store/shop: stopped: the rollback failed, too]", fmt.Sprint(p.Failed), "a person decides")
}

func TestExplainAsksTheDaemon(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Explain: func(_ context.Context, q web.Question) (web.Trace, error) {
		if q.Request != shop {
			return web.Trace{}, fmt.Errorf("%s in %s: %w", q.Request, q.Environment, web.ErrNotFound)
		}
		return web.Trace{Environment: q.Environment, Request: q.Request, Cluster: q.Cluster, State: web.Origin{Commit: "s1"}}, nil
	}})
	got := getJSON[web.Trace](t, s, "/api/v1/explain?environment=prod&team=store&request=shop&cluster=east")
	require.Equal(t, web.Trace{Environment: "prod", Request: shop, Cluster: "east", State: web.Origin{Commit: "s1"}}, got)

	code, body := get(t, s, "/api/v1/explain?environment=prod&team=store&request=none")
	require.Equal(t, http.StatusNotFound, code)
	require.Equal(t, "store/none in prod: not found", told(t, body)["error"])
}

// TestProgressBeforeThePlatformIsLoaded knows of no environment, and must not say that there is none.
func TestProgressBeforeThePlatformIsLoaded(t *testing.T) {
	b := status.NewBoard(clock())
	s := serve(t, web.Options{Board: b})
	for range 2 {
		code, body := get(t, s, "/api/v1/progress?environment=prod&commit=c2")
		require.Equal(t, http.StatusOK, code)
		var p status.Progress
		require.NoError(t, json.Unmarshal([]byte(body), &p))
		require.Equal(t, "prod", p.Environment)
		require.False(t, p.Reconciled)
		require.False(t, p.Done)
		b.Loaded("url", &platform.Platform{Commit: "c2", Environments: map[string]*platform.Environment{"prod": {}}})
	}
	code, _ := get(t, s, "/api/v1/progress?environment=qa")
	require.Equal(t, http.StatusNotFound, code)
}

// told are the fields of an error.
func told(t *testing.T, body string) (fields map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &fields), body)
	return fields
}

func TestErrorsAreJSONAndSayWhatIsWrong(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Includes: func(_ context.Context, _, commit string) (bool, error) {
		if commit == "cc44" {
			return false, web.ErrNoCommitID
		}
		return false, errors.New("mirror is gone")
	}})
	tests := map[string]struct {
		code int
		want string
	}{
		"/api/v1/status?enviroment=prod":                   {400, `unknown parameter "enviroment"; known: team, request, environment and objects`},
		"/api/v1/status?request=shop":                      {400, "request=shop needs team=: a request is named within its team"},
		"/api/v1/status?objects=few":                       {400, "objects=few: it is all, unhealthy or none"},
		"/api/v1/instances?environment=prod;health=Failed": {400, "the query cannot be read: invalid semicolon separator in query; write & between parameters, and a character that has a meaning there as %XX"},
		"/api/v1/instances?limit=1&limit=2":                {400, "limit= is there 2 times; give it once"},
		"/api/v1/events?limit=1":                           {400, `unknown parameter "limit"; known: team, request, environment and only`},
		"/api/v1/events?only=some":                         {400, "only=some: it is status"},
		"/api/v1/progress":                                 {400, "progress needs environment="},
		"/api/v1/progress?environment=qa":                  {404, `no environment "qa"`},
		"/api/v1/progress?environment=prd":                 {404, `no environment "prd"; did you mean "prod"?`},
		"/api/v1/progress?environment=prod&commit=c0":      {500, "look for commit c0 below c2: mirror is gone"},
		"/api/v1/progress?environment=prod&commit=cc44":    {400, "cc44 is no commit id: give all 40 hexadecimal digits"},
		"/api/v1/progress?when=now":                        {400, `unknown parameter "when"; known: team, request, environment and commit`},
		"/api/v1/explain?team=a":                           {400, "explain needs request= and environment="},
		"/api/v1/explain?who=me":                           {400, `unknown parameter "who"; known: team, request, environment and cluster`},
		"/api/v1/explain?environment=e&team=a&request=b":   {404, "this daemon does not answer explain"},
		"/api/v2": {404, "nothing at /api/v2; the console is at / and the API below /api/v1/"},
	}
	for path, tt := range tests {
		t.Run(path, func(t *testing.T) {
			code, body := get(t, s, path)
			require.Equal(t, tt.code, code)
			problem := told(t, body)
			require.Equal(t, tt.want, problem["error"])
			require.Equal(t, tt.want, problem["detail"])
			require.EqualValues(t, tt.code, problem["status"])
		})
	}
}

// TestNothingCanBeWritten: every page and every answer is read alone, but for questions that are asked by POST, calls of Git servers and
// logging in, none of which changes the platform.
func TestNothingCanBeWritten(t *testing.T) {
	o := busy(t)
	o.Docs = fstest.MapFS{"one.md": {Data: []byte("# One\n")}}
	s := serve(t, o)
	var posted []string
	for _, route := range web.Routes(o) {
		if method, _, given := strings.Cut(route, " "); given {
			if method == http.MethodPost {
				posted = append(posted, route)
			}
			continue
		}
		path := strings.NewReplacer("{page...}", "one", "{$}", "", "{", "", "}", "").Replace(route)
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			resp, body := as(t, method, s.URL+path, "")
			if resp.StatusCode != http.StatusMethodNotAllowed {
				posted = append(posted, route)
				require.Equal(t, http.MethodPost, method, "%s: %s", route, body)
			}
			if allow := resp.Header.Get("Allow"); allow != "GET, HEAD" && allow != "" {
				require.Equal(t, "POST", allow, route)
				require.Contains(t, posted, route)
			}
		}
	}
	require.ElementsMatch(t, []string{"/api/v1/reconcile", "/api/v1/requests/{team}/{request}/plan", "/hooks/git", "POST /login", "POST /logout"}, posted)
}

func TestReadyFollowsTheDaemonAndHealthDoesNot(t *testing.T) {
	err := errors.New("environment prod is not reconciled yet")
	s := serve(t, web.Options{Board: board(), Ready: func() error { return err }})
	code, body := get(t, s, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "not ready: environment prod is not reconciled yet", told(t, body)["detail"])
	code, _ = get(t, s, "/healthz")
	require.Equal(t, http.StatusOK, code)

	err = nil
	code, body = get(t, s, "/readyz")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ok\n", body)

	s = serve(t, web.Options{Board: board(), Warned: func() int { return 2 }})
	code, body = get(t, s, "/readyz")
	require.Equal(t, http.StatusOK, code, "an expiry that is ahead makes no daemon useless")
	require.Equal(t, "ok\nwarning: credentials that a person must see to: 2; \"transom cluster list\" tells them\n", body)
}

func TestMetricsSayHowLongCredentialsAreGood(t *testing.T) {
	b := board()
	b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Credential: status.Credential{Expires: time.Now().Add(-time.Hour)}})
	_, body := get(t, serve(t, web.Options{Board: b}), "/metrics")
	require.Regexp(t, `transom_cluster_credential_expiry_seconds\{cluster="east",environment="prod"\} -36\d\d\n`, body)
	require.NotContains(t, body, `transom_cluster_credential_expiry_seconds{cluster="west"`, "it does not say when it expires")
}

func TestMetricsCountWhatTheBoardKnows(t *testing.T) {
	more := prometheus.NewGauge(prometheus.GaugeOpts{Name: "more", Help: "more"})
	b := board()
	b.ForgeTold("commit statuses", nil)
	b.ForgeTold("comments on pull requests", errors.New("no answer"))
	_, body := get(t, serve(t, web.Options{Board: b, Collectors: []prometheus.Collector{more}}), "/metrics")
	for _, line := range []string{
		`transom_placements{cluster="east",environment="prod",health="Healthy"} 1`,
		`transom_placements{cluster="west",environment="prod",health="Unknown"} 2`,
		`transom_cluster_reachable{cluster="west",environment="prod"} 0`,
		`transom_environment_frozen{environment="prod"} 0`,
		`transom_problems 1`,
		`transom_platform_loaded 1`,
		`transom_environment_reconciled{environment="prod"} 1`,
		`transom_forge_told{part="commit statuses"} 1`,
		`transom_forge_told{part="comments on pull requests"} 0`,
		`more 0`,
	} {
		require.Contains(t, body, line+"\n")
	}
}

func TestMetricsCountWhatAnOperatorOwes(t *testing.T) {
	b := board()
	b.PlatformFailed("https://git.example.com/platform.git", errors.New("the token has expired"))
	b.PlatformFrozen("the head is not signed")
	b.EnvironmentFailed("dev", errors.New("no answer"))
	b.Updated(status.Environment{
		Name: "prod", Clusters: []status.Cluster{{Name: "east"}, {Name: "west"}},
		Decisions: []status.Decision{{Kind: "Hold"}, {Kind: "Pin"}, {Kind: "Pin"}},
	}, nil)
	b.Placed("prod", shop, status.Placement{
		Cluster: "east", Revision: "sha256:shopeast", Health: "Healthy", Drift: []status.ObjectProblem{{Object: "a"}, {Object: "b"}},
	})
	_, body := get(t, serve(t, web.Options{Board: b}), "/metrics")
	for _, line := range []string{
		`transom_platform_loaded 0`,
		`transom_platform_frozen 1`,
		`transom_environment_reconciled{environment="dev"} 0`,
		`transom_environment_reconciled{environment="prod"} 1`,
		`transom_decisions{environment="prod",kind="Hold"} 1`,
		`transom_decisions{environment="prod",kind="Pin"} 2`,
		`transom_decisions{environment="prod",kind="Override"} 0`,
		`transom_drift{cluster="east",environment="prod"} 2`,
	} {
		require.Contains(t, body, line+"\n")
	}
}

func TestThePageAsksNobodyElse(t *testing.T) {
	s := serve(t, web.Options{Board: board()})
	resp, err := s.Client().Get(s.URL + "/")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'", resp.Header.Get("Content-Security-Policy"))
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))

	_, page := get(t, s, "/")
	require.NotRegexp(t, `(?i) style=| on\w+=|<script[^>]*>[^<]|(src=|<link[^>]*href=)"https?:`, page, "the policy allows nothing inline and nothing from elsewhere")
	files := regexp.MustCompile(`(?:href|src)="/([^"#/]+[.](?:css|js|svg))"`).FindAllStringSubmatch(page, -1)
	require.NotEmpty(t, files)
	for _, file := range files {
		code, _ := get(t, s, "/"+file[1])
		require.Equal(t, http.StatusOK, code, file[1])
	}
}

// TestPagesComeCompressed to a browser that takes it, and a page that did not change does not come again.
func TestPagesComeCompressed(t *testing.T) {
	s := serve(t, web.Options{Board: promoting()})
	ask := func(tag string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/fleet", http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("If-None-Match", tag)
		resp, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	first := ask("")
	require.Equal(t, "gzip", first.Header.Get("Content-Encoding"))
	require.Equal(t, http.StatusNotModified, ask(first.Header.Get("ETag")).StatusCode)
}
