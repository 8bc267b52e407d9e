package status_test

import (
	"errors"
	"slices"
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

// The order of instances is the same whichever came and went, also where as many came as went.
func TestTheOrderOfInstancesIsTheirs(t *testing.T) {
	b, _ := newBoard()
	for _, names := range [][]string{{"b", "d"}, {"d", "a"}, {"c", "a", "d"}, {"c", "a", "d"}, {"c"}, {}, {"z", "y"}} {
		e, all := committed("r1")
		var now []status.Instance
		for _, name := range names {
			in := all[0]
			in.Placements = nil
			in.Request.Name = name
			now = append(now, in)
		}
		b.Reconciled(e, now)
		var seen []string
		for _, in := range b.Status().Instances {
			seen = append(seen, in.Request.Name)
		}
		slices.Sort(names)
		require.ElementsMatch(t, names, seen)
		require.IsIncreasing(t, append([]string{""}, append(seen, "~")...))
	}
}
