package status_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

// TestACredentialThatEndsIsAWarningOnce: an event when it comes and when it goes, and counted as long as it is there.
func TestACredentialThatEndsIsAWarningOnce(t *testing.T) {
	b := status.NewBoard(time.Now)
	told := alarms(b)
	expires := time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	seen := status.Cluster{Name: "one", Reachable: true, Version: "v1.36.3"}
	seen.Credential = status.Credential{User: "robot", Source: "one.kubeconfig", Expires: expires}
	b.Reconciled(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one", State: "active"}}}, nil)
	b.ClusterSeen(seen)
	require.Zero(t, b.Warned())
	seen.Credential.Warning = "the credential expires"
	b.ClusterSeen(seen)
	b.ClusterSeen(seen)
	require.Equal(t, 1, b.Warned())
	seen.Credential.Warning = ""
	b.ClusterSeen(seen)
	require.Equal(t, []string{"warning the credential expires", "warning nothing is wrong with its credential any more"}, *told)

	b.ClusterSeen(status.Cluster{Name: "one", Message: "connection refused"})
	now := b.Status().Environments[0].Clusters[0]
	require.Equal(t, "v1.36.3", now.Version)
	require.Equal(t, seen.Credential, now.Credential, "the way to a cluster that is away stays known")
}
