package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
)

// team is a file of access with a token for each role.
type team struct {
	file   string
	tokens map[access.Role]string
}

func newTeam(t *testing.T, more string) team {
	t.Helper()
	all := team{file: filepath.Join(t.TempDir(), "access.yaml"), tokens: map[access.Role]string{access.Anybody: ""}}
	content := more + "\ntokens:\n"
	for role, entry := range map[access.Role]string{
		access.Viewer: "role: viewer", access.Developer: "role: developer, team: store", access.Operator: "role: operator",
	} {
		token, digest := access.NewToken()
		all.tokens[role] = token
		content += fmt.Sprintf("- {name: the-%s, %s, sha256: %s}\n", role, entry, digest)
	}
	require.NoError(t, os.WriteFile(all.file, []byte(content), 0o600))
	return all
}

func (a team) guard(t *testing.T) *access.Guard {
	t.Helper()
	g, err := access.New(access.Options{File: a.file})
	require.NoError(t, err)
	return g
}

// as asks with a token and headers, and returns the answer without following redirects.
func as(t *testing.T, method, url, token string, headers ...string) (*http.Response, string) {
	t.Helper()
	return sent(t, method, url, token, "", headers...)
}

// sent is as with a body.
func sent(t *testing.T, method, url, token, text string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(text))
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp, string(body)
}

// TestEveryRouteHasARole: the table and the router have the same routes, and each answers those only who have the role.
func TestEveryRouteHasARole(t *testing.T) {
	all := newTeam(t, "")
	o := web.Options{Board: board(), Access: all.guard(t), Docs: fstest.MapFS{"one.md": {Data: []byte("# One\n")}}}
	require.ElementsMatch(t, slices.Collect(maps.Keys(web.Roles)), web.Routes(o))
	s := serve(t, o)
	for route, need := range web.Roles {
		method, path, ok := strings.Cut(route, " ")
		if !ok {
			method, path = http.MethodGet, route
		}
		path = strings.NewReplacer("{page...}", "", "{$}", "", "{", "", "}", "").Replace(path)
		for role, token := range all.tokens {
			resp, body := as(t, method, s.URL+path, token)
			denied := strings.Contains(body, "this needs the role")
			require.Equal(t, role < need, denied, "%s as %s: %s", route, role, body)
			switch {
			case denied && role == access.Anybody:
				require.Equal(t, http.StatusUnauthorized, resp.StatusCode, route)
				require.Equal(t, `Bearer realm="transom"`, resp.Header.Get("WWW-Authenticate"))
			case denied:
				require.Equal(t, http.StatusForbidden, resp.StatusCode, route)
				require.Contains(t, body, fmt.Sprintf("the-%s is %s, and this needs the role %s", role, role, need))
			}
		}
	}
}

// TestARouteWithoutARoleIsDenied: who adds a route and forgets the table has one that answers nobody.
func TestARouteWithoutARoleIsDenied(t *testing.T) {
	all := newTeam(t, "")
	s := serve(t, web.Options{Board: board(), Access: all.guard(t)})
	role := web.Roles["/api/v1/status"]
	delete(web.Roles, "/api/v1/status")
	defer func() { web.Roles["/api/v1/status"] = role }()
	resp, body := as(t, http.MethodGet, s.URL+"/api/v1/status", all.tokens[access.Operator])
	require.Equal(t, http.StatusForbidden, resp.StatusCode, body)
}

// TestADeveloperIsOneOfTheirTeamAlone where a route for developers is asked about a team.
func TestADeveloperIsOneOfTheirTeamAlone(t *testing.T) {
	all := newTeam(t, "")
	s := serve(t, web.Options{Board: board(), Access: all.guard(t), Look: func(context.Context) []web.Looked { return nil }})
	for team, code := range map[string]int{"": http.StatusOK, "?team=store": http.StatusOK, "?team=payments": http.StatusForbidden} {
		resp, body := as(t, http.MethodPost, s.URL+"/api/v1/reconcile"+team, all.tokens[access.Developer])
		require.Equal(t, code, resp.StatusCode, body)
		if code != http.StatusOK {
			require.Contains(t, body, "the-developer is developer of store, and this is of team \\\"payments\\\"")
		}
	}
	resp, body := as(t, http.MethodPost, s.URL+"/api/v1/reconcile?team=payments", all.tokens[access.Operator])
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
}

// TestAStreamEndsSoonAfterItsTokenIsTakenBack, also while something changes all the time, and the one of another token goes on.
func TestAStreamEndsSoonAfterItsTokenIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTeam(t, "")
		guard := all.guard(t)
		b := board()
		h := web.Handler(web.Options{Board: b, Access: guard})
		changes, stop := time.NewTicker(time.Second), make(chan struct{})
		defer close(stop)
		defer changes.Stop()
		go func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-changes.C:
					b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Problem: fmt.Sprint("sick ", n)})
				}
			}
		}()
		stream := func(role access.Role) (ended chan struct{}) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/api/v1/events", http.NoBody)
			r.Header.Set("Accept", "text/event-stream")
			r.Header.Set("Authorization", "Bearer "+all.tokens[role])
			ended = make(chan struct{})
			go func() {
				defer close(ended)
				h.ServeHTTP(httptest.NewRecorder(), r)
			}()
			return ended
		}
		taken, kept := stream(access.Viewer), stream(access.Operator)
		began := time.Now()
		<-time.After(time.Minute)
		content, err := os.ReadFile(all.file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(all.file, regexp.MustCompile("(?m)^.*the-viewer.*$").ReplaceAll(content, nil), 0o600))
		changed, err := guard.Refresh()
		require.NoError(t, err)
		require.True(t, changed)
		<-taken
		require.InDelta(t, 60, time.Since(began).Seconds(), 5)
		<-kept
		require.InDelta(t, 15*60, time.Since(began).Seconds(), 1, "as long as a stream lasts")
	})
}

// A slowClient takes its time for each part of a stream, and finds more after it.
type slowClient struct {
	http.ResponseWriter
	reads func()
}

func (r slowClient) Flush() {}

func (r slowClient) Write(p []byte) (int, error) {
	r.reads()
	return len(p), nil
}

// TestASlowStreamEndsSoonAfterItsTokenIsTakenBack, or its time is over, although there is always more to send.
func TestASlowStreamEndsSoonAfterItsTokenIsTakenBack(t *testing.T) {
	for name, taken := range map[string]bool{"taken back": true, "its time": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := newTeam(t, "")
				guard := all.guard(t)
				b := board()
				began, n := time.Now(), 0
				record := func() {
					for range 100 {
						n++
						b.ClusterSeen(status.Cluster{Name: "east", Reachable: true, Problem: fmt.Sprint("sick ", n, strings.Repeat(".", 200))})
					}
				}
				record()
				w := slowClient{httptest.NewRecorder(), func() {
					time.Sleep(20 * time.Second)
					record()
					if n > 100_000 {
						t.Fatal("it never ends")
					}
					if !taken || time.Since(began) < time.Minute {
						return
					}
					content, err := os.ReadFile(all.file)
					require.NoError(t, err)
					require.NoError(t, os.WriteFile(all.file, regexp.MustCompile("(?m)^.*the-viewer.*$").ReplaceAll(content, nil), 0o600))
					_, err = guard.Refresh()
					require.NoError(t, err)
				}}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/api/v1/events", http.NoBody)
				r.Header.Set("Accept", "text/event-stream")
				r.Header.Set("Authorization", "Bearer "+all.tokens[access.Viewer])
				web.Handler(web.Options{Board: b, Access: guard}).ServeHTTP(w, r)
				most := 15*time.Minute + 20*time.Second
				if taken {
					most = 90 * time.Second
				}
				require.GreaterOrEqual(t, time.Since(began), time.Minute)
				require.LessOrEqual(t, time.Since(began), most)
			})
		})
	}
}

func TestRefusedLoginsAreCounted(t *testing.T) {
	all := newTeam(t, "")
	s := serve(t, web.Options{Board: board(), Access: all.guard(t)})
	for range 40 {
		as(t, http.MethodGet, s.URL+"/api/v1/status", "transom_wrong")
	}
	_, body := as(t, http.MethodGet, s.URL+"/metrics", all.tokens[access.Viewer])
	require.Regexp(t, `(?m)^transom_logins_refused_total\{reason="failed"\} 3\d$`, body)
	require.Regexp(t, `(?m)^transom_logins_refused_total\{reason="limited"\} (10|\d)$`, body)
	require.Contains(t, body, "transom_logins_refused_total{reason=\"role\"} 0\n")
}

func TestABrowserIsSentToLogIn(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Access: newTeam(t, "").guard(t)})
	html := []string{"Accept", "text/html,*/*"}
	resp, _ := as(t, http.MethodGet, s.URL+"/", "", html...)
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	require.Equal(t, "/login", resp.Header.Get("Location"))
	resp, _ = as(t, http.MethodGet, s.URL+"/api/v1/status", "", html...)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	resp, body := as(t, http.MethodGet, s.URL+"/login", "", html...)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Contains(t, body, `name="token"`)
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'self'")
}

// TestAnotherSiteChangesNothing: a page elsewhere that has a browser send a form is refused.
func TestAnotherSiteChangesNothing(t *testing.T) {
	s := serve(t, web.Options{Board: board(), Access: newTeam(t, "").guard(t)})
	for _, path := range []string{"/login", "/logout"} {
		resp, _ := as(t, http.MethodPost, s.URL+path, "", "Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusForbidden, resp.StatusCode)
		resp, _ = as(t, http.MethodPost, s.URL+path, "", "Origin", "https://evil.example")
		require.Equal(t, http.StatusForbidden, resp.StatusCode)
		resp, _ = as(t, http.MethodPost, s.URL+path, "", "Sec-Fetch-Site", "same-origin")
		require.NotEqual(t, http.StatusForbidden, resp.StatusCode)
	}
}

func TestWhoAsksIsToldWhoTheyAre(t *testing.T) {
	all := newTeam(t, "")
	s := serve(t, web.Options{Board: board(), Access: all.guard(t)})
	_, body := as(t, http.MethodGet, s.URL+"/api/v1/whoami", all.tokens[access.Developer])
	require.JSONEq(t, `{"name": "the-developer", "role": "developer", "teams": ["store"], "login": true}`, body)
	_, body = as(t, http.MethodGet, serve(t, web.Options{Board: board()}).URL+"/api/v1/whoami", "")
	require.JSONEq(t, `{"role": "operator", "login": false}`, body)
}

func TestStreamsOfOneClientAreBounded(t *testing.T) {
	all := newTeam(t, "")
	s := httptest.NewUnstartedServer(web.Handler(web.Options{Board: board(), Access: all.guard(t)}))
	s.Start()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(s.Close)
	t.Cleanup(cancel)
	open := func(token string) *http.Response {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/events", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Accept", "text/event-stream")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	var first *http.Response
	for range 32 {
		first = open(all.tokens[access.Viewer])
		require.Equal(t, http.StatusOK, first.StatusCode)
	}
	refused := open(all.tokens[access.Viewer])
	require.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	var told map[string]any
	require.NoError(t, json.NewDecoder(refused.Body).Decode(&told))
	require.Equal(t, "32 streams of events are open to you: close some", told["error"])
	require.Equal(t, http.StatusOK, open(all.tokens[access.Operator]).StatusCode, "others are not concerned")
	require.NoError(t, first.Body.Close())
	require.Eventually(t, func() bool { return open(all.tokens[access.Viewer]).StatusCode == http.StatusOK }, settled, tick)
}

func TestMetricsMayHaveAnAddressOfTheirOwn(t *testing.T) {
	o := web.Options{Board: board(), MetricsElsewhere: true}
	code, body := get(t, serve(t, o), "/metrics")
	require.Equal(t, http.StatusNotFound, code, body)
	for _, profiles := range []bool{false, true} {
		own := httptest.NewServer(web.Metrics(o, profiles))
		t.Cleanup(own.Close)
		code, body = get(t, own, "/metrics")
		require.Equal(t, http.StatusOK, code)
		require.Contains(t, body, "transom_placements")
		code, _ = get(t, own, "/debug/pprof/cmdline")
		require.Equal(t, profiles, code == http.StatusOK)
		code, _ = get(t, own, "/api/v1/status")
		require.Equal(t, http.StatusNotFound, code)
	}
	code, _ = get(t, serve(t, web.Options{Board: board()}), "/debug/pprof/cmdline")
	require.Equal(t, http.StatusNotFound, code)
}
