package promotion_test

import (
	"strings"
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

// A release takes the place of one that soaks in the first wave, and renders the same bytes. It keeps R52.
func TestAReleaseWithTheBytesOfTheCanaryWaitsForIt(t *testing.T) {
	w := judged(t, "a")
	w.environmentOf("prod").Gates.Replace, w.environmentOf("prod").Gates.Unproven = "newest", "allow"
	w.bump("a")
	w.until(t, func() bool { return strings.Contains(w.liveOn("prod", "prod-1", "a"), "p2") })
	first := w.has("prod", "a")
	w.requests[key("a")].at = map[string]string{"dev": "1.0.0"}
	w.merge("a chooses its version in dev")
	w.settle(startup)
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "p2", "the canary has just become healthy")
	w.settle(20 * time.Minute)
	require.NotEqual(t, first, w.has("prod", "a"))
	require.True(t, w.arrived(), w.late())
}
