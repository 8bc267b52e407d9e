package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// failed is a ladder whose prod went back from p2 of a, which is good again by now.
func failed(t *testing.T) (w *world, good, bad string) {
	w = settled(t, "a")
	good = w.has("prod", "a")
	w.faults["p2/<nil>@prod"] = fails
	w.bump("a")
	w.settle(12 * time.Minute)
	require.Equal(t, good, w.has("prod", "a"))
	return w, good, w.has("staging", "a")
}

// TestUsedApprovalOfWhatFailedMayBeDeletedOnItsWay keeps R38.
func TestUsedApprovalOfWhatFailedMayBeDeletedOnItsWay(t *testing.T) {
	w, _, bad := failed(t)
	delete(w.faults, "p2/<nil>@prod")
	k := key("a")
	approval := w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: bad})
	w.until(t, func() bool { return w.has("prod", "a") == bad })
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "p2", "the second wave is still to come")
	w.undecide(approval)
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestApprovalReadmitsWhatFailedOnce keeps R37 and R38.
func TestApprovalReadmitsWhatFailedOnce(t *testing.T) {
	w, good, bad := failed(t)
	k := key("a")
	w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: bad})
	w.until(t, func() bool { return w.has("prod", "a") == bad })
	w.until(t, func() bool { return w.has("prod", "a") == good })
	state := w.stages["prod"].commit
	w.settle(30 * time.Minute)
	require.LessOrEqual(t, w.stages["prod"].commit, state+1, "it failed again, and the same Approval does not let it in again")
	require.Equal(t, []string{"rejected"}, w.gates("prod", "a"))
	w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: bad})
	w.until(t, func() bool { return w.has("prod", "a") == bad })
}

// TestApprovalOfAPlanIsOnRecord keeps R77.
func TestApprovalOfAPlanIsOnRecord(t *testing.T) {
	w := settled(t, "a")
	w.environmentOf("prod").Gates.Approval = "required"
	w.putIn["prod"] = 1
	w.merge("prod puts in something else")
	w.settle(tick)
	require.True(t, w.approveWaiting(w.stages["prod"]))
	w.passes()
	require.Contains(t, w.stages["prod"].releases[key("a")].Promotion.Gates, state.PassedGate{Gate: "approval", Decision: "decisions/prod/d1.yaml"})
}

// TestApprovedDeletionThatIsCalledOffAdmitsNoLaterOne keeps R51.
func TestApprovedDeletionThatIsCalledOffAdmitsNoLaterOne(t *testing.T) {
	w := settled(t, "a", "b", "c", "d")
	dev := w.environmentOf("dev")
	dev.DeletionLimit = platform.DeletionLimit{Instances: 1, Percent: 20}
	asked := map[string]*request{}
	drop := func() {
		for _, name := range []string{"a", "b", "c"} {
			asked[name] = w.requests[key(name)]
			delete(w.requests, key(name))
		}
		w.merge("three are removed")
		w.settle(tick)
	}
	always, err := platform.NewWindow("* * * * *", time.Minute, "UTC", true)
	require.NoError(t, err)
	dev.Windows = []platform.Window{always}
	drop()
	approval := w.decide("dev", platform.Decision{Kind: "Approval", Deletions: w.stages["dev"].last.Deletions})
	w.settle(tick)
	w.undecide(approval)
	for name, r := range asked {
		w.requests[key(name)] = r
	}
	w.merge("all are back before a window opened")
	w.settle(tick)
	dev.Windows = nil
	drop()
	require.NotEmpty(t, w.has("dev", "a"))
	require.NotEmpty(t, w.stages["dev"].last.Deletions, "they wait for a person again")
}
