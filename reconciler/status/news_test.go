package status_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
	"transom.dev/render/platform"
)

// TestWhatTheBoardFindsIsNoNews: after a restart people are not told again of a condition that was there before, but of its end.
func TestWhatTheBoardFindsIsNoNews(t *testing.T) {
	b, _ := newBoard()
	var news []string
	b.OnEvent = func(e status.Event) {
		if e.Kind != "" && !e.Found {
			news = append(news, string(e.Kind)+" "+e.Message)
		}
	}
	wrong := platform.Problem{File: "requests/a/b.yaml", Message: "no such offering"}
	failed := status.Placement{Cluster: "one", Revision: "r1", Stage: status.Applied, Health: "Failed", Message: "crashes"}
	drifted := failed
	drifted.Drift = []status.ObjectProblem{{Object: "ConfigMap a/b", Message: "data.x"}}

	b.PlatformFailed("url", errors.New("authentication required"))
	b.Loaded("url", &platform.Platform{Commit: "c1", Problems: []platform.Problem{wrong}})
	b.ClusterSeen(status.Cluster{Name: "one", Message: "connection refused"})
	b.EnvironmentFailed("dev", errors.New("fetch: no answer"))
	e, instances := committed("r1")
	e.Problems = []platform.Problem{wrong}
	b.Reconciled(e, instances)
	b.Refused("dev", "one", "last written from elsewhere")
	b.Placed("dev", shop, drifted)
	require.Empty(t, news)

	b.Loaded("url", &platform.Platform{Commit: "c2"})
	b.ClusterSeen(status.Cluster{Name: "one", Reachable: true})
	b.ClusterSeen(status.Cluster{Name: "one", Message: "connection refused"})
	b.ClusterSeen(status.Cluster{Name: "one", Message: "no route"})
	b.Refused("dev", "one", "")
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	b.Placed("dev", shop, failed)
	b.Placed("dev", shop, drifted)
	b.Corrected("dev", shop, "one", "configured ConfigMap a/b: kubectl-edit had changed data.x")
	require.Equal(t, []string{
		"recovered mended: requests/a/b.yaml: no such offering", "cluster-back reachable", "cluster-lost not reachable: connection refused",
		"recovered the environment is written to the cluster again", "recovered Healthy", "recovered no object differs from its state any more",
		"failed Applied, Failed: crashes", "drift others changed ConfigMap a/b: data.x",
		"drift configured ConfigMap a/b: kubectl-edit had changed data.x",
	}, news)
}
