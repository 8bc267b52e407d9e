package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestSickClusterIsToldFromASickVersion keeps R68.
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

// TestLostClusterWaitsAndNeverFails keeps R27.
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

// TestPausedAndJoiningClustersCountNowhere keeps R18, R24 and R25.
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

// TestClusterThatJoinsWithAReleaseCountsNowhere as one does that joins while nothing else changes. It keeps R25 and R83.
func TestClusterThatJoinsWithAReleaseCountsNowhere(t *testing.T) {
	w := settled(t, "a")
	w.join("dev", "dev-2")
	w.faults["p2/<nil>@dev-2"] = fails
	w.bump("a")
	w.settle(10 * time.Minute)
	r := w.stages["dev"].releases[key("a")]
	require.Empty(t, r.Promotion.Rejected)
	require.Contains(t, w.liveOn("dev", "dev-2", "a"), " p2/")
	require.True(t, r.Clusters["dev-2"].Joining)
	require.Equal(t, w.has("dev", "a"), w.has("prod", "a"))
}

// TestClusterThatJoinsAndIsHeldDelaysOnlyItself while the environment changes. It keeps R83.
func TestClusterThatJoinsAndIsHeldDelaysOnlyItself(t *testing.T) {
	w := settled(t, "a")
	w.decide("dev", platform.Decision{Kind: "Hold", Cluster: "dev-2"})
	w.join("dev", "dev-2")
	w.merge("dev-2 joins")
	w.settle(time.Minute)
	require.Equal(t, []string{"hold"}, w.gates("dev", "a"))
	w.putIn["dev"]++
	w.merge("dev puts in something else")
	w.settle(time.Minute)
	require.Contains(t, w.liveOn("dev", "dev-1", "a"), " e1 ")
	require.Empty(t, w.liveOn("dev", "dev-2", "a"))
}

// TestClusterThatComesBackWhileItsRolloutIsOpenIsInItOnce and counts once among those that move side by side. It keeps R84.
func TestClusterThatComesBackWhileItsRolloutIsOpenIsInItOnce(t *testing.T) {
	w := settled(t, "a")
	w.bump("a")
	w.passes()
	w.vanish("dev-1")
	w.passes()
	w.comeBack("dev-1")
	w.passes()
	require.Equal(t, []string{"dev-1"}, w.stages["dev"].releases[key("a")].Promotion.Rollout.Moved)
	w.settle(10 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestWhatWasHealthyOnAClusterThatWasLetGoIsRemembered so that a failure after it is back does not go back further.
// It keeps R72.
func TestWhatWasHealthyOnAClusterThatWasLetGoIsRemembered(t *testing.T) {
	w := settled(t, "a")
	w.bump("a")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), w.late())
	had := w.has("dev", "a")
	w.vanish("dev-1")
	w.settle(time.Minute)
	w.faults["p2/<nil>@dev-1"] = fails
	w.comeBack("dev-1")
	w.settle(10 * time.Minute)
	r := w.stages["dev"].releases[key("a")]
	require.Equal(t, had, r.Digest)
	require.NotEmpty(t, r.Promotion.Rollout.Stopped, "there is nothing else to go back to")
}

// TestRolloutWhoseClustersWereLetGoIsJudgedByWhatIsLeft and not taken for healthy. It keeps R74.
func TestRolloutWhoseClustersWereLetGoIsJudgedByWhatIsLeft(t *testing.T) {
	w := settled(t, "a")
	w.join("dev", "dev-2")
	w.faults["p2/<nil>@dev"] = hangs
	w.bump("a")
	w.settle(time.Minute)
	require.Equal(t, []string{"dev-1"}, w.stages["dev"].releases[key("a")].Promotion.Rollout.Moved)
	w.vanish("dev-1")
	w.settle(time.Minute)
	require.NotNil(t, w.stages["dev"].releases[key("a")].Promotion.Rollout, "it was healthy nowhere")
	w.faults = map[string]fault{}
	w.settle(10 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestStoppedRolloutGoesOnOnceApprovedThoughItsClusterWasLetGo since nobody can get well there any more.
// It keeps R67, R70 and R74.
func TestStoppedRolloutGoesOnOnceApprovedThoughItsClusterWasLetGo(t *testing.T) {
	w := settled(t, "a")
	w.environmentOf("prod").Rollout.OnFailure = "stop"
	w.faults["p2/<nil>@prod-1"] = fails
	w.bump("a")
	w.until(t, func() bool { return w.stages["prod"].releases[key("a")].Promotion.Rollout != nil })
	w.settle(time.Minute)
	require.NotEmpty(t, w.stages["prod"].releases[key("a")].Promotion.Rollout.Stopped)
	w.vanish("prod-1")
	w.settle(time.Minute)
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), " p2/")
	k := key("a")
	w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: w.has("prod", "a")})
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}
