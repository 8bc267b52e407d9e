package promotion_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// TestClusterThatAVersionLeavesServesUntilTheCanaryIsWell and as before once the canary has failed. It keeps R85 and R88.
func TestClusterThatAVersionLeavesServesUntilTheCanaryFails(t *testing.T) {
	w := judged(t, "a")
	before := w.stages["prod"].releases[key("a")]
	w.place("1.1.0", "prod-2")
	w.faults["1.1.0@prod"] = fails
	w.merge("1.1.0 is not for prod-2, and fails in prod")
	w.until(t, func() bool { return w.has("prod", "a") != before.Digest })
	require.Equal(t, before.Clusters["prod-2"].RenderKey, w.stages["prod"].releases[key("a")].Clusters["prod-2"].RenderKey)
	require.Equal(t, before.Digest, w.stages["prod"].releases[key("a")].Clusters["prod-2"].Release, "it says of what release that is")
	require.Contains(t, w.gate("prod", "a", "leave").Reason, "leaves prod-2 last, after all others: prod-1 does not have it yet")
	for range 60 {
		w.settle(tick)
		require.Contains(t, w.liveOn("prod", "prod-2", "a"), "1.0.0")
	}
	r := w.stages["prod"].releases[key("a")]
	require.Equal(t, before.Clusters, r.Clusters)
	require.NotEmpty(t, r.Promotion.Rejected)
	require.Nil(t, r.Promotion.Rollout)
}

// TestClusterThatAVersionLeavesGoesAfterTheOthersSoaked keeps R75 and R85.
func TestClusterThatAVersionLeavesGoesAfterTheOthersSoaked(t *testing.T) {
	w := judged(t, "a")
	before := w.has("prod", "a")
	w.place("1.1.0", "prod-2")
	w.merge("1.1.0 is not for prod-2")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	entered := w.clock
	w.until(t, func() bool { return len(w.stages["prod"].releases[key("a")].Clusters) == 1 })
	require.GreaterOrEqual(t, w.clock-entered, startup+time.Minute, "the wave of prod-1 soaks for a minute")
	require.Nil(t, w.stages["prod"].releases[key("a")].Promotion.Rollout)
	require.True(t, w.arrived(), w.late())
}

// TestClusterThatTakesOverIsWellBeforeAnotherIsLeft for every cause that moves an instance from one to the other. It keeps R85.
func TestClusterThatTakesOverIsWellBeforeAnotherIsLeft(t *testing.T) {
	for name, move := range map[string]func(w *world){
		"a label":    func(w *world) { w.platform.Clusters["dev-1"].Labels["environment"] = "" },
		"a selector": func(w *world) { w.passOver("dev", "dev-1") },
		"a drain":    func(w *world) { w.platform.Clusters["dev-1"].State = platform.ClusterDraining },
	} {
		t.Run(name, func(t *testing.T) {
			w := judged(t, "a")
			w.join("dev", "dev-2")
			move(w)
			w.sick["dev-2"] = true
			w.merge("dev moves to dev-2")
			w.settle(10 * time.Minute)
			require.NotEmpty(t, w.liveOn("dev", "dev-1", "a"))
			w.sick["dev-2"] = false
			w.settle(2 * time.Minute)
			if w.stages["dev"].releases[key("a")].Promotion.Rejected == nil {
				require.Empty(t, w.liveOn("dev", "dev-1", "a"))
				require.NotEmpty(t, w.liveOn("dev", "dev-2", "a"))
			}
		})
	}
}

// TestDrainingClusterWaitsForTheHealthOfTheOthers keeps R85.
func TestDrainingClusterWaitsForTheHealthOfTheOthers(t *testing.T) {
	w := judged(t, "a", "b")
	w.flapping["a@prod-1"] = w.clock + 5*time.Minute
	w.settle(tick)
	w.platform.Clusters["prod-2"].State = platform.ClusterDraining
	w.merge("prod-2 drains")
	w.settle(time.Minute)
	require.NotEmpty(t, w.liveOn("prod", "prod-2", "a"))
	require.Empty(t, w.liveOn("prod", "prod-2", "b"), "its only neighbour is well")
	require.Equal(t, []string{"leave"}, w.gates("prod", "a"))
	w.settle(10 * time.Minute)
	require.Empty(t, w.liveOn("prod", "prod-2", "a"))
}

// TestClusterThatIsLeftNamesTheOneThatSoaksLongest of all that soak. It keeps R85.
func TestClusterThatIsLeftNamesTheOneThatSoaksLongest(t *testing.T) {
	w := judged(t, "a")
	w.join("prod", "prod-3")
	w.merge("prod-3 joins")
	waves := w.environmentOf("prod").Rollout.Waves
	waves[0].Soak, waves[1].Soak = 10*time.Minute, 5*time.Minute
	w.settle(15 * time.Minute)
	for _, cluster := range []string{"prod-1", "prod-3"} {
		w.flapping["a@"+cluster] = w.clock + time.Minute
	}
	w.settle(2 * time.Minute)
	w.platform.Clusters["prod-2"].State = platform.ClusterDraining
	w.merge("prod-2 drains")
	w.settle(tick)
	require.Contains(t, w.gate("prod", "a", "leave").Reason, "prod-1 soaks")
	w.settle(5 * time.Minute)
	require.NotEmpty(t, w.liveOn("prod", "prod-2", "a"), "prod-3 has soaked, and prod-1 has not")
	w.settle(5 * time.Minute)
	require.Empty(t, w.liveOn("prod", "prod-2", "a"))
}

// TestClusterThatDrainsNowWaitsForAnApprovalAlone and not for the health of others. It keeps R86.
func TestClusterThatDrainsNowWaitsForAnApprovalAlone(t *testing.T) {
	w := judged(t, "a")
	w.environmentOf("prod").Gates.Approval = "required"
	w.sick["prod-1"] = true
	w.flee("prod-2")
	w.settle(time.Minute)
	require.NotEmpty(t, w.liveOn("prod", "prod-2", "a"))
	want := state.DeletionsDigest("prod", []state.DeletedPlacement{{Cluster: "prod-2", Team: "shop", Request: "a"}})
	require.Equal(t, want, w.stages["prod"].last.Deletions)
	require.Contains(t, w.gate("prod", "a", "leave").Opens, "an Approval of {deletions: "+want+"}")
	w.decide("prod", platform.Decision{Kind: "Approval", Deletions: want})
	w.settle(tick)
	require.Empty(t, w.stages["prod"].releases[key("a")].Clusters["prod-2"], "it is the approval of that change too")
	w.settle(time.Minute)
	require.Empty(t, w.liveOn("prod", "prod-2", "a"))
	require.Empty(t, w.stages["prod"].last.Deletions)
	require.Empty(t, w.stages["prod"].releases[key("a")].Promotion.Admitted)
}

// TestRollbackComesBackToAClusterThatWasLeftMeanwhile because an Override did not let it wait. It keeps R86 and R88.
func TestRollbackComesBackToAClusterThatWasLeftMeanwhile(t *testing.T) {
	w := judged(t, "a")
	before := w.stages["prod"].releases[key("a")]
	w.decide("prod", platform.Decision{Kind: "Override", Offering: "web", Version: "1.1.0", Skip: []gate.Name{gate.Leave}})
	w.place("1.1.0", "prod-2")
	w.faults["1.1.0@prod"] = fails
	w.merge("1.1.0 is not for prod-2, and fails in prod")
	w.until(t, func() bool { return w.has("prod", "a") != before.Digest })
	require.NotContains(t, w.stages["prod"].releases[key("a")].Clusters, "prod-2", "a person said so")
	w.settle(5 * time.Minute)
	require.Equal(t, before.Clusters, w.stages["prod"].releases[key("a")].Clusters)
	require.Contains(t, w.liveOn("prod", "prod-2", "a"), "1.0.0")
}

// TestClusterThatIsLeftAndDoesNotAnswerKeepsNoRolloutOpen keeps R75.
func TestClusterThatIsLeftAndDoesNotAnswerKeepsNoRolloutOpen(t *testing.T) {
	w := settled(t, "a")
	w.lost["prod-2"] = true
	w.place("1.1.0", "prod-2")
	w.merge("1.1.0 is not for prod-2")
	w.settle(15 * time.Minute)
	require.True(t, w.arrived(), w.late())
	require.NotEmpty(t, w.liveOn("prod", "prod-2", "a"))
	w.lost["prod-2"] = false
	w.settle(tick)
	require.Empty(t, w.liveOn("prod", "prod-2", "a"))
}

// TestLeavingIsApprovedWithTheRelease and not asked about again. It keeps R87.
func TestLeavingIsApprovedWithTheRelease(t *testing.T) {
	w := settled(t, "a")
	w.environmentOf("prod").Gates.Approval = "required"
	before := w.has("prod", "a")
	w.place("1.1.0", "prod-2")
	w.merge("1.1.0 is not for prod-2")
	approval := w.decide("prod", platform.Decision{Kind: "Approval", Offering: "web", Version: "1.1.0"})
	w.until(t, func() bool { return w.has("prod", "a") != before })
	w.undecide(approval)
	w.settle(15 * time.Minute)
	require.True(t, w.arrived(), w.late())
	require.Empty(t, w.stages["prod"].releases[key("a")].Promotion.Admitted)
}

// TestDeletionLimitCountsWhatGoesNow and not the placements that wait for the last wave. It keeps R51 and R87.
func TestDeletionLimitCountsWhatGoesNow(t *testing.T) {
	w := judged(t, "a", "b", "c")
	w.environmentOf("prod").DeletionLimit = platform.DeletionLimit{Instances: 1, Percent: 10}
	w.flapping["a@prod-1"], w.flapping["b@prod-1"] = w.clock+3*time.Minute, w.clock+3*time.Minute
	w.settle(tick)
	w.platform.Clusters["prod-2"].State = platform.ClusterDraining
	w.merge("prod-2 drains")
	w.settle(time.Minute)
	require.Empty(t, w.liveOn("prod", "prod-2", "c"))
	require.Empty(t, w.stages["prod"].last.Deletions)
	w.settle(10 * time.Minute)
	require.NotEmpty(t, w.liveOn("prod", "prod-2", "a"), "two at once are too many")
	require.NotEmpty(t, w.stages["prod"].last.Deletions)
	require.True(t, w.approveWaiting(w.stages["prod"]))
	w.settle(time.Minute)
	require.Empty(t, w.liveOn("prod", "prod-2", "a"))
	require.Empty(t, w.liveOn("prod", "prod-2", "b"))
}

// gate is the reason why a gate is closed for an instance, and its opener.
func (w *world) gate(environment, name, gate string) (found struct{ Reason, Opens string }) {
	gates := w.stages[environment].last.admission.Standings[key(name)].Gates
	var told []string
	for _, g := range gates {
		told = append(told, string(g.Name))
		if string(g.Name) == gate {
			found.Reason, found.Opens = g.Reason, g.Opens
		}
	}
	if !slices.Contains(told, gate) {
		found.Reason = "there is only " + strings.Join(told, ", ")
	}
	return found
}
