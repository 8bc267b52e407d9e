package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/access"
	resource "transom.dev/reconciler/web/api"
)

// pods are the pods of a placement with the logs of their one container.
type pods map[string]string

func (p pods) Pods(context.Context, resource.Place) (all []resource.Pod, err error) {
	for name := range p {
		all = append(all, resource.Pod{Namespace: "store", Name: name, Phase: "Running", Containers: []resource.Container{{Name: "setup", Prepares: true}, {Name: "web", Ready: true}}})
	}
	return all, nil
}

func (p pods) Happenings(_ context.Context, at resource.Place) ([]resource.Happening, error) {
	return []resource.Happening{{Object: "Pod store/shop-web-1", Type: "Warning", Reason: "BackOff", Message: at.Cluster, Count: 3}}, nil
}

func (p pods) ReadLog(_ context.Context, _ resource.Place, l resource.Log, read func(io.Reader) error) error {
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

var _ web.Runtime = pods{}
