package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/decision"
	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// TestPinToWhatNeverRanHereWaitsForHoldsAndWindows keeps R91 and R94.
func TestPinToWhatNeverRanHereWaitsForHoldsAndWindows(t *testing.T) {
	w := settled(t, "a")
	before := w.has("prod", "a")
	w.bump("a")
	w.passes()
	k := key("a")
	hold := w.decide("prod", platform.Decision{Kind: "Hold", Request: &k})
	w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: w.has("dev", "a")})
	w.settle(time.Minute)
	require.Equal(t, before, w.has("prod", "a"), "a Pin is an approval, and no more")
	require.Equal(t, []string{"hold"}, w.gates("prod", "a"))
	w.undecide(hold)
	w.passes()
	require.Equal(t, w.has("dev", "a"), w.has("prod", "a"), "it does not wait for soak and staging")
}

// TestPinTakesBackARequestThatIsBrokenAtTheHead keeps R7 and R91.
func TestPinTakesBackARequestThatIsBrokenAtTheHead(t *testing.T) {
	w := settled(t, "a")
	before := w.has("prod", "a")
	w.bump("a")
	w.settle(12 * time.Minute)
	require.NotEqual(t, before, w.has("prod", "a"))
	k := key("a")
	w.broken[k] = true
	w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: before})
	w.passes()
	require.Equal(t, before, w.has("prod", "a"))
}

// TestPinThatIsRemovedMovesNothingPastAGate keeps R98.
func TestPinThatIsRemovedMovesNothingPastAGate(t *testing.T) {
	w := settled(t, "a")
	before := w.has("prod", "a")
	k := key("a")
	pin := w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: before})
	w.bump("a")
	w.settle(12 * time.Minute)
	w.environmentOf("prod").Gates.Approval = "required"
	w.undecide(pin)
	w.settle(5 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
	require.Equal(t, []string{"approval"}, w.gates("prod", "a"))
}

// TestADecisionWithAProblemHolds its environment, and none else, where it may be a Hold or a Pin. It keeps R35 and R116.
func TestADecisionWithAProblemHolds(t *testing.T) {
	for _, kind := range []decision.Kind{decision.Hold, decision.Pin, ""} {
		w := settled(t, "a", "b")
		before, k := w.has("prod", "a"), key("b")
		broken := w.decide("prod", platform.Decision{Kind: kind, Request: &k, Broken: true})
		w.bump("a")
		w.settle(12 * time.Minute)
		require.Equal(t, before, w.has("prod", "a"), kind)
		require.NotEqual(t, before, w.has("staging", "a"), kind)
		require.Equal(t, []string{"hold"}, w.gates("prod", "a"), kind)
		w.undecide(broken)
		w.passes()
		require.Equal(t, w.has("staging", "a"), w.has("prod", "a"), kind)
	}
	w := settled(t, "a")
	k, until := key("a"), w.wall().Add(20*time.Minute)
	w.decide("prod", platform.Decision{Kind: decision.Hold, Request: &k, Broken: true, Until: w.wall()})
	w.decide("prod", platform.Decision{Kind: decision.Pin, Request: &k, Broken: true, Until: until})
	before := w.has("prod", "a")
	w.bump("a")
	w.settle(18 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
	w.settle(4 * time.Minute)
	require.Equal(t, w.has("staging", "a"), w.has("prod", "a"), "what is over holds nothing")
	for _, kind := range []decision.Kind{decision.Approval, decision.Override} {
		w := settled(t, "a")
		k := key("a")
		w.bump("a")
		w.decide("prod", platform.Decision{Kind: kind, Request: &k, Release: w.has("dev", "a"), Skip: []gate.Name{gate.Soak}, Broken: true})
		w.settle(12 * time.Minute)
		require.Equal(t, w.has("staging", "a"), w.has("prod", "a"), kind)
	}
}

// TestHoldOfAClusterKeepsWhatItHasThere keeps R33 and R45.
func TestHoldOfAClusterKeepsWhatItHasThere(t *testing.T) {
	w := settled(t, "a", "b")
	hold := w.decide("prod", platform.Decision{Kind: "Hold", Cluster: "prod-2"})
	bytes := w.liveOn("prod", "prod-2", "a")
	w.bump("a")
	delete(w.requests, key("b"))
	w.merge("b is removed")
	w.settle(15 * time.Minute)
	require.Contains(t, w.liveOn("prod", "prod-1", "a"), "p2", "other clusters go on")
	require.Equal(t, bytes, w.liveOn("prod", "prod-2", "a"))
	require.NotEmpty(t, w.has("prod", "b"), "a removal is a release, and leaves all clusters at once")
	require.Equal(t, []string{"hold"}, w.gates("prod", "b"))
	w.decide("prod", platform.Decision{Kind: "Override", Request: &[]platform.RequestKey{key("a")}[0], Skip: []gate.Name{gate.Hold}})
	w.settle(time.Minute)
	require.Contains(t, w.liveOn("prod", "prod-2", "a"), "p2", "an Override skips that hold as any other")
	w.undecide(hold)
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestHoldIsInForceFromAndUntilItsTimes keeps R35 and R101.
func TestHoldIsInForceFromAndUntilItsTimes(t *testing.T) {
	w := settled(t, "a")
	from, until := w.wall().Add(20*time.Minute), w.wall().Add(40*time.Minute)
	w.decide("prod", platform.Decision{Kind: "Hold", From: from, Until: until})
	w.bump("a")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), "it is not in force yet: %s", w.late())
	w.run(from.Sub(w.wall()) - 10*time.Minute)
	w.bump("a")
	before := w.has("prod", "a")
	w.run(10 * time.Minute)
	w.passes()
	w.settle(15 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"), "from the very moment on")
	w.skew = time.Hour
	w.passes()
	require.Equal(t, before, w.has("prod", "a"), "a clock that was set ends no hold")
	require.Equal(t, until.Add(time.Hour), w.stages["prod"].last.admission.Next, "and there is nothing to do until both clocks say that it ended")
	w.skew = 0
	w.run(until.Sub(w.wall()))
	w.passes()
	require.NotEqual(t, before, w.has("prod", "a"))
}

// TestOverrideEndsAtItsTime keeps R31, R35 and R40.
func TestOverrideEndsAtItsTime(t *testing.T) {
	w := settled(t, "a")
	w.environmentOf("prod").Gates.Approval = "required"
	w.decide("prod", platform.Decision{Kind: "Override", Offering: "web", Skip: []gate.Name{gate.Approval}, Until: w.wall().Add(10 * time.Minute)})
	w.bump("a")
	w.settle(9 * time.Minute)
	require.Contains(t, w.has("prod", "a"), "p2")
	w.settle(10 * time.Minute)
	require.Empty(t, w.stages["prod"].last.admission.Standings, "it is no debt any more")
	w.bump("a")
	w.settle(10 * time.Minute)
	require.Contains(t, w.has("prod", "a"), "p2")
	require.Equal(t, []string{"approval"}, w.gates("prod", "a"))
}

// TestNewestReplacesWhatSoaksWhereAnEnvironmentSaysSo keeps R28.
func TestNewestReplacesWhatSoaksWhereAnEnvironmentSaysSo(t *testing.T) {
	for replace, want := range map[string]string{"oldest": "p2", "newest": "p3"} {
		t.Run(replace, func(t *testing.T) {
			w := settled(t, "a")
			w.environmentOf("staging").Gates.Replace = replace
			w.bump("a")
			w.until(t, func() bool { return w.has("staging", "a") == "a:1.0.0:p2,dev,prod,staging" })
			w.bump("a")
			w.settle(2*time.Minute + 20*time.Second)
			require.Contains(t, w.has("staging", "a"), want)
		})
	}
}

// TestSecurityPatchDoesNotWaitForWhatItsOverrideOvertakes keeps R30.
func TestSecurityPatchDoesNotWaitForWhatItsOverrideOvertakes(t *testing.T) {
	w := settled(t, "a")
	w.environmentOf("staging").Gates.Soak = 0
	w.environmentOf("prod").Gates.Soak = time.Hour
	w.bump("a")
	w.settle(time.Minute)
	require.Contains(t, w.has("staging", "a"), "p2", "and it soaks there for an hour")
	w.publish("1.0.1")
	w.merge("a security patch")
	w.settle(2 * time.Minute)
	require.Equal(t, "1.0.0", w.version("staging", "a"))
	w.decide("prod", platform.Decision{Kind: "Override", Offering: "web", Version: "1.0.1", Skip: []gate.Name{gate.Soak}})
	w.settle(3 * time.Minute)
	require.Equal(t, "1.0.1", w.version("prod", "a"))
}
