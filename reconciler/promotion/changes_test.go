package promotion_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// put merges another value that an environment puts into its instances.
func (w *world) put(environment string) {
	w.putIn[environment]++
	w.merge("%s puts in e%d", environment, w.putIn[environment])
}

// TestAnEnvironmentChangeWaitsForTheLastWave, which is healthy and soaks. It keeps R78.
func TestAnEnvironmentChangeWaitsForTheLastWave(t *testing.T) {
	w := judged(t, "a")
	w.environmentOf("dev").Rollout.Waves = []platform.Wave{{Name: "all", Soak: 5 * time.Minute}}
	w.bump("a")
	w.settle(startup + 2*tick)
	w.put("dev")
	w.settle(2 * time.Minute)
	require.Contains(t, w.gate("dev", "a", "rollout").Reason, "an environment change waits for the rollout under way")
	require.NotContains(t, w.liveOn("dev", "dev-1", "a"), " e1")
	w.restart()
	w.passes()
	require.NotContains(t, w.stages["dev"].releases[key("a")].Clusters["dev-1"].RenderKey, " e1", "nobody has looked yet")
	w.settle(30 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// A change of an environment is bad, and the next one mends it. It keeps R78.
func TestAnEnvironmentChangeMendsWhatIsStuck(t *testing.T) {
	for _, bad := range []fault{hangs, stuck} {
		for name, begin := range map[string]func(*world){
			"a change of the environment": func(w *world) { w.put("prod") },
			"a version": func(w *world) {
				w.publish("1.1.0")
				w.faults["1.1.0@prod"], w.faults["e1@prod"] = w.faults["e1@prod"], ""
				w.merge("1.1.0 is published")
			},
		} {
			t.Run(name+" that "+string(bad), func(t *testing.T) {
				w := judged(t, "a")
				w.faults["e1@prod"] = bad
				begin(w)
				w.until(t, func() bool { return w.stages["prod"].releases[key("a")].Promotion.Rollout != nil })
				cause := w.stages["prod"].releases[key("a")].Promotion.Rollout.Cause
				w.settle(2 * time.Minute)
				delete(w.faults, "1.1.0@prod")
				w.put("prod")
				mend := fmt.Sprintf(" e%d", w.putIn["prod"])
				w.settle(2 * tick)
				require.Contains(t, w.liveOn("prod", "prod-1", "a"), mend)
				require.NotContains(t, w.liveOn("prod", "prod-2", "a"), mend, "the first wave soaks")
				require.Equal(t, cause, w.stages["prod"].releases[key("a")].Promotion.Rollout.Cause)
				w.settle(4 * time.Minute)
				require.True(t, w.arrived(), w.late())
				require.Empty(t, w.stages["prod"].releases[key("a")].Promotion.Rejected)
			})
		}
	}
}

// An environment changes while a release soaks in its first wave: the second wave gets nothing that the first one has not had.
// It keeps R52 and R78.
func TestAnEnvironmentChangeBeginsAtTheFirstWave(t *testing.T) {
	w := judged(t, "a")
	w.bump("a")
	w.until(t, func() bool { return strings.Contains(w.liveOn("prod", "prod-1", "a"), "p2") })
	w.settle(startup + 2*tick)
	w.put("prod")
	w.settle(2 * tick)
	require.Contains(t, w.liveOn("prod", "prod-1", "a"), "p2/<nil> e1")
	w.settle(startup + 2*tick)
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "p2", "the canary has not soaked with it")
	w.settle(3 * time.Minute)
	require.True(t, w.arrived(), w.late())
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
