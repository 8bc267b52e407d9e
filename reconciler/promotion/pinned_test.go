package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// TestAPinToAReleaseKeepsTheEnvironmentsChangesFromIt keeps R95.
func TestAPinToAReleaseKeepsTheEnvironmentsChangesFromIt(t *testing.T) {
	w := settled(t, "a")
	k := key("a")
	pin := w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: w.has("prod", "a")})
	w.putIn["prod"] = 1
	w.merge("prod puts in something else")
	w.settle(5 * time.Minute)
	require.NotContains(t, w.liveOn("prod", "prod-1", "a"), " e1")
	require.Equal(t, []string{"pin"}, w.gates("prod", "a"))
	w.undecide(pin)
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestAPinToWhatNobodyKnowsChangesNothing keeps R96.
func TestAPinToWhatNobodyKnowsChangesNothing(t *testing.T) {
	w := settled(t, "a")
	before, k := w.has("prod", "a"), key("a")
	pin := w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: "nobody"})
	w.bump("a")
	w.settle(15 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
	gate := w.gate("prod", "a", "pin")
	require.Contains(t, gate.Reason, "which nothing here knows")
	require.Equal(t, "whoever changes or removes "+pin.File, gate.Opens)
}

// TestAPinThatFailedIsNotUndoneAndALaterOneReadmits keeps R67 and R97.
func TestAPinThatFailedIsNotUndoneAndALaterOneReadmits(t *testing.T) {
	w := settled(t, "a")
	good, k := w.has("prod", "a"), key("a")
	w.faults["p2/<nil>@prod"] = fails
	w.bump("a")
	w.passes()
	bad := w.has("dev", "a")
	pin := w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: bad})
	w.settle(10 * time.Minute)
	require.Equal(t, bad, w.has("prod", "a"))
	require.Contains(t, w.stages["prod"].releases[k].Promotion.Rollout.Stopped, "a pin is not undone")

	back := w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: good})
	w.undecide(pin)
	w.settle(5 * time.Minute)
	require.Equal(t, good, w.has("prod", "a"))
	w.platform.Decisions = append(w.platform.Decisions, pin)
	w.undecide(back)
	w.settle(5 * time.Minute)
	require.Equal(t, good, w.has("prod", "a"), "it was in force when that failed")
	require.Contains(t, w.gates("prod", "a"), "rejected")

	delete(w.faults, "p2/<nil>@prod")
	w.undecide(pin)
	w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: bad})
	w.settle(5 * time.Minute)
	require.Equal(t, bad, w.has("prod", "a"))
	require.Nil(t, w.stages["prod"].releases[k].Promotion.Rollout)
}

// TestAPinOfAVersionGoesBeforeARangeOfTheRequest keeps R99.
func TestAPinOfAVersionGoesBeforeARangeOfTheRequest(t *testing.T) {
	w := choosesInProd(t)
	w.settle(15 * time.Minute)
	require.Equal(t, "1.1.0", w.version("prod", "a"))
	k := key("a")
	w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Version: "1.0.0"})
	w.settle(5 * time.Minute)
	require.Equal(t, "1.0.0", w.version("prod", "a"))
}
