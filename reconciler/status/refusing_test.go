package status_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

// TestACauseCommonToManyIsAWarningOnce: an event when it comes and when it goes, however many wait meanwhile.
func TestACauseCommonToManyIsAWarningOnce(t *testing.T) {
	b := status.NewBoard(time.Now)
	told := alarms(b)
	b.Reconciled(status.Environment{Name: "dev", Clusters: []status.Cluster{{Name: "one", State: "active"}}}, nil)
	seen := status.Cluster{Name: "one", Reachable: true}
	for _, refusing := range []string{"", "3 instances wait", "100 instances wait", "99 instances wait"} {
		seen.Refusing = refusing
		b.ClusterSeen(seen)
	}
	require.Equal(t, "99 instances wait", b.Status().Environments[0].Clusters[0].Refusing)
	require.Equal(t, []string{"warning 3 instances wait"}, *told)
	seen.Refusing = ""
	b.ClusterSeen(seen)
	require.Equal(t, "warning its API server refuses several instances for one cause no more", (*told)[1])
}
