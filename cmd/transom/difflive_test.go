package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/reconciler/web"
	"transom.dev/reconciler/web/api"
	"transom.dev/render/state"
)

// compared are the manifests of a cluster that differs in one object.
type compared struct{ web.Manifests }

func (compared) Compare(_ context.Context, at api.Placement, from, to string) (api.Comparison, error) {
	return api.Comparison{From: from, To: to, Changes: []api.Change{{
		Kind: "Deployment", Namespace: at.Request.Team, Name: "shop-web", Action: "changed", Diff: "@@ -1 +1 @@\n-replicas: 1\n+replicas: 3 # \u202e\n",
	}}}, nil
}

func TestDiffLiveShowsFieldsThatChangedAndThoseThatWereAdded(t *testing.T) {
	b := promoting()
	b.Placed("staging", shop, status.Placement{Cluster: "blue", Stage: status.Healthy, Health: state.Healthy, Revision: "b", Added: []status.Added{{
		Object: "Deployment.apps store/shop-web", Field: "spec.paused", Manager: "kubectl-edit", At: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
	}, {Object: "Deployment.apps store/shop-web", Field: "spec.strategy", Manager: "kubectl-edit"}}})
	stdout, stderr, code := transom(t, web.Options{Board: b, Manifests: compared{}}, "diff", "store/shop", "--live", "-e", "staging", "--cluster", "blue")
	require.Zero(t, code, stderr)
	require.Equal(t, `changed Deployment store/shop-web
    @@ -1 +1 @@
    -replicas: 1
    +replicas: 3 # �
Deployment.apps store/shop-web: set by hand: spec.paused by kubectl-edit at 2026-11-22T09:00:00Z
Deployment.apps store/shop-web: set by hand: spec.strategy by kubectl-edit
`, stdout)
	_, stderr, code = transom(t, web.Options{Board: b, Manifests: compared{}}, "diff", "store/shop", "--live")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "store/shop needs --environment")
	_, stderr, code = transom(t, web.Options{Board: b}, "diff", "web@1.0.0")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "diff takes two OFFERING@VERSION, or TEAM/REQUEST with --live")
}
