package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
	resource "transom.dev/reconciler/web/api"
	"transom.dev/render/platform"
)

// pods are the pods of a placement with the logs of their one container.
type pods map[string]string

func (p pods) Pods(context.Context, resource.Placement) (all []resource.Pod, err error) {
	for name := range p {
		all = append(all, resource.Pod{Namespace: "store", Name: name, Phase: "Running", Containers: []resource.Container{{Name: "setup", Prepares: true}, {Name: "web", Ready: true}}})
	}
	return all, nil
}

func (p pods) Happenings(_ context.Context, at resource.Placement) ([]resource.Happening, error) {
	return []resource.Happening{{Object: "Pod store/shop-web-1", Type: "Warning", Reason: "BackOff", Message: at.Cluster, Count: 3}}, nil
}

func (p pods) ReadLog(_ context.Context, _ resource.Placement, l resource.Log, read func(io.Reader) error) error {
	if l.Previous {
		return errors.New("there is no previous container \x1b[31m")
	}
	return read(strings.NewReader(p[l.Pod]))
}

const (
	shopLogs   = "/api/v1/instances/prod/store/shop/logs"
	shopEvents = "/api/v1/instances/prod/store/shop/events"
)

// TestLogsAreForDevelopersOfTheTeamWhereTheEnvironmentSaysSo: not for viewers, not for those of other teams, and not where the
// environment's file does not say so.
func TestLogsAreForDevelopersOfTheTeamWhereTheEnvironmentSaysSo(t *testing.T) {
	all := newTeam(t, "")
	o := busy(t)
	o.Access = all.guard(t)
	s := serve(t, o)
	for _, path := range []string{shopLogs, shopEvents, "/api/v1/instances/prod/store/shop/pods"} {
		for role, want := range map[access.Role]int{access.Anybody: 401, access.Viewer: 403, access.Developer: 200, access.Operator: 200} {
			resp, body := as(t, http.MethodGet, s.URL+path, all.tokens[role])
			require.Equal(t, want, resp.StatusCode, "%s as %s: %s", path, role, body)
		}
		other := strings.Replace(path, "store", "search", 1)
		resp, body := as(t, http.MethodGet, s.URL+other, all.tokens[access.Developer])
		require.Equal(t, http.StatusForbidden, resp.StatusCode, body)
		require.Contains(t, body, `is developer of store, and this is of team \"search\"`)
	}
	o = busy(t)
	o.Board.Status().Platform.Offers().Environments["prod"].Logs = false
	code, body := get(t, serve(t, o), shopLogs)
	require.Equal(t, http.StatusForbidden, code)
	require.Contains(t, body, "merge spec.logs: true in environments/prod.yaml")
	require.Contains(t, body, `"remedy":"merge spec.logs: true in environments/prod.yaml; that`, "a role is not what is lacking")
	_, body = get(t, serve(t, o), strings.Replace(shopLogs, "prod", "pord", 1))
	require.Contains(t, body, `there is no environment pord; did you mean \"prod\"?`)
}

// TestLogsAreBoundedAndHarmless: whatever a container prints, no line is long, none has a control character, and the answer ends.
func TestLogsAreBoundedAndHarmless(t *testing.T) {
	o := busy(t)
	ask := func(p pods, query string) (int, string) {
		o.Runtime = p
		return get(t, serve(t, o), shopLogs+query)
	}
	code, body := ask(pods{"shop-web-1": "plain\x1b]0;owned\x07\u202e\n<script>\n" + strings.Repeat("x", 1<<20) + "\nlast"}, "?tail=5")
	require.Equal(t, http.StatusOK, code)
	lines := strings.Split(strings.TrimSpace(body), "\n")
	require.Len(t, lines, 4)
	require.JSONEq(t, `{"pod":"shop-web-1","container":"web","line":"plain�]0;owned��"}`, lines[0])
	require.NotContains(t, lines[1], "<script>")
	require.Less(t, len(lines[2]), 17<<10)
	require.JSONEq(t, `{"pod":"shop-web-1","container":"web","line":"last"}`, lines[3])

	_, body = ask(pods{"shop-web-1": strings.Repeat(strings.Repeat("x", 1000)+"\n", 12<<10)}, "")
	require.Less(t, len(body), 9<<20)
	require.Contains(t, body[len(body)-200:], "cut after 8 MiB")

	_, body = ask(pods{"shop-web-1": ""}, "?previous=true")
	require.JSONEq(t, `{"pod":"shop-web-1","container":"web","line":"","error":"there is no previous container �[31m"}`, strings.TrimSpace(body))

	for query, want := range map[string]string{
		"?tail=0": "it is a number from 1 to 10000", "?cluster=eats": `did you mean \"east\"?`, "?pod=other": "no pod other on east; its pods are shop-web-1",
		"?container=sidecar": "no container sidecar on east; its containers are setup and web", "?follow=true&previous=true": "follow= and previous= are both there",
	} {
		_, body = ask(pods{"shop-web-1": ""}, query)
		require.Contains(t, body, want)
	}
	_, body = ask(pods{"shop-web-1": "set\n"}, "?container=setup")
	require.Contains(t, body, `"container":"setup","line":"set"`)
	code, body = ask(pods{}, "")
	require.Equal(t, http.StatusNotFound, code)
	require.Contains(t, body, "store/shop has no pods on east")
}

// idle are pods that print nothing, and whose cluster answers nothing else either.
type idle struct{ pods }

func (idle) Happenings(ctx context.Context, _ resource.Placement) ([]resource.Happening, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (idle) ReadLog(ctx context.Context, _ resource.Placement, _ resource.Log, _ func(io.Reader) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// A reading is an answer under way.
type reading struct {
	*httptest.ResponseRecorder
	began *sync.Once // for its head
	ended chan struct{}
}

// Flush writes the head alone, so that whoever reads that does so beside later writes.
func (r reading) Flush() { r.began.Do(r.ResponseRecorder.Flush) }

// read asks for a path with a token.
func read(t *testing.T, h http.Handler, path, token string) reading {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	answer := reading{httptest.NewRecorder(), new(sync.Once), make(chan struct{})}
	go func() {
		defer close(answer.ended)
		h.ServeHTTP(answer, r)
	}()
	synctest.Wait()
	return answer
}

// TestALogThatIsFollowedHasAnAnswerAtOnceAndSaysWhyItEnds: a standby or a proxy closes a connection without one.
func TestALogThatIsFollowedHasAnAnswerAtOnceAndSaysWhyItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, o, began := newTeam(t, ""), busy(t), time.Now()
		o.Access, o.Runtime = all.guard(t), idle{pods{"shop-web-1": ""}}
		h := web.Handler(o)
		once := read(t, h, shopLogs, all.tokens[access.Developer])
		follows := read(t, h, shopLogs+"?follow=true", all.tokens[access.Developer])
		require.True(t, follows.Flushed)
		require.Equal(t, http.StatusOK, follows.Code)
		<-once.ended
		require.Equal(t, 30*time.Second, time.Since(began))
		require.Contains(t, once.Body.String(), "ended after 30s: ask again")
		<-follows.ended
		require.Equal(t, 15*time.Minute, time.Since(began))
		require.Greater(t, strings.Count(follows.Body.String(), "\n"), 40, "an empty line every twenty seconds")
		require.Contains(t, follows.Body.String(), "ended after 15m0s: ask again")
	})
}

// TestALogEndsSoonAfterItMayNotBeReadAnyMore: the token is taken back, or the environment shows no logs from now on.
func TestALogEndsSoonAfterItMayNotBeReadAnyMore(t *testing.T) {
	for why, taken := range map[string]func(*testing.T, team, *access.Guard, web.Board){
		"whoever asked may not read these logs any more": func(t *testing.T, all team, g *access.Guard, _ web.Board) {
			content, err := os.ReadFile(all.file)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(all.file, []byte(strings.Replace(string(content), "team: store", "team: search", 1)), 0o600))
			changed, err := g.Refresh()
			require.NoError(t, err)
			require.True(t, changed)
		},
		"environment prod does not show logs": func(_ *testing.T, _ team, _ *access.Guard, b web.Board) {
			offers := *b.Status().Platform.Offers()
			prod := *offers.Environments["prod"]
			prod.Logs = false
			offers.Environments = map[string]*platform.Environment{"prod": &prod}
			b.(*status.Board).Loaded("https://git.example.com/platform.git", &offers)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			all, o, began := newTeam(t, ""), busy(t), time.Now()
			guard := all.guard(t)
			o.Access, o.Runtime = guard, idle{pods{"shop-web-1": ""}}
			h := web.Handler(o)
			developers := read(t, h, shopLogs+"?follow=true", all.tokens[access.Developer])
			taken(t, all, guard, o.Board)
			<-developers.ended
			require.LessOrEqual(t, time.Since(began), 20*time.Second)
			require.Contains(t, developers.Body.String(), `"error":"ended: `+why)
		})
	}
}

// TestQuestionsAboutPodsAreBounded: whoever asks again and again before a cluster answered is refused.
func TestQuestionsAboutPodsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, o := newTeam(t, ""), busy(t)
		o.Access, o.Runtime = all.guard(t), idle{pods{"shop-web-1": ""}}
		h := web.Handler(o)
		for range 4 {
			read(t, h, shopEvents, all.tokens[access.Developer])
			read(t, h, shopLogs, all.tokens[access.Developer])
		}
		for _, path := range []string{shopEvents, shopLogs} {
			refused := read(t, h, path, all.tokens[access.Developer])
			<-refused.ended
			require.Equal(t, http.StatusTooManyRequests, refused.Code)
			require.Contains(t, refused.Body.String(), "8 looks at pods are open to you")
		}
		page := read(t, h, shopPods, all.tokens[access.Developer])
		<-page.ended
		require.Equal(t, http.StatusTooManyRequests, page.Code)
		require.Equal(t, "5", page.Header().Get("Retry-After"))
		require.Contains(t, page.Body.String(), "8 looks at pods are open to you: close some. Try again in 5 s.</p>")
		others := read(t, h, shopLogs, all.tokens[access.Operator])
		require.Equal(t, http.StatusOK, others.Code)
		<-others.ended
	})
}

var _ web.Runtime = pods{}
