package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestPinKeepsAnEnvironmentAtWhatItNames keeps R41, R92 and R93.
func TestPinKeepsAnEnvironmentAtWhatItNames(t *testing.T) {
	w := settled(t, "a")
	before, bytes := w.has("prod", "a"), w.liveOn("prod", "prod-2", "a")
	w.bump("a")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), w.late())
	k := key("a")
	pin := w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: before, Reason: "slow"})
	w.decide("prod", platform.Decision{Kind: "Hold"})
	w.settle(time.Minute)
	require.Equal(t, before, w.has("prod", "a"), "a pin to what was healthy here is a rollback")
	require.Equal(t, bytes, w.liveOn("prod", "prod-2", "a"))
	require.Equal(t, []string{pin.File + ": slow"}, w.stages["prod"].last.admission.Standings[k].Debts)
	w.bump("a")
	w.settle(12 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
}

// TestHotFixInProdIsNotDowngradedByWhatStagingRuns keeps R3 and R98.
func TestHotFixInProdIsNotDowngradedByWhatStagingRuns(t *testing.T) {
	w := settled(t, "a")
	w.lost["staging-1"] = true
	w.bump("a")
	w.settle(2 * time.Minute)
	fix := w.has("dev", "a")
	k := key("a")
	pin := w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: fix})
	w.settle(3 * time.Minute)
	require.Equal(t, fix, w.has("prod", "a"))
	w.undecide(pin)
	w.settle(10 * time.Minute)
	require.Equal(t, fix, w.has("prod", "a"), "staging runs what is older")
}
