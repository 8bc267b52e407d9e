package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	shop    = platform.RequestKey{Team: "store", Name: "shop"}
	basket  = platform.RequestKey{Team: "store", Name: "basket"}
	indexer = platform.RequestKey{Team: "search", Name: "indexer"}
)

// matchesGolden compares text with testdata/golden/NAME.
func matchesGolden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// transom runs a command line against a daemon that serves the board.
func transom(t *testing.T, o web.Options, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	server := httptest.NewServer(web.Handler(o))
	defer server.Close()
	t.Setenv("TRANSOM_SERVER", server.URL)
	var out, told bytes.Buffer
	err := run(t.Context(), args, nil, &out, &told)
	return out.String(), told.String(), exitCode(err)
}

// eventful is a board on which everything that status tells apart has happened. Times are hours ago, so that they read
// the same whenever the test runs.
func eventful() *status.Board {
	at := time.Now().Add(-3*time.Hour - time.Minute)
	b := status.NewBoard(func() time.Time { return at })
	wrong := platform.Problem{
		File: "requests/search/indexer.yaml", Line: 6, Column: 3, Field: "spec.version", Rule: "version",
		Message: `no published version of job matches "3"; published: 1.0.0`, Request: &indexer,
	}
	b.Loaded("https://git.example.com/platform.git", &platform.Platform{Commit: "9f2c1ab77de0", Problems: []platform.Problem{
		wrong,
		{File: "offerings/cache/1.0.0/version.yaml", Line: 4, Rule: "x", Message: "is odd"},
		{File: "environments/prod.yaml", Rule: "does-not-act-yet", Message: "acts later", Warning: true},
	}})
	instance := func(environment string, k platform.RequestKey, clusters ...string) status.Instance {
		in := status.Instance{Environment: environment, Request: k, Offering: "web", Version: "1.1.0", Commit: "9f2c1ab77de0"}
		for _, c := range clusters {
			in.Placements = append(in.Placements, status.Placement{
				Cluster: c, Stage: status.Committed, Health: "Unknown", Revision: "sha256:" + k.Name + c, Message: "not looked at yet",
				CommittedAt: at,
			})
		}
		return in
	}
	broken := instance("prod", indexer)
	broken.Problems = []platform.Problem{wrong}
	withOutputs := instance("prod", shop, "east", "west")
	withOutputs.Outputs = map[string]any{"url": "http://shop-web.store.svc", "replicas": 3}
	b.Reconciled(status.Environment{Name: "dev", Commit: "9f2c1ab77de0", Clusters: []status.Cluster{{Name: "dev", State: "active"}}},
		[]status.Instance{instance("dev", shop, "dev"), instance("dev", basket, "dev")})
	b.Reconciled(status.Environment{
		Name: "prod", Commit: "9f2c1ab77de0",
		Clusters: []status.Cluster{{Name: "east", State: "active"}, {Name: "west", State: "active"}, {Name: "south", State: "paused", Reason: "it moves to another rack"}},
	}, []status.Instance{withOutputs, instance("prod", basket, "east"), broken})
	for _, name := range []string{"dev", "east", "south"} {
		b.ClusterSeen(status.Cluster{Name: name, Reachable: true})
	}
	b.ClusterSeen(status.Cluster{Name: "west", Message: "connection refused"})
	healthy := func(environment string, k platform.RequestKey, cluster string) {
		b.Placed(environment, k, status.Placement{
			Cluster: cluster, Stage: status.Healthy, Health: "Healthy", Revision: "sha256:" + k.Name + cluster,
			Objects: []status.Object{{Kind: "Deployment", Name: k.Name + "-web", Health: "Healthy"}, {Kind: "Service", Name: k.Name + "-web", Health: "Healthy"}},
		})
	}
	healthy("dev", shop, "dev")
	healthy("dev", basket, "dev")
	b.Placed("prod", shop, status.Placement{
		Cluster: "east", Stage: status.Applied, Health: "Failed", Revision: "sha256:shopeast", Message: "Deployment shop-web: pod x: ErrImagePull",
		Objects: []status.Object{{Kind: "Deployment", Name: "shop-web", Health: "Failed", Message: "pod x: ErrImagePull"}, {Kind: "Service", Name: "shop-web", Health: "Healthy"}},
	})
	b.Lost("prod", shop, "west", "cluster west is not reachable")
	b.Placed("prod", basket, status.Placement{
		Cluster: "east", Stage: status.Committed, Health: "Unknown", Revision: "sha256:basketeast",
		Problems: []status.ObjectProblem{{Object: "Service store/basket-web", Message: "belongs to somebody else; remove it or rename the request"}},
	})
	return b
}

func TestStatusIsATree(t *testing.T) {
	for name, args := range map[string][]string{
		"status.txt":             {"status"},
		"status_verbose.txt":     {"status", "-v"},
		"status_team.txt":        {"status", "search"},
		"status_request.txt":     {"status", "store/shop"},
		"status_environment.txt": {"status", "store", "--environment", "dev"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := transom(t, web.Options{Board: eventful()}, args...)
			require.Zero(t, code, stderr)
			matchesGolden(t, name, stdout)
		})
	}
}

func TestStatusNamesWhatHoldsAnEnvironment(t *testing.T) {
	b := status.NewBoard(time.Now)
	b.PlatformFailed("/srv/platform.git", errors.New("fetch platform: no such repository"))
	b.PlatformFrozen("commit 9f2c1ab of Ann <ann@acme.example> is not vouched for: it is not signed")
	b.Reconciled(status.Environment{Name: "prod", Frozen: "the platform's history was rewritten"}, nil)
	b.EnvironmentFailed("dev", errors.New("push refused"))
	stdout, _, code := transom(t, web.Options{Board: b}, "status")
	require.Zero(t, code)
	matchesGolden(t, "status_held.txt", stdout)
}

func TestStatusAsJSONIsWhatTheDaemonSays(t *testing.T) {
	b := eventful()
	stdout, _, code := transom(t, web.Options{Board: b}, "status", "-o", "json")
	require.Zero(t, code)
	want, err := json.Marshal(b.Status())
	require.NoError(t, err)
	require.JSONEq(t, string(want), stdout)
}

func TestStatusSaysWhatItDoesNotKnow(t *testing.T) {
	const there = " on the platform https://git.example.com/platform.git"
	away := t.TempDir() // from any platform repository, so that the daemon is asked
	for want, args := range map[string][]string{
		"no request store/none" + there + " at commit 9f2c1ab":                                           {"status", "store/none"},
		"no request store/shp" + there + ` at commit 9f2c1ab; did you mean "store/shop"?`:                {"status", "store/shp"},
		`no request search/indexr in environment prod at commit 9f2c1ab; did you mean "search/indexer"?`: {"status", "search/indexr", "-e", "prod"},
		"no request search/indexr in environment dev at commit 9f2c1ab":                                  {"status", "search/indexr", "-e", "dev"},
		"no requests of team nobody in environment prod at commit 9f2c1ab":                               {"status", "nobody", "-e", "prod"},
		`no requests of team stroe in environment dev at commit 9f2c1ab; did you mean "store"?`:          {"status", "stroe", "-e", "dev"},
		`no environment "qa"` + there:                              {"status", "-e", "qa"},
		`no environment "pord"` + there + `; did you mean "prod"?`: {"status", "--offering", "web", "-e", "pord"},
		`no environment "prd"` + there + `; did you mean "prod"?`:  {"history", "store/shop", "-e", "prd", "-C", away},
	} {
		_, stderr, code := transom(t, web.Options{Board: eventful()}, args...)
		require.Equal(t, "transom: "+want+"\n", stderr)
		require.Equal(t, 1, code)
	}
}

// TestExplainOfNoRequestSaysSoAsStatusDoes, and keeps the daemon's own answer about a request that there is.
func TestExplainOfNoRequestSaysSoAsStatusDoes(t *testing.T) {
	lost := func(context.Context, web.Question) (web.Trace, error) {
		return web.Trace{}, fmt.Errorf("there is no such file: %w", web.ErrNotFound)
	}
	for about, want := range map[string]string{
		"store/shp":  `no request store/shp in environment prod at commit 9f2c1ab; did you mean "store/shop"?`,
		"store/shop": "there is no such file: not found",
	} {
		_, stderr, code := transom(t, web.Options{Board: eventful(), Explain: lost}, "explain", about, "-e", "prod")
		require.Equal(t, "transom: "+want+"\n", stderr)
		require.Equal(t, 1, code)
	}
}

// TestStatusOfADaemonThatJustStarted says of nothing that it is not there before the daemon looked.
func TestStatusOfADaemonThatJustStarted(t *testing.T) {
	b := status.NewBoard(time.Now)
	said := func(args ...string) string {
		t.Helper()
		stdout, stderr, code := transom(t, web.Options{Board: b}, append([]string{"status"}, args...)...)
		if len(args) > 0 {
			require.Empty(t, stdout)
			require.Equal(t, 1, code)
		}
		return stdout + stderr
	}
	const unloaded = "the daemon has not loaded the platform yet\n"
	require.Contains(t, said(), "\n"+unloaded)
	require.Equal(t, "transom: no request store/shop known yet: "+unloaded, said("store/shop"))
	require.Equal(t, "transom: "+unloaded, said("-e", "prod"))

	b.Loaded("/srv/platform.git", &platform.Platform{Commit: "9f2c1ab77de0"})
	require.Contains(t, said(), "\nno environments: is this the platform repository, and its branch?")

	b.Loaded("/srv/platform.git", &platform.Platform{
		Commit: "9f2c1ab77de0", Environments: map[string]*platform.Environment{"dev": {}, "prod": {PromotesFrom: []string{"dev"}}},
	})
	const unread = "platform commit 9f2c1ab has yet to be taken in by "
	require.Contains(t, said(), "\n"+unread+"dev, prod\n")
	require.Equal(t, "transom: no request store/shop known yet: "+unread+"dev, prod\n", said("store/shop"))
	require.Equal(t, "transom: no request of offering web known yet: "+unread+"dev, prod\n", said("--offering", "web"))
	b.Reconciled(status.Environment{Name: "dev", Commit: "9f2c1ab77de0"}, nil)
	require.Equal(t, "transom: no requests of team store known yet: "+unread+"prod\n", said("store"))
	b.Reconciled(status.Environment{Name: "prod", Commit: "9f2c1ab77de0"}, nil)
	require.Equal(t, "transom: no request store/shop on the platform /srv/platform.git at commit 9f2c1ab\n", said("store/shop"))
	require.Contains(t, said(), "\nno requests: merge one")
}

func TestWhatIsNoDaemonIsToldApart(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	t.Setenv("TRANSOM_SERVER", server.URL)
	var out, told bytes.Buffer
	require.Error(t, run(t.Context(), []string{"status"}, nil, &out, &told))
	require.Equal(t, "transom: "+server.URL+"/api/v1/status?objects=unhealthy answered 404 Not Found; is it a transom daemon?\n", told.String())
}

func TestExplainPrintsTheWayBack(t *testing.T) {
	when := time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)
	o := web.Options{Board: eventful(), Explain: func(_ context.Context, q web.Question) (web.Trace, error) {
		if q.Environment != "prod" {
			return web.Trace{}, web.ErrNotFound
		}
		return web.Trace{
			Environment: q.Environment, Request: q.Request, Cluster: "east", ReleaseFile: "releases/store/shop.yaml",
			Release:     &state.Release{Digest: "sha256:aabbccddeeff", Offering: "web", Version: "1.1.0"},
			State:       web.Origin{Commit: "51ce0aa99", File: "clusters/east/store/shop.yaml", Author: "Transom <transom@transom.dev>", When: when, Subject: "prod: store/shop to web 1.1.0"},
			Platform:    web.Origin{URL: "https://git.example.com/platform.git", Commit: "9f2c1ab77de0", File: "offerings/web/1.1.0", Author: "Platform Team <platform@example.com>", When: when, Subject: "web: publish 1.1.0"},
			RequestFile: web.Origin{Commit: "77de09f2c1ab", File: "requests/store/shop.yaml", Author: "Developer <developer@example.com>", When: when, Subject: "store: ask for a shop"},
		}, nil
	}}
	stdout, stderr, code := transom(t, o, "explain", "store/shop", "-e", "prod")
	require.Zero(t, code, stderr)
	matchesGolden(t, "explain.txt", stdout)

	stdout, _, _ = transom(t, o, "explain", "store/shop", "-e", "prod", "-o", "json")
	var trace web.Trace
	require.NoError(t, json.Unmarshal([]byte(stdout), &trace))
	require.Equal(t, "51ce0aa99", trace.State.Commit)

	_, stderr, code = transom(t, o, "explain", "store/shop", "-e", "dev")
	require.Equal(t, "transom: not found\n", stderr)
	require.Equal(t, 1, code)
}
