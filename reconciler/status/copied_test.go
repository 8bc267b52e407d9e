package status_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/status"
)

// TestAStatusIsCopiedOncePerChange: thousands who ask while nothing changes share one, and nobody gets an old one.
func TestAStatusIsCopiedOncePerChange(t *testing.T) {
	b, _ := newBoard()
	b.Reconciled(committed("r1"))
	require.Equal(t, status.Committed, placement(b).Stage)
	require.Zero(t, testing.AllocsPerRun(100, func() { b.Status() }))
	require.Zero(t, testing.AllocsPerRun(100, func() { b.History() }))
	before := b.History()
	b.Placed("dev", shop, status.Placement{Cluster: "one", Revision: "r1", Stage: status.Healthy, Health: "Healthy"})
	require.Equal(t, status.Healthy, placement(b).Stage)
	require.Len(t, b.History(), len(before)+1)
	b.ClusterSeen(status.Cluster{Name: "one", Message: "gone"})
	require.EqualValues(t, "Unknown", placement(b).Health)
	for _, why := range []string{"no such file", "the token is refused"} {
		b.ForgeTold("statuses", errors.New(why))
		require.Equal(t, why, b.Status().Platform.Forge["statuses"])
	}
}
