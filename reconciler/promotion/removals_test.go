package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// TestRemovalLeavesDevFirstAndProdLast keeps R42, R43, R46 and R50.
func TestRemovalLeavesDevFirstAndProdLast(t *testing.T) {
	w := settled(t, "a", "b")
	delete(w.requests, key("a"))
	w.merge("a is removed")
	w.passes()
	require.Empty(t, w.has("dev", "a"))
	require.NotEmpty(t, w.has("staging", "a"))
	w.settle(3 * time.Minute)
	require.Empty(t, w.has("staging", "a"))
	require.NotEmpty(t, w.has("prod", "a"), "its removal soaks in staging")
	w.settle(4 * time.Minute)
	require.NotContains(t, w.stages["prod"].releases, key("a"))
	w.settle(time.Minute)
	require.NotContains(t, w.stages["dev"].releases, key("a"), "and is forgotten when nothing downstream runs it")
}

// TestEarlierRemovalProvesNothingOfALaterOne although both remove the same release, and have the same digest therefore.
// It keeps R49.
func TestEarlierRemovalProvesNothingOfALaterOne(t *testing.T) {
	w := settled(t, "a")
	hold := w.decide("staging", platform.Decision{Kind: "Hold"})
	asked := w.requests[key("a")]
	delete(w.requests, key("a"))
	w.merge("a is removed")
	w.settle(5 * time.Minute)
	require.Empty(t, w.has("dev", "a"), "its removal soaks, and is proven")
	w.requests[key("a")] = asked
	w.merge("a is asked for again")
	w.settle(5 * time.Minute)
	require.NotEmpty(t, w.has("dev", "a"))
	delete(w.requests, key("a"))
	w.merge("a is removed again")
	w.passes()
	require.Empty(t, w.has("dev", "a"))
	w.undecide(hold)
	w.settle(20 * time.Second)
	require.NotEmpty(t, w.has("staging", "a"), "the second removal has not soaked in dev yet")
	w.settle(4 * time.Minute)
	require.Empty(t, w.has("staging", "a"))
}

// TestConfirmedDeletionNeedsAnApprovalOfTheRemoval keeps R44.
func TestConfirmedDeletionNeedsAnApprovalOfTheRemoval(t *testing.T) {
	w := settled(t, "a")
	w.platform.Offerings["web"].Deletion = platform.DeletionConfirm
	delete(w.requests, key("a"))
	w.merge("a is removed")
	w.settle(5 * time.Minute)
	require.NotEmpty(t, w.has("dev", "a"))
	require.True(t, w.approveWaiting(w.stages["dev"]))
	w.settle(time.Minute)
	require.Empty(t, w.has("dev", "a"))
	require.NotEmpty(t, w.has("staging", "a"), "each environment asks for its own")
}

// TestMassDeletionWaitsAlone keeps R51.
func TestMassDeletionWaitsAlone(t *testing.T) {
	w := settled(t, "a", "b", "c", "d")
	w.environmentOf("dev").DeletionLimit = platform.DeletionLimit{Instances: 1, Percent: 20}
	for _, name := range []string{"a", "b", "c"} {
		delete(w.requests, key(name))
	}
	w.bump("d")
	w.settle(time.Minute)
	require.NotEmpty(t, w.has("dev", "a"))
	require.Contains(t, w.has("dev", "d"), "p2", "all else goes on")
	require.NotEmpty(t, w.stages["dev"].last.Deletions)
	w.decide("dev", platform.Decision{Kind: "Approval", Deletions: w.stages["dev"].last.Deletions})
	w.settle(time.Minute)
	require.Empty(t, w.has("dev", "a")+w.has("dev", "b")+w.has("dev", "c"))
}

// TestProviderIsRemovedAfterItsConsumers keeps R47.
func TestProviderIsRemovedAfterItsConsumers(t *testing.T) {
	w := settled(t, "consumer", "provider")
	w.requests[key("consumer")].binds = "provider"
	w.merge("it is bound")
	w.settle(10 * time.Minute)
	delete(w.requests, key("provider"))
	w.merge("the provider is removed")
	w.settle(time.Minute)
	require.NotEmpty(t, w.has("dev", "provider"))
	require.Contains(t, w.gates("dev", "provider"), "binding")
	delete(w.requests, key("consumer"))
	w.merge("and so is its consumer")
	for range 3 {
		w.pass("dev", false)
	}
	require.Empty(t, w.has("dev", "consumer"))
	require.NotEmpty(t, w.has("dev", "provider"), "the consumer's pruning is not confirmed")
	w.settle(2 * time.Minute)
	require.Empty(t, w.has("dev", "consumer")+w.has("dev", "provider"))
}

// TestRemovalPassesTheSameGatesHoweverItIsAskedFor by a file that is deleted, or an environment that is dropped from its list.
// Where nothing before the environment goes without the request, its removal is unproven as any other change of it alone.
// It keeps R43 and R44.
func TestRemovalPassesTheSameGatesHoweverItIsAskedFor(t *testing.T) {
	deleted := func(w *world) { delete(w.requests, key("a")) }
	dropped := func(w *world) { w.requests[key("a")].in = []string{"dev", "staging"} }
	changed := func(w *world) { w.requests[key("a")].in, w.requests[key("a")].p = []string{"dev", "staging"}, 2 }
	fromStagingOn := func(w *world) { w.requests[key("a")].in = []string{"dev"} }
	for name, c := range map[string]struct {
		remove   func(*world)
		gates    platform.Gates
		override bool
		reason   string // empty: nobody has to approve it in prod
	}{
		"deleted":                                 {remove: deleted},
		"deleted where all is approved":           {remove: deleted, gates: platform.Gates{Approval: "required"}, reason: "as all that changes in prod"},
		"deleted past an Override":                {remove: deleted, gates: platform.Gates{Approval: "required"}, override: true},
		"dropped":                                 {remove: dropped, reason: "no environment before prod has been well without it"},
		"dropped with a change":                   {remove: changed, reason: "no environment before prod has been well without it"},
		"dropped where all is approved":           {remove: dropped, gates: platform.Gates{Approval: "required"}, reason: "no environment before prod has been well without it"},
		"dropped past an Override":                {remove: dropped, override: true, reason: "no environment before prod has been well without it"},
		"dropped where unproven is allowed":       {remove: dropped, gates: platform.Gates{Unproven: "allow"}},
		"dropped, allowed, where all is approved": {remove: dropped, gates: platform.Gates{Unproven: "allow", Approval: "required"}, reason: "as all that changes in prod"},
		"dropped from staging, too":               {remove: fromStagingOn},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, "a")
			had := w.has("prod", "a")
			prod := w.environmentOf("prod")
			prod.Gates.Approval, prod.Gates.Unproven = c.gates.Approval, c.gates.Unproven
			w.environmentOf("staging").Gates.Unproven = "allow"
			if c.override {
				w.decide("prod", platform.Decision{Kind: "Override", Offering: "web", Skip: []gate.Name{gate.Approval}})
			}
			c.remove(w)
			w.merge("a is not in prod any more")
			w.pass("prod", false)
			require.Contains(t, w.gates("prod", "a"), "health", "nothing before has taken that yet")
			w.settle(12 * time.Minute)
			if c.reason != "" {
				require.Equal(t, had, w.has("prod", "a"))
				gates := w.stages["prod"].last.admission.Standings[key("a")].Gates
				require.Len(t, gates, 1)
				require.Contains(t, gates[0].Reason, "its removal needs an Approval")
				require.Contains(t, gates[0].Reason, c.reason)
				require.Contains(t, gates[0].Opens, "an Approval in decisions/prod of {request: shop/a, release: sha256:")
				require.True(t, w.approveWaiting(w.stages["prod"]))
				w.settle(time.Minute)
			}
			require.Empty(t, w.has("prod", "a"))
			require.True(t, w.arrived(), w.late())
		})
	}
}

// TestRemovalThatIsUnderWayUpstreamIsWaitedFor keeps R43.
func TestRemovalThatIsUnderWayUpstreamIsWaitedFor(t *testing.T) {
	w := settled(t, "a")
	delete(w.requests, key("a"))
	w.merge("a is removed")
	w.decide("staging", platform.Decision{Kind: "Hold"})
	w.settle(10 * time.Minute)
	require.NotEmpty(t, w.has("staging", "a"))
	require.Equal(t, []string{"health"}, w.gates("prod", "a"), "nobody is asked to approve what staging will prove")
}

// TestProviderWaitsForWhatMayReturnToIt keeps R47.
func TestProviderWaitsForWhatMayReturnToIt(t *testing.T) {
	w := settled(t, "consumer", "other", "provider")
	w.requests[key("consumer")].binds = "provider"
	w.merge("it is bound")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), w.late())
	w.environmentOf("prod").Gates.Soak = 0
	w.requests[key("consumer")].binds = "other"
	w.requests[key("consumer")].p = 2
	delete(w.requests, key("provider"))
	w.merge("it is bound to another, and its provider is removed")
	w.until(t, func() bool { return w.stages["prod"].releases[key("consumer")].Request.Bindings["to"] == "other" })
	w.decide("prod", platform.Decision{Kind: "Hold", Cluster: "prod-2", Until: w.wall().Add(20 * time.Minute)})
	w.settle(10 * time.Minute)
	require.NotEmpty(t, w.has("prod", "provider"), "prod-2 has the bytes that are bound to it")
	require.Contains(t, w.gates("prod", "provider"), "binding")
	w.settle(20 * time.Minute)
	require.Empty(t, w.has("prod", "provider"))
}

// TestRequestWithAProblemIsNotRemoved keeps R7.
func TestRequestWithAProblemIsNotRemoved(t *testing.T) {
	w := settled(t, "a")
	w.broken[key("a")] = true
	w.merge("a has a Problem")
	w.settle(10 * time.Minute)
	for _, environment := range w.order {
		require.NotEmpty(t, w.has(environment, "a"))
	}
}

// TestWhatIsOnItsWayOutNeedsNoVersion keeps R8: the last request of an offering goes together with it, and nobody is asked to mend
// anything where it still runs.
func TestWhatIsOnItsWayOutNeedsNoVersion(t *testing.T) {
	w := settled(t, "a")
	delete(w.requests, key("a"))
	w.platform.Offerings["web"].Versions = nil
	w.merge("a is removed, and its version")
	w.passes()
	require.NotEmpty(t, w.has("prod", "a"))
	require.NotContains(t, w.gates("prod", "a"), "problem")
	w.settle(20 * time.Minute)
	require.Empty(t, w.has("prod", "a"))
}
