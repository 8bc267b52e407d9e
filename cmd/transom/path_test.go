package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/cmd/transom/internal/workspace"
	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// promoting is a board on which a release is on its way: proven in dev, in its first wave in staging, and waiting for
// prod, where another failed. Times are hours away, so that they read the same whenever the test runs.
func promoting() *status.Board {
	now := time.Now()
	at := now.Add(-3*time.Hour - time.Minute)
	b := status.NewBoard(func() time.Time { return at })
	b.Loaded("https://git.example.com/platform.git", &platform.Platform{Commit: "9f2c1ab77de0"})
	place := func(cluster, revision string) status.Placement {
		return status.Placement{Cluster: cluster, Revision: revision, Stage: status.Committed, Health: "Unknown"}
	}
	instance := func(environment, version, release string, placements ...status.Placement) status.Instance {
		return status.Instance{Environment: environment, Request: shop, Offering: "web", Version: version, Release: release, Placements: placements}
	}
	dev := instance("dev", "1.2.0", "sha256:3fb1c0d77", place("dev", "d"))
	dev.Proven = []status.Proof{{Release: "sha256:3fb1c0d77", Version: "1.2.0", Soaked: "30m0s"}}
	staging := instance("staging", "1.2.0", "sha256:3fb1c0d77", place("blue", "b"), place("green", "g"))
	staging.PromotedFrom = []string{"dev"}
	staging.Gates = []state.PassedGate{
		{Gate: "soak", Figure: "30m0s in dev"},
		{Gate: "approval", Decision: "decisions/staging/web-1-2-0.yaml", Commit: "77de0aa12345", Author: "Developer <developer@example.com>"},
	}
	staging.Rollout = &status.Rollout{Cause: "version", Entered: at, Pending: []string{"green"}}
	staging.Placements[1].Release, staging.Placements[1].Version = "sha256:aa11bb2", "1.1.0"
	prod := instance("prod", "1.1.0", "sha256:aa11bb2", place("east", "e"))
	prod.Candidate = &status.Candidate{Release: "sha256:3fb1c0d7777777777777777777777777777777777777777777777777777777aa", Version: "1.2.0", Commit: "9f2c1ab77de0"}
	prod.Skipped = 2
	prod.Waiting = []status.Gate{
		{Name: "soak", Reason: "12m of 2h in staging", Since: at, Opens: "health in staging"},
		{Name: "approval", Reason: "nobody approved web 1.2.0", Since: at, Opens: "an Approval in decisions/prod"},
	}
	prod.Rejected = []status.Failure{{
		Release: "sha256:bad0000", Version: "1.1.9", Cluster: "east", Object: "Deployment shop-web", Message: "pod x: CrashLoopBackOff", At: at,
	}}
	prod.Debts = []string{"decisions/prod/pin-store-shop.yaml pins it to 1.1.0 until it is removed: \"slow\""}
	clusters := func(names ...string) (list []status.Cluster) {
		for i, name := range names {
			list = append(list, status.Cluster{Name: name, State: "active", Wave: []string{"canary", "rest"}[i]})
		}
		return list
	}
	b.Reconciled(status.Environment{Name: "prod", Commit: "9f2c1ab77de0", PromotesFrom: []string{"staging"}, Clusters: clusters("east")}, []status.Instance{prod})
	b.Reconciled(status.Environment{Name: "staging", Commit: "9f2c1ab77de0", PromotesFrom: []string{"dev"}, Clusters: clusters("blue", "green")}, []status.Instance{staging})
	b.Reconciled(status.Environment{Name: "dev", Commit: "9f2c1ab77de0", Clusters: clusters("dev")}, []status.Instance{dev})
	for _, name := range []string{"dev", "blue", "green", "east"} {
		b.ClusterSeen(status.Cluster{Name: name, Reachable: true})
	}
	healthy := func(environment, cluster, revision string) {
		b.Placed(environment, shop, status.Placement{Cluster: cluster, Stage: status.Healthy, Health: "Healthy", Revision: revision})
	}
	healthy("dev", "dev", "d")
	healthy("staging", "blue", "b")
	healthy("staging", "green", "g")
	healthy("prod", "east", "e")
	return b
}

func TestStatusShowsTheWayThroughEnvironments(t *testing.T) {
	for name, args := range map[string][]string{
		"path.txt":         {"status", "store/shop"},
		"path_short.txt":   {"status"},
		"path_skew.txt":    {"status", "--offering", "web"},
		"path_stopped.txt": {"status", "-e", "prod"},
	} {
		t.Run(name, func(t *testing.T) {
			b := promoting()
			if name == "path_stopped.txt" {
				e, in := b.Status().Environments[2], b.Status().Instances[2]
				in.Rollout = &status.Rollout{Cause: "rollback", Stopped: "the rollback failed too"}
				e.Deletions = "sha256:" + strings.Repeat("0", 64)
				b.Reconciled(e, []status.Instance{in})
			}
			stdout, stderr, code := transom(t, web.Options{Board: b}, args...)
			require.Zero(t, code, stderr)
			matchesGolden(t, name, stdout)
		})
	}
}

// TestAWaveSaysWhereTheReleaseFailed, and not only that a cluster has it.
func TestAWaveSaysWhereTheReleaseFailed(t *testing.T) {
	b := promoting()
	b.Placed("staging", shop, status.Placement{Cluster: "blue", Stage: status.Applied, Health: state.Failed, Revision: "b", Message: "CrashLoopBackOff"})
	stdout, stderr, code := transom(t, web.Options{Board: b}, "status", "store/shop", "-e", "staging")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "wave canary: blue has it, failed; wave rest: green waits")
}

func TestSkewOfAnOfferingThatNobodyRequests(t *testing.T) {
	_, stderr, code := transom(t, web.Options{Board: promoting()}, "status", "--offering", "wbe")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, `no requested offering "wbe"; did you mean "web"? There are: web`)
}

// clone is a platform repository that decisions can be written into.
func clone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"environments/prod.yaml": "apiVersion: transom.dev/v1alpha1\nkind: Environment\nmetadata: {name: prod}\nspec:\n" +
			"  state: {url: ../state.git}\n  clusters: {matchLabels: {environment: prod}}\n",
	} {
		require.NoError(t, workspace.WriteFile(filepath.Join(dir, name), []byte(text)))
	}
	return dir
}

func TestPromoteApprovesWhatTheDaemonSaysWaits(t *testing.T) {
	dir := clone(t)
	stdout, stderr, code := transom(t, web.Options{Board: promoting()}, "promote", "store/shop", "-e", "prod", "-C", dir)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "wrote decisions/prod/store-shop-3fb1c0d.yaml: approve 3fb1c0d of store/shop\n")
	require.Contains(t, stdout, "note: it also waits for soak: 12m of 2h in staging\n")
	content, err := os.ReadFile(filepath.Join(dir, "decisions/prod/store-shop-3fb1c0d.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(content), "# release 3fb1c0d, web 1.2.0, of platform commit 9f2c1ab\n")
	require.Contains(t, string(content), "  release: sha256:3fb1c0d77777")
}

// TestPromoteKnowsATeamThatHasNoRequestAnyMore: its last removal waits, and the platform has no folder of that name.
func TestPromoteKnowsATeamThatHasNoRequestAnyMore(t *testing.T) {
	stdout, stderr, code := transom(t, web.Options{Board: promoting()}, "promote", "store", "-e", "prod", "-C", clone(t), "--print")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `- {request: store/shop, release: "sha256:3fb1c0d`)
	_, stderr, code = transom(t, web.Options{Board: promoting()}, "promote", "web", "-e", "prod", "-C", clone(t))
	require.Equal(t, 1, code)
	require.Contains(t, stderr, `"web" is neither TEAM/REQUEST nor OFFERING@VERSION, nor a team that has requests: nothing of web waits for an Approval in prod`)
}

func TestPromoteSaysThatNothingWaits(t *testing.T) {
	b := promoting()
	e, in := b.Status().Environments[2], b.Status().Instances[2]
	in.Candidate, in.Waiting = nil, nil
	b.Reconciled(e, []status.Instance{in})
	_, stderr, code := transom(t, web.Options{Board: b}, "promote", "store/shop", "-e", "prod", "-C", clone(t))
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "nothing of store/shop waits for prod, which runs release aa11bb2, web 1.1.0; --release names another")
}
