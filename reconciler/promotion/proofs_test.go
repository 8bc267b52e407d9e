package promotion_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestAProofIsForTheLongestSoakThatIsAskedFor keeps R19.
func TestAProofIsForTheLongestSoakThatIsAskedFor(t *testing.T) {
	w := ladder()
	w.environment("load", []string{"dev"}, func(e *platform.Environment) { e.Gates.Soak = 5 * time.Minute }, "load-1")
	w.order = []string{"dev", "staging", "load", "prod"}
	w.requests[key("a")] = &request{p: 1, in: w.order}
	w.merge("a")
	proofs := func() (soaked []string) {
		for _, proof := range w.stages["dev"].releases[key("a")].Promotion.Proven {
			soaked = append(soaked, proof.Soaked)
		}
		return soaked
	}
	w.passes()
	require.Empty(t, proofs())
	w.settle(2 * time.Minute)
	require.Equal(t, []string{"1m0s"}, proofs(), "staging asks for no more")
	w.settle(5 * time.Minute)
	require.Equal(t, []string{"5m0s"}, proofs(), "and load for that")
	w.settle(20 * time.Minute)
	require.Equal(t, []string{"5m0s"}, proofs())
	for range 12 {
		w.bump("a")
		w.settle(2 * time.Minute)
	}
	require.LessOrEqual(t, len(proofs()), 10)
}

// TestASoakThatIsOverAndNotRecordedIsToldAsThat: between the end of a soak and the commit that records it, prod waits for that commit.
func TestASoakThatIsOverAndNotRecordedIsToldAsThat(t *testing.T) {
	w := settled(t, "a")
	w.bump("a")
	w.settle(tick)
	w.until(t, func() bool { return strings.HasPrefix(w.gate("prod", "a", "soak").Reason, "soaks in staging, ") })
	w.run(w.environmentOf("prod").Gates.Soak)
	w.pass("prod", false)
	waits := w.gate("prod", "a", "soak")
	require.Equal(t, "soaked for 3m0s in staging, whose record does not say so yet", waits.Reason)
	require.Equal(t, "the next commit to the state of staging", waits.Opens)
	w.passes()
	require.NotContains(t, w.gates("prod", "a"), "soak")
}
