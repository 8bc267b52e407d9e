package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestConsumerWaitsForTheHealthOfItsProviderTheFirstTimeOnly keeps R36.
func TestConsumerWaitsForTheHealthOfItsProviderTheFirstTimeOnly(t *testing.T) {
	w := settled(t, "provider")
	ill := func() { w.flapping["provider@dev-1"] = w.clock + 3*time.Minute }
	ill()
	w.requests[key("consumer")] = everywhere(1)
	w.requests[key("consumer")].binds = "provider"
	w.merge("consumer is new, and its provider not well")
	w.settle(2 * time.Minute)
	require.Empty(t, w.has("dev", "consumer"))
	require.Equal(t, []string{"binding"}, w.gates("dev", "consumer"))
	w.settle(20 * time.Minute)
	require.True(t, w.arrived(), w.late())

	ill()
	w.bump("consumer")
	w.settle(tick)
	require.Contains(t, w.has("dev", "consumer"), "p2", "an update does not wait for it")
}
