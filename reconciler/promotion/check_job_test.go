package promotion_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/gate"
	"transom.dev/render/inquiry"
	"transom.dev/render/platform"
)

// run is the run that a check by Jobs of prod asks for about a request.
func (w *world) runOf(t *testing.T, name string) inquiry.Run {
	t.Helper()
	for k, r := range w.parties.jobs {
		if k.environment == "prod" && k.Request == key(name) {
			run, err := inquiry.ParseRun(r.run)
			require.NoError(t, err)
			return run
		}
	}
	return inquiry.Run{}
}

// passedIn is the figure of the check that a release passed into prod.
func (w *world) passedCheck(name string) string {
	for _, g := range w.stages["prod"].releases[key(name)].Promotion.Gates {
		if g.Gate == gate.Check {
			return g.Figure
		}
	}
	return ""
}

// TestAReleaseEntersOnceItsJobPassesBefore: the Job runs beside the release in the environment before, at its revision, while it soaks
// there. One that fails keeps the release out, and does nothing to where it ran. It keeps R109.
func TestAReleaseEntersOnceItsJobPassesBefore(t *testing.T) {
	w := judged(t, "a")
	w.smoking("prod")
	before := w.has("prod", "a")
	w.faults["p2/<nil>@staging"] = errs
	w.bump("a")
	w.until(t, func() bool { return len(w.parties.jobs) > 0 })
	run := w.runOf(t, "a")
	require.Equal(t, inquiry.Run{Asker: "prod", Check: "smoke", Dir: smokeDir, Team: "shop", Request: "a", Placements: []inquiry.Placement{{
		Environment: "staging", Cluster: "staging-1", Revision: w.stages["staging"].releases[key("a")].Clusters["staging-1"].Observed(),
	}}}, run)
	w.settle(20 * time.Minute)
	require.Equal(t, before, w.has("prod", "a"))
	require.Equal(t, []string{"check"}, w.gates("prod", "a"))
	require.Equal(t, "check smoke does not pass: on staging-1: answers 500", w.gate("prod", "a", "check").Reason)
	require.Equal(t, "the next answer of Job checks/smoke, or an Override that skips check/smoke", w.gate("prod", "a", "check").Opens)
	require.Equal(t, w.has("dev", "a"), w.has("staging", "a"), "nothing is taken back where it ran")
	require.Empty(t, w.stages["staging"].releases[key("a")].Promotion.Rejected)

	delete(w.faults, "p2/<nil>@staging")
	w.settle(10 * time.Minute)
	require.True(t, w.arrived(), w.late())
	require.Equal(t, "smoke: passed", w.passedCheck("a"))
}

// TestAnOverrideSkipsAJob by its name, and one of another check does not. It keeps R104 and R109.
func TestAnOverrideSkipsAJob(t *testing.T) {
	w := judged(t, "a")
	w.smoking("prod")
	w.faults["p2/<nil>@staging"] = errs
	k := key("a")
	other := w.decide("prod", platform.Decision{Kind: "Override", Request: &k, Skip: []gate.Name{gate.CheckNamed("budget")}})
	w.bump("a")
	w.settle(20 * time.Minute)
	require.Equal(t, []string{"check"}, w.gates("prod", "a"))
	w.undecide(other)
	w.decide("prod", platform.Decision{Kind: "Override", Request: &k, Skip: []gate.Name{gate.CheckNamed("smoke")}})
	w.settle(20 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestAVersionWithoutTheDirectoryIsNotAsked, and the record says so once. It keeps R109.
func TestAVersionWithoutTheDirectoryIsNotAsked(t *testing.T) {
	w := judged(t, "a")
	w.smoking("prod")
	w.platform.Offerings["web"].Versions[0].Files = fstest.MapFS{}
	w.bump("a")
	w.settle(20 * time.Minute)
	require.True(t, w.arrived(), w.late())
	require.Contains(t, w.passedCheck("a"), "smoke: nothing to ask, ")
	require.Contains(t, w.passedCheck("a"), " has no checks/smoke")
	require.Empty(t, w.parties.jobs)
}

// TestAJobThatCannotRunKeepsTheGateShut, as where the cluster before does not answer, and another release goes on. It keeps R109.
func TestAJobThatCannotRunKeepsTheGateShut(t *testing.T) {
	w := judged(t, "a", "b")
	w.smoking("prod")
	w.bump("a")
	w.until(t, func() bool { return len(w.parties.jobs) > 0 })
	w.lost["staging-1"] = true
	w.settle(20 * time.Minute)
	require.NotEmpty(t, w.gates("prod", "a"))
	w.lost = map[string]bool{}
	w.bump("b")
	w.settle(30 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestAPassedJobIsTrueOfItsReleaseAlone: a release of which it passed may enter after the environment before has moved on, and one of which
// none passed may not. It keeps R109.
func TestAPassedJobIsTrueOfItsReleaseAlone(t *testing.T) {
	w := judged(t, "a")
	w.smoking("prod")
	k := key("a")
	hold := w.decide("prod", platform.Decision{Kind: "Hold", Request: &k})
	w.bump("a")
	w.settle(10 * time.Minute)
	passed := w.has("staging", "a")
	w.faults["p3/<nil>@staging"] = errs
	w.bump("a")
	w.settle(10 * time.Minute)
	require.NotEqual(t, passed, w.has("staging", "a"))
	w.undecide(hold)
	w.settle(10 * time.Minute)
	require.Equal(t, passed, w.has("prod", "a"), "%v", w.gates("prod", "a"))
	require.Equal(t, "check smoke does not pass: on staging-1: answers 500", w.gate("prod", "a", "check").Reason)
}
