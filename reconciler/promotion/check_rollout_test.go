package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
)

// triedWith is a ladder in whose prod a check of rollouts has to pass for a minute, with a version that answers with errors.
func triedWith(t *testing.T, f fault) *world {
	t.Helper()
	w := settled(t, "a")
	w.trying("prod", time.Minute)
	w.faults["p2/<nil>@prod"] = f
	return w
}

// stateOf is the word for the situation of an instance; empty: it rests.
func (w *world) stateOf(environment, name string) string {
	if s := w.stages[environment].last.admission.Standings[key(name)]; s != nil {
		return s.State
	}
	return ""
}

// TestAReadyReleaseThatACheckCondemnsIsTakenBack and rejected like one that never became ready; the clusters after the first wave do not
// get it. It keeps R106.
func TestAReadyReleaseThatACheckCondemnsIsTakenBack(t *testing.T) {
	w := triedWith(t, errs)
	before := w.has("prod", "a")
	w.bump("a")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	bad := w.has("prod", "a")
	w.until(t, func() bool { return len(w.gates("prod", "a")) > 0 && w.gates("prod", "a")[0] == "check" })
	require.Contains(t, w.gate("prod", "a", "check").Reason, "check answers does not pass on prod-1, and fails the rollout, ")
	require.Equal(t, "the next answer of https://slo.example.com, or an Override that skips check/answers", w.gate("prod", "a", "check").Opens)
	w.settle(10 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
	r := w.stages["prod"].releases[key("a")]
	require.Nil(t, r.Promotion.Rollout)
	require.Len(t, r.Promotion.Rejected, 2)
	require.Equal(t, bad, r.Promotion.Rejected[0].Release)
	require.Contains(t, r.Promotion.Rejected[0].Message, "prod-1: Failed: check answers does not pass: answers 500 (for 1m0s, and first at ")
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "p2")
	require.Equal(t, []string{"rejected"}, w.gates("prod", "a"))
}

// TestARolloutEndsOnceItsChecksHavePassed on each cluster, and the record has the figures. It keeps R106.
func TestARolloutEndsOnceItsChecksHavePassed(t *testing.T) {
	w := triedWith(t, "")
	w.platform.Environments["prod"].Rollout.Waves[0].Soak = 0
	w.bump("a")
	w.until(t, func() bool { return len(w.gates("prod", "a")) > 0 && w.gates("prod", "a")[0] == "check" })
	w.settle(2 * tick)
	require.Contains(t, w.gate("prod", "a", "check").Reason, "check answers passes on prod-1, ")
	w.settle(8 * time.Minute)
	require.True(t, w.arrived(), w.late())
	passed := w.stages["prod"].releases[key("a")].Promotion.Gates
	require.Equal(t, gate.Check, passed[len(passed)-1].Gate)
	require.Contains(t, passed[len(passed)-1].Figure, "answers: answers 200, for 1m")
}

// TestAPartyThatIsSilentFailsNoRollout and delays it no longer than a release may take that does not become healthy. It keeps R107.
func TestAPartyThatIsSilentFailsNoRollout(t *testing.T) {
	w := triedWith(t, errs)
	w.silence("prod", true)
	before := w.has("prod", "a")
	w.bump("a")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	began := w.clock
	w.settle(2 * time.Minute)
	require.Contains(t, w.gate("prod", "a", "check").Reason, "check answers has no answer about prod-1, and is not waited for any longer, ")
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "p2")
	w.until(t, func() bool { return w.stages["prod"].releases[key("a")].Promotion.Rollout == nil })
	require.Greater(t, w.clock-began, 5*time.Minute)
	require.Less(t, w.clock-began, 15*time.Minute)
	require.Empty(t, w.stages["prod"].releases[key("a")].Promotion.Rejected)
	passed := w.stages["prod"].releases[key("a")].Promotion.Gates
	require.Regexp(t, "^answers: no answer for .*, and not waited for any longer$", passed[len(passed)-1].Figure)
}

// TestAStoppedRolloutNeedsAnAnswer before it may count as healthy after all. It keeps R107.
func TestAStoppedRolloutNeedsAnAnswer(t *testing.T) {
	w := triedWith(t, errs)
	e := w.platform.Environments["prod"]
	e.Rollout.OnFailure, e.Rollout.Waves = "stop", nil
	w.bump("a")
	w.until(t, func() bool { return w.stateOf("prod", "a") == "Stopped" })
	w.silence("prod", true)
	w.settle(20 * time.Minute)
	require.Equal(t, "Stopped", w.stateOf("prod", "a"))
	w.silence("prod", false)
	w.faults = nil
	w.settle(5 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestAnOverrideSkipsACheckOfRollouts by the name of the check. It keeps R104.
func TestAnOverrideSkipsACheckOfRollouts(t *testing.T) {
	w := triedWith(t, errs)
	k := key("a")
	w.decide("prod", platform.Decision{Kind: "Override", Request: &k, Skip: []gate.Name{gate.CheckNamed("answers")}, Reason: "the answers are meant"})
	w.bump("a")
	w.settle(20 * time.Minute)
	require.True(t, w.arrived(), w.late())
	passed := w.stages["prod"].releases[key("a")].Promotion.Gates
	require.Equal(t, gate.Check, passed[len(passed)-1].Gate)
	require.NotEmpty(t, passed[len(passed)-1].Decision)
}

// TestACheckThatDoesNotPassLetsAMendIn before the rollout has failed for it. It keeps R29.
func TestACheckThatDoesNotPassLetsAMendIn(t *testing.T) {
	w := triedWith(t, errs)
	w.platform.Environments["prod"].Rollout.Checks[0].For = time.Hour
	before := w.has("prod", "a")
	w.bump("a")
	w.until(t, func() bool { return w.has("prod", "a") != before })
	w.bump("a")
	w.settle(10 * time.Minute)
	require.Contains(t, w.has("prod", "a"), ":p3,")
}

// TestARollbackIsNotTried nor is a Pin: during an outage of whoever is asked nothing keeps people from the way back. It keeps R106.
func TestARollbackIsNotTried(t *testing.T) {
	w := triedWith(t, fails)
	w.faults["p1/<nil>@prod"] = errs
	w.bump("a")
	w.settle(20 * time.Minute)
	r := w.stages["prod"].releases[key("a")]
	require.Nil(t, r.Promotion.Rollout)
	require.Equal(t, "p1", w.liveOn("prod", "prod-1", "a")[8:10])
}
