package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

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
	w.settle(2 * time.Minute)
	require.Empty(t, w.has("dev", "consumer")+w.has("dev", "provider"))
}

func TestEnvironmentThatIsDroppedFromARequestIsARemovalThere(t *testing.T) {
	w := settled(t, "a")
	w.requests[key("a")].in = []string{"dev", "staging"}
	w.merge("a is not in prod any more")
	w.passes()
	require.NotEmpty(t, w.has("prod", "a"), "staging has not taken that yet")
	w.settle(8 * time.Minute)
	require.Empty(t, w.has("prod", "a"))
	require.NotEmpty(t, w.has("staging", "a"))
	require.True(t, w.arrived(), w.late())
}

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

func TestRequestWithAProblemIsNotRemoved(t *testing.T) {
	w := settled(t, "a")
	w.broken[key("a")] = true
	w.merge("a has a Problem")
	w.settle(10 * time.Minute)
	for _, environment := range w.order {
		require.NotEmpty(t, w.has(environment, "a"))
	}
}
