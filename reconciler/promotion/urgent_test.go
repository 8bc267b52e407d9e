package promotion_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// bound is a judged world whose consumers are bound to the request db, which tells an endpoint that is urgent or not.
func bound(t *testing.T, urgent bool, consumers ...string) *world {
	w := newWorld()
	w.claimAll(urgent)
	w.ladder()
	o := newOracle(w)
	t.Cleanup(func() { require.Empty(t, o.broken) })
	for _, name := range consumers {
		w.requests[key(name)] = everywhere(1)
		w.requests[key(name)].binds = "db"
	}
	w.requests[key("db")] = everywhere(1)
	w.trace = []string{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(w.trace, "\n"))
		}
	})
	w.merge("the platform begins")
	w.settle(25 * time.Minute)
	require.True(t, w.arrived(), w.late())
	return w
}

// failOver has the database of prod be elsewhere from now on.
func (w *world) failOver() {
	w.say("db", "prod-1", false)
	w.say("db", "prod-2", false)
}

// endpointOn is the value that a consumer has live on a cluster of prod.
func (w *world) endpointOn(cluster, name string) string {
	for _, word := range strings.Fields(w.liveOn("prod", cluster, name)) {
		if strings.HasPrefix(word, "v") {
			return word
		}
	}
	return ""
}

// TestANewValueGoesByWaves to one consumer after another, and no further than the one that fails with it. It keeps R57, R59, R76, R79 and R112.
func TestANewValueGoesByWaves(t *testing.T) {
	w := bound(t, false, "a", "b", "c")
	require.Equal(t, "v0-prod-2", w.endpointOn("prod-2", "c"), "each has the value of its own cluster")
	w.failOver()
	w.until(t, func() bool { return w.endpointOn("prod-1", "a") == "v1-prod-1" })
	r := w.stages["prod"].releases[key("a")]
	require.Equal(t, state.CauseEnvironment, r.Promotion.Rollout.Cause)
	require.Equal(t, []string{"prod-2"}, r.Promotion.Rollout.Pending, "the first wave has not soaked")
	require.Equal(t, "v0-prod-1", w.endpointOn("prod-1", "b"), "and the first consumer is not healthy yet")
	w.settle(15 * time.Minute)
	require.True(t, w.arrived(), w.late())
	require.Equal(t, "v1-prod-2", w.endpointOn("prod-2", "c"))

	w.faults["v2-prod-1/a"] = fails
	w.failOver()
	w.until(t, func() bool { return w.endpointOn("prod-1", "a") == "v2-prod-1" })
	w.settle(20 * time.Minute)
	for _, name := range []string{"a", "b", "c"} {
		require.Equal(t, "v1-prod-1", w.endpointOn("prod-1", name), "a went back, and nobody follows it")
		require.Equal(t, "v1-prod-2", w.endpointOn("prod-2", name))
	}
	require.Equal(t, "v2-prod-1", w.stages["prod"].releases[key("db")].Observed["prod-1"]["endpoint"].Value)
	require.Len(t, w.stages["prod"].releases[key("a")].Promotion.Rejected, 2)
	require.Contains(t, w.gates("prod", "a"), "rejected")
	require.Contains(t, w.gate("prod", "b", "rollout").Reason, "failed")
}

// TestAHoldHoldsANewValue whether it is urgent or not. It keeps R33 and R115.
func TestAHoldHoldsANewValue(t *testing.T) {
	for _, urgent := range []bool{false, true} {
		w := bound(t, urgent, "a")
		k := key("a")
		hold := w.decide("prod", platform.Decision{Kind: "Hold", Request: &k})
		w.failOver()
		w.settle(10 * time.Minute)
		require.Equal(t, "v0-prod-1", w.endpointOn("prod-1", "a"))
		require.Equal(t, []string{"hold"}, w.gates("prod", "a"))
		w.undecide(hold)
		w.settle(5 * time.Minute)
		require.Equal(t, "v1-prod-2", w.endpointOn("prod-2", "a"))
	}
}

// shut has the windows of prod be shut from now on, and an Approval be required.
func (w *world) shut(t *testing.T) {
	e := *w.platform.Environments["prod"]
	window, err := platform.NewWindow("0 0 1 1 *", time.Minute, "UTC", false)
	require.NoError(t, err)
	e.Windows, e.Gates.Approval = []platform.Window{window}, "required"
	w.platform.Environments["prod"] = &e
	w.merge("prod has windows, and asks for Approvals")
}

// TestAnUrgentValuePassesWindowsAndApproval, and waves as any other. It keeps R34, R77 and R115.
func TestAnUrgentValuePassesWindowsAndApproval(t *testing.T) {
	w := bound(t, true, "a")
	w.shut(t)
	w.failOver()
	w.until(t, func() bool { return w.endpointOn("prod-1", "a") == "v1-prod-1" })
	require.Equal(t, "v0-prod-2", w.endpointOn("prod-2", "a"), "the first wave has not soaked")
	passed := w.stages["prod"].releases[key("a")].Promotion.Gates
	require.Contains(t, passed, state.PassedGate{Gate: "window", Figure: "urgent"})
	require.Contains(t, passed, state.PassedGate{Gate: "approval", Figure: "urgent"})
	w.settle(5 * time.Minute)
	require.Equal(t, "v1-prod-2", w.endpointOn("prod-2", "a"))
	require.Equal(t, passed, w.stages["prod"].releases[key("a")].Promotion.Gates, "the record says it once")
	require.Empty(t, w.stages["prod"].last.admission.Plan)
	require.True(t, w.arrived(), w.late())
}

// TestTheRecordSaysThatALaterWaveWasUrgent where the first one had nothing to pass. It keeps R34, R77 and R115.
func TestTheRecordSaysThatALaterWaveWasUrgent(t *testing.T) {
	w := bound(t, true, "a")
	w.failOver()
	w.until(t, func() bool { return w.endpointOn("prod-1", "a") == "v1-prod-1" })
	urgent := []state.PassedGate{{Gate: "window", Figure: "urgent"}, {Gate: "approval", Figure: "urgent"}}
	require.NotSubset(t, w.stages["prod"].releases[key("a")].Promotion.Gates, urgent)
	w.shut(t)
	w.settle(5 * time.Minute)
	require.Equal(t, "v1-prod-2", w.endpointOn("prod-2", "a"))
	require.Subset(t, w.stages["prod"].releases[key("a")].Promotion.Gates, urgent)
	require.True(t, w.arrived(), w.late())
}

// TestAnotherValueWaitsForWindowsAndApproval as a change of the environment does. It keeps R34, R76, R77 and R115.
func TestAnotherValueWaitsForWindowsAndApproval(t *testing.T) {
	w := bound(t, false, "a")
	w.shut(t)
	w.failOver()
	w.settle(10 * time.Minute)
	require.Equal(t, "v0-prod-1", w.endpointOn("prod-1", "a"))
	require.Equal(t, "window", w.gates("prod", "a")[0])
	require.NotEmpty(t, w.stages["prod"].last.admission.Plan)
}

// TestAnUrgentValueTakesNothingElseAlong: it waits with a change of the environment that it comes beside. It keeps R115.
func TestAnUrgentValueTakesNothingElseAlong(t *testing.T) {
	w := bound(t, true, "a")
	w.shut(t)
	w.put("prod")
	w.failOver()
	w.settle(10 * time.Minute)
	require.Equal(t, "v0-prod-1", w.endpointOn("prod-1", "a"))
	require.Equal(t, "window", w.gates("prod", "a")[0])
}

// TestAValueIsUrgentOnceItsVersionSaysSo, also for consumers that had the value before. It keeps R115.
func TestAValueIsUrgentOnceItsVersionSaysSo(t *testing.T) {
	w := bound(t, false, "a")
	require.Empty(t, w.stages["prod"].releases[key("a")].Clusters["prod-1"].UrgentKey)
	bytes := w.stages["prod"].releases[key("a")].Clusters["prod-1"].RenderKey
	w.claims.urgent = true
	w.claims.observed = []platform.ObservedOutput{w.claims.observed[0]}
	w.claims.observed[0].Urgent = true
	w.publish("1.1.0")
	for name, version := range map[string]string{"a": "1.0.0", "db": "1"} {
		w.requests[key(name)].pinned = version
	}
	w.merge("1.1.0 says that the endpoint is urgent")
	w.settle(25 * time.Minute)
	require.Equal(t, "1.1.0", w.version("prod", "db"))
	placed := w.stages["prod"].releases[key("a")].Clusters["prod-1"]
	require.Equal(t, bytes, placed.RenderKey)
	require.NotEmpty(t, placed.UrgentKey)
	require.Nil(t, w.stages["prod"].releases[key("a")].Promotion.Rollout, "nothing moved")
	w.shut(t)
	w.failOver()
	w.settle(10 * time.Minute)
	require.Equal(t, "v1-prod-2", w.endpointOn("prod-2", "a"))
}

// TestAReleaseOfTheSameBytesTakesNoValueAlong past the gates that it does not pass. It keeps R6.
func TestAReleaseOfTheSameBytesTakesNoValueAlong(t *testing.T) {
	w := bound(t, false, "a")
	w.shut(t)
	w.failOver()
	w.run(time.Minute)
	w.requests[key("a")].at = map[string]string{"prod": "1"} // another release, of the same bytes
	w.merge("a chooses its version in prod")
	w.settle(10 * time.Minute)
	require.Equal(t, "v0-prod-1", w.endpointOn("prod-1", "a"))
}

// TestAReleaseOfTheSameBytesWaitsForAChangeThatWaits where rendering gave it the outputs of that: for the provider, and for no time. It keeps
// R6 and R101.
func TestAReleaseOfTheSameBytesWaitsForAChangeThatWaits(t *testing.T) {
	w := bound(t, false, "a")
	w.requests[key("a")].at = map[string]string{"prod": "1"}
	w.merge("a chooses its version in prod")
	choice := w.view("prod").Choose()
	proposals := w.render(w.stages["prod"], choice)
	require.Len(t, proposals, 1)
	for cluster, placed := range proposals[0].Next.Clusters {
		placed.RenderKey = "with another output of db"
		proposals[0].Next.Clusters[cluster] = placed
	}
	admission := choice.Admit(proposals)
	require.Same(t, proposals[0].Base, admission.Records[0])
	require.Zero(t, admission.Next)
	require.Equal(t, promotion.Waiting, admission.Standings[key("a")].State)
	require.Equal(t, "a change of shop/db comes first, and waits", admission.Standings[key("a")].Gates[0].Reason)

	db := w.stages["prod"].releases[key("db")].Clone()
	db.Observe("prod-1", "endpoint", state.Observed{Value: "another", At: w.wall()})
	choice.Records[key("db")] = db
	admission = choice.Admit(proposals)
	require.Same(t, proposals[0].Base, admission.Records[0])
	require.Equal(t, w.wall(), admission.Next, "the next pass asks the gates")
}
