package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestAClusterInNoWaveWaitsForOne keeps R54.
func TestAClusterInNoWaveWaitsForOne(t *testing.T) {
	w := settled(t, "a")
	waves := w.environmentOf("prod").Rollout.Waves
	w.environmentOf("prod").Rollout.Waves = waves[:1]
	w.bump("a")
	w.settle(20 * time.Minute)
	require.Contains(t, w.liveOn("prod", "prod-1", "a"), "p2")
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "p2")
	require.Contains(t, w.gate("prod", "a", "rollout").Reason, "prod-2 is in no wave of environments/prod.yaml")
	w.environmentOf("prod").Rollout.Waves = waves
	w.merge("prod-2 is in a wave")
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestAWaveWithoutACountingClusterIsPassedOver keeps R56.
func TestAWaveWithoutACountingClusterIsPassedOver(t *testing.T) {
	w := settled(t, "a")
	w.platform.Clusters["prod-1"].State = platform.ClusterPaused
	w.bump("a")
	w.settle(10 * time.Minute)
	require.Contains(t, w.liveOn("prod", "prod-2", "a"), "p2")
}
