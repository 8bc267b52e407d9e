package promotion_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestAWaveTakesSoManyClustersAtATime keeps R53.
func TestAWaveTakesSoManyClustersAtATime(t *testing.T) {
	w := ladder()
	w.join("prod", "prod-3")
	w.environmentOf("prod").Rollout.Waves[1].MaxConcurrent = "1"
	settle(t, w, "a")
	w.faults["p2/<nil>@prod-2"] = hangs
	w.bump("a")
	w.until(t, func() bool { return strings.Contains(w.liveOn("prod", "prod-2", "a"), "p2") })
	w.settle(2 * time.Minute)
	r := w.stages["prod"].releases[key("a")]
	require.Equal(t, []string{"prod-3"}, r.Promotion.Rollout.Pending)
	require.Contains(t, w.stages["prod"].last.admission.Standings[key("a")].Gates[0].Reason, "1 of wave rest on their way")
	delete(w.faults, "p2/<nil>@prod-2")
	w.settle(3 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestAHoldSaysWhy keeps R33.
func TestAHoldSaysWhy(t *testing.T) {
	w := settled(t, "a")
	w.decide("prod", platform.Decision{Kind: "Hold", Reason: "the books are closed"})
	w.bump("a")
	w.settle(12 * time.Minute)
	require.Contains(t, w.stages["prod"].last.admission.Standings[key("a")].Gates[0].Reason, ": the books are closed")
}

// TestAPinEndsAtItsTime keeps R35 and R98.
func TestAPinEndsAtItsTime(t *testing.T) {
	w := settled(t, "a")
	before, k := w.has("prod", "a"), key("a")
	w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: before, Until: w.wall().Add(30 * time.Minute)})
	w.bump("a")
	w.settle(25 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
	w.settle(20 * time.Minute)
	require.True(t, w.arrived(), w.late())
}
