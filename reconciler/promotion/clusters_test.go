package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

func TestSickClusterIsToldFromASickVersion(t *testing.T) {
	w := settled(t, "a", "b", "c")
	before := w.has("prod", "a")
	w.bump("a")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	w.sick["prod-1"] = true
	w.settle(10 * time.Minute)
	require.Empty(t, w.stages["prod"].releases[key("a")].Promotion.Rejected)
	require.Contains(t, w.gates("prod", "a"), "health")
	w.sick["prod-1"] = false
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

func TestLostClusterWaitsAndNeverFails(t *testing.T) {
	w := settled(t, "a", "b")
	w.lost["prod-1"] = true
	w.bump("a")
	w.settle(time.Hour)
	r := w.stages["prod"].releases[key("a")]
	require.Empty(t, r.Promotion.Rejected)
	require.Equal(t, []string{"prod-2"}, r.Promotion.Rollout.Pending, "the second wave needs the first")
	w.lost["prod-1"] = false
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

func TestPausedAndJoiningClustersCountNowhere(t *testing.T) {
	w := settled(t, "a")
	w.platform.Clusters["staging-1"].State = platform.ClusterPaused
	w.bump("a")
	w.settle(10 * time.Minute)
	require.NotEqual(t, w.has("dev", "a"), w.has("prod", "a"), "staging has no cluster that counts: it proves nothing")
	require.Contains(t, w.gates("prod", "a"), "health")
	w.join("staging", "staging-2")
	w.faults["p2/<nil>@staging-2"] = hangs
	w.platform.Clusters["staging-1"].State = platform.ClusterActive
	w.merge("staging-1 is back, and staging-2 joins and is never healthy")
	w.settle(10 * time.Minute)
	require.Equal(t, w.has("dev", "a"), w.has("prod", "a"))
}
