package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// TestAnEnvironmentChangeWaitsForTheRolloutUnderWay keeps R78.
func TestAnEnvironmentChangeWaitsForTheRolloutUnderWay(t *testing.T) {
	begin := func(t *testing.T, bad fault, after time.Duration) *world {
		w := settled(t, "a")
		w.faults["p2/<nil>@dev"] = bad
		w.bump("a")
		w.passes()
		w.settle(after)
		w.putIn["dev"] = 1
		w.merge("dev puts in something else")
		w.passes()
		return w
	}
	t.Run("that may get well", func(t *testing.T) {
		w := begin(t, "", 0)
		require.Contains(t, w.gate("dev", "a", "rollout").Reason, "an environment change waits for the rollout under way")
		w.settle(tick)
		require.NotContains(t, w.liveOn("dev", "dev-1", "a"), " e1")
		w.settle(20 * time.Minute)
		require.True(t, w.arrived(), w.late())
	})
	t.Run("but mends what is stuck", func(t *testing.T) {
		w := begin(t, stuck, startup+tick)
		w.settle(tick)
		require.Contains(t, w.liveOn("dev", "dev-1", "a"), "p2/<nil> e1")
	})
}

// TestAChangeOfBoundOutputsIsInNoGroup keeps R79.
func TestAChangeOfBoundOutputsIsInNoGroup(t *testing.T) {
	w := settled(t, "consumer", "provider")
	w.requests[key("consumer")].binds = "provider"
	w.merge("it is bound")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), w.late())
	w.bump("provider")
	w.until(t, func() bool { return w.stages["dev"].releases[key("consumer")].Promotion.Rollout != nil })
	rollout := w.stages["dev"].releases[key("consumer")].Promotion.Rollout
	require.Equal(t, state.CauseBinding, rollout.Cause)
	require.Empty(t, rollout.Group)
}

// TestAFrozenInstanceLeavesWithoutTheChange of its environment, which a Pin keeps from it. It keeps R90.
func TestAFrozenInstanceLeavesWithoutTheChange(t *testing.T) {
	w := judged(t, "a")
	k := key("a")
	w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: w.has("prod", "a")})
	w.putIn["prod"] = 1
	w.platform.Clusters["prod-2"].State = platform.ClusterDraining
	w.merge("prod puts in something else, and prod-2 drains")
	w.settle(2 * time.Minute)
	require.Empty(t, w.liveOn("prod", "prod-2", "a"))
	require.NotContains(t, w.liveOn("prod", "prod-1", "a"), " e1")
}

// TestARollbackIsJudgedWhereItBroughtBytes keeps R73.
func TestARollbackIsJudgedWhereItBroughtBytes(t *testing.T) {
	w := settled(t, "a")
	before := w.has("prod", "a")
	w.faults["p2/<nil>@prod"] = fails
	w.bump("a")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	w.until(t, func() bool { return w.has("prod", "a") == before })
	require.Equal(t, []string{"prod-1"}, w.stages["prod"].releases[key("a")].Promotion.Rollout.Moved)
	w.sick["prod-2"] = true
	w.settle(5 * time.Minute)
	require.Nil(t, w.stages["prod"].releases[key("a")].Promotion.Rollout, "prod-2 was not touched")
}
