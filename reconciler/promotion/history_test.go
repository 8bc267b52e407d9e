package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
)

// release is the digest that a request of the ladder has with this parameter.
func releaseOf(name, p string) string { return name + ":1.0.0:" + p + ",dev,prod,staging" }

// leapt is a ladder whose prod was on hold while staging proved p2 and p3, and then took p3.
func leapt(t *testing.T, p3 fault) *world {
	w := settled(t, "a")
	w.faults["p3/<nil>@prod"] = p3
	hold := w.decide("prod", platform.Decision{Kind: "Hold"})
	for range 2 {
		w.bump("a")
		w.settle(8 * time.Minute)
	}
	w.undecide(hold)
	w.passes()
	require.Equal(t, releaseOf("a", "p3"), w.has("prod", "a"), "the newest that is proven")
	return w
}

// wentBack is one that p3 has failed on since.
func wentBack(t *testing.T) *world {
	w := leapt(t, fails)
	w.until(t, func() bool { return w.has("prod", "a") == releaseOf("a", "p1") })
	w.settle(10 * time.Minute)
	return w
}

// TestNothingBetweenTheRestoredReleaseAndTheRejectedOneEntersByItself keeps R3, R4, R5 and R37.
func TestNothingBetweenTheRestoredReleaseAndTheRejectedOneEntersByItself(t *testing.T) {
	k := key("a")
	for name, c := range map[string]struct {
		then func(*world)
		want string
	}{
		"nobody does anything": {func(*world) {}, "p1"},
		"an Approval readmits what failed": {func(w *world) {
			delete(w.faults, "p3/<nil>@prod")
			w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: releaseOf("a", "p3")})
		}, "p3"},
		"a Pin names the one between": {func(w *world) {
			w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: releaseOf("a", "p2")})
		}, "p2"},
		"a Pin back to what ran is removed": {func(w *world) {
			w.undecide(w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: releaseOf("a", "p1")}))
		}, "p1"},
		"a merged revert yields the one between": {func(w *world) {
			w.requests[k].p = 2
			w.merge("a goes back to p2")
		}, "p2"},
		"something newer is merged": {func(w *world) { w.bump("a") }, "p4"},
		"a record from before this was recorded": {func(w *world) {
			w.stages["prod"].releases[k].Promotion.Left = nil
		}, "p2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := wentBack(t)
			require.Equal(t, releaseOf("a", "p1"), w.has("prod", "a"), "p2 is proven, and older than what failed")
			require.Equal(t, []string{"rejected"}, w.gates("prod", "a"))
			c.then(w)
			w.settle(15 * time.Minute)
			require.Equal(t, releaseOf("a", c.want), w.has("prod", "a"))
		})
	}
}

// TestPinThatIsRemovedLetsNothingInThatIsOlderThanWhatItTookBack keeps R4 and R98.
func TestPinThatIsRemovedLetsNothingInThatIsOlderThanWhatItTookBack(t *testing.T) {
	w := leapt(t, "")
	w.settle(5 * time.Minute)
	k := key("a")
	pin := w.decide("prod", platform.Decision{Kind: "Pin", Request: &k, Release: releaseOf("a", "p1")})
	w.faults["p3/<nil>@staging"] = hangs
	w.settle(10 * time.Minute)
	require.Equal(t, releaseOf("a", "p1"), w.has("prod", "a"))
	w.undecide(pin)
	w.settle(10 * time.Minute)
	require.Equal(t, releaseOf("a", "p1"), w.has("prod", "a"), "p2 is proven, and a person took back p3 to what is older still")
	require.Equal(t, []string{"health"}, w.gates("prod", "a"), "p3 is not well in staging")
	delete(w.faults, "p3/<nil>@staging")
	w.settle(10 * time.Minute)
	require.Equal(t, releaseOf("a", "p3"), w.has("prod", "a"), "it was not rejected")
	require.Nil(t, w.stages["prod"].releases[k].Promotion.Left)
}

// TestFailureOfWhatAnEnvironmentPutsInShutsNoReleaseOut keeps R81.
func TestFailureOfWhatAnEnvironmentPutsInShutsNoReleaseOut(t *testing.T) {
	w := settled(t, "a")
	hold := w.decide("prod", platform.Decision{Kind: "Hold", Cluster: "prod-2"})
	w.bump("a")
	w.settle(10 * time.Minute)
	require.Equal(t, releaseOf("a", "p2"), w.has("prod", "a"))
	w.undecide(hold)
	w.settle(5 * time.Minute)
	w.faults["e1"] = fails
	w.putIn["prod"] = 1
	w.merge("prod puts in what fails")
	w.settle(10 * time.Minute)
	require.NotEmpty(t, w.stages["prod"].releases[key("a")].Promotion.Rejected)
	require.Nil(t, w.stages["prod"].releases[key("a")].Promotion.Left, "the release stays")
	w.putIn["prod"] = 2
	w.bump("a")
	w.settle(10 * time.Minute)
	require.True(t, w.arrived(), w.late())
}
