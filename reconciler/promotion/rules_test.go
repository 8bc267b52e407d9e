package promotion_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/gate"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// settled is a ladder on which these requests have arrived in prod; its trace is told where the test fails.
func settled(t *testing.T, names ...string) *world { return settle(t, ladder(), names...) }

// judged is settled, and checked against the rules of promotion from its beginning until the test ends.
func judged(t *testing.T, names ...string) *world {
	w := ladder()
	o := newOracle(w)
	t.Cleanup(func() { require.Empty(t, o.broken) })
	return settle(t, w, names...)
}

func settle(t *testing.T, w *world, names ...string) *world {
	w.trace = []string{}
	t.Cleanup(func() {
		if t.Failed() {
			for _, line := range w.trace {
				t.Log(line)
			}
		}
	})
	for _, name := range names {
		w.requests[key(name)] = everywhere(1)
	}
	w.merge("the platform begins")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), w.late())
	return w
}

// bump merges a change of a request.
func (w *world) bump(name string) {
	w.requests[key(name)].p++
	w.merge("%s has p%d", name, w.requests[key(name)].p)
}

// until lets time pass until something is so.
func (w *world) until(t *testing.T, is func() bool) {
	for end := w.clock + time.Hour; !is(); w.settle(tick) {
		require.Less(t, w.clock, end, "it does not come to that")
	}
}

// gates are the names of the gates that an instance waits for.
func (w *world) gates(environment, name string) (gates []string) {
	if s := w.stages[environment].last.admission.Standings[key(name)]; s != nil {
		for _, g := range s.Gates {
			gates = append(gates, string(g.Name))
		}
	}
	return gates
}

// has is the digest of the release that an environment runs.
func (w *world) has(environment, name string) string {
	if r := w.stages[environment].releases[key(name)]; r != nil && !r.Absent {
		return r.Digest
	}
	return ""
}

func (w *world) environmentOf(name string) *platform.Environment {
	return w.platform.Environments[name]
}

// TestVersionApprovalAdmitsTheVersionStepAlone keeps R31 and R32.
func TestVersionApprovalAdmitsTheVersionStepAlone(t *testing.T) {
	w := settled(t, "same", "changed")
	w.environmentOf("prod").Gates.Approval = "required"
	w.environmentOf("prod").Rollout.Instances.First = 2
	w.publish("1.1.0")
	w.requests[key("changed")].p = 2
	w.merge("1.1.0, and one request changes a parameter with it")
	w.settle(20 * time.Minute)
	opens := func(name string) string { return w.stages["prod"].last.admission.Standings[key(name)].Gates[0].Opens }
	require.Contains(t, opens("same"), "}, or of {offering: web, version: 1.1.0}")
	require.NotContains(t, opens("changed"), "offering", "that would not do")
	w.decide("prod", platform.Decision{Kind: "Approval", Offering: "web", Version: "1.1.0"})
	w.settle(20 * time.Minute)
	require.Equal(t, "1.1.0", w.version("prod", "same"))
	require.Equal(t, "1.0.0", w.version("prod", "changed"), "its parameter was not approved")
	require.Equal(t, []string{"approval"}, w.gates("prod", "changed"))

	k := key("changed")
	approval := w.decide("prod", platform.Decision{Kind: "Approval", Request: &k, Release: w.has("staging", "changed")})
	w.passes()
	require.Equal(t, "1.1.0", w.version("prod", "changed"))
	require.Contains(t, w.stages["prod"].releases[k].Promotion.Gates, state.PassedGate{Gate: "approval", Decision: approval.File})
	w.undecide(approval)
	w.settle(4 * time.Minute)
	require.True(t, w.arrived(), "a used Approval may be deleted: %s", w.late())
}

// TestUnprovenReleaseNeedsAnApprovalOfExactlyIt keeps R13 and R14.
func TestUnprovenReleaseNeedsAnApprovalOfExactlyIt(t *testing.T) {
	w := settled(t, "a")
	w.requests[key("a")].own = map[string]int{"prod": 7}
	w.merge("a change of prod alone")
	w.settle(5 * time.Minute)
	require.NotEqual(t, w.has("staging", "a"), w.has("prod", "a"), "nothing before prod can prove it")
	require.Equal(t, []string{"approval"}, w.gates("prod", "a"))
	w.environmentOf("prod").Gates.Approval = "required"
	w.passes()
	require.Equal(t, []string{"approval"}, w.gates("prod", "a"), "one Approval does for both rules, so it is asked for once")
	require.True(t, w.approveWaiting(w.stages["prod"]), "the gate says what to approve")
	w.settle(3 * time.Minute)
	require.True(t, w.arrived(), w.late())

	w.environmentOf("prod").Gates.Approval = ""
	w.environmentOf("prod").Gates.Unproven = "allow"
	w.requests[key("a")].own = map[string]int{"prod": 8}
	w.merge("another")
	w.settle(3 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestGatesNameReleasesAsPeopleDo keeps R12 and R28: people are told of versions, with the first digits of a digest.
func TestGatesNameReleasesAsPeopleDo(t *testing.T) {
	w := settled(t, "a")
	has := w.has("staging", "a")
	w.publish("1.1.0")
	w.merge("1.1.0")
	w.until(t, func() bool { return w.version("dev", "a") == "1.1.0" })
	w.passes()
	reason := func(environment string) string {
		return w.stages[environment].last.admission.Standings[key("a")].Gates[0].Reason
	}
	require.Equal(t, "staging still runs web@1.0.0 ("+strings.TrimPrefix(has, "sha256:")[:7]+")", reason("prod"))
	w.settle(time.Minute)
	w.bump("a")
	w.passes()
	require.Regexp(t, `^web@1\.1\.0 \(.{7}\) soaks here for staging`, reason("dev"))
}

// TestHoldsStopReleasesButNoRollback keeps R33, R66 and R101.
func TestHoldsStopReleasesButNoRollback(t *testing.T) {
	k := key("a")
	for name, hold := range map[string]platform.Decision{
		"environment": {}, "request": {Request: &k}, "offering": {Offering: "web"}, "team": {Team: "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, "a")
			hold.Kind, hold.Until = "Hold", w.wall().Add(20*time.Minute)
			w.decide("prod", hold)
			before := w.has("prod", "a")
			w.bump("a")
			w.settle(10 * time.Minute)
			require.Equal(t, before, w.has("prod", "a"))
			require.Equal(t, []string{"hold"}, w.gates("prod", "a"))
			require.Equal(t, hold.Until, w.stages["prod"].last.admission.Next, "it opens by itself")
			w.settle(15 * time.Minute)
			require.True(t, w.arrived(), w.late())
		})
	}
	t.Run("a failure under a hold goes back", func(t *testing.T) {
		w := settled(t, "a")
		before := w.has("prod", "a")
		w.faults["p2/<nil>@prod"] = fails
		w.bump("a")
		w.until(t, func() bool { return w.has("prod", "a") != before })
		w.decide("prod", platform.Decision{Kind: "Hold"})
		w.settle(time.Minute)
		require.Equal(t, before, w.has("prod", "a"))
	})
}

// TestWindowOpensByBothClocks keeps R34, R35 and R101.
func TestWindowOpensByBothClocks(t *testing.T) {
	w := settled(t, "a")
	window, err := platform.NewWindow("0 12 * * *", time.Hour, "UTC", false)
	require.NoError(t, err)
	w.environmentOf("prod").Windows = []platform.Window{window}
	before := w.has("prod", "a")
	w.bump("a")
	w.settle(8 * time.Minute)
	require.Equal(t, []string{"window"}, w.gates("prod", "a"))
	require.Equal(t, time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), w.stages["prod"].last.admission.Next)
	w.skew = 2 * time.Hour
	w.settle(time.Minute)
	require.Equal(t, before, w.has("prod", "a"), "a clock that jumps promotes nothing early")
	w.skew = 0
	w.run(began.Add(2 * time.Hour).Sub(w.wall()))
	w.settle(3 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestOverrideTakesAPatchPastSoakAndWindow keeps R12, R34, R40 and R41.
func TestOverrideTakesAPatchPastSoakAndWindow(t *testing.T) {
	w := settled(t, "a")
	window, err := platform.NewWindow("0 23 * * *", time.Hour, "UTC", false)
	require.NoError(t, err)
	w.environmentOf("prod").Windows = []platform.Window{window}
	w.publish("1.0.1")
	w.merge("a security patch")
	override := w.decide("prod", platform.Decision{Kind: "Override", Offering: "web", Version: "1.0.1", Skip: []gate.Name{gate.Soak, gate.Window}, Reason: "a hole"})
	w.settle(3 * time.Minute)
	require.Equal(t, "1.0.1", w.version("prod", "a"), "staging has run it for less than three minutes")
	require.NotEmpty(t, w.liveOn("prod", "prod-1", "a"))
	require.Equal(t, []string{override.File + ": a hole"}, w.stages["prod"].last.admission.Standings[key("a")].Debts)
}

// TestProdAdvancesWhenReleasesComeFasterThanTheSoak keeps R28.
func TestProdAdvancesWhenReleasesComeFasterThanTheSoak(t *testing.T) {
	w := settled(t, "a")
	arrivals := map[string]bool{}
	for range 60 {
		w.bump("a")
		w.settle(time.Minute)
		arrivals[w.has("prod", "a")] = true
	}
	require.Greater(t, len(arrivals), 5, "an hour of a release a minute, with soaks of one and three")
}

// TestEnvironmentChangeRollsOutInWavesAndByInstances keeps R57, R76 and R77.
func TestEnvironmentChangeRollsOutInWavesAndByInstances(t *testing.T) {
	w := settled(t, "a", "b", "c")
	w.environmentOf("prod").Gates.Approval = "required"
	w.putIn["prod"] = 1
	w.merge("prod puts in something else")
	w.settle(time.Minute)
	require.Equal(t, []string{"approval"}, w.gates("prod", "a"))
	require.NotContains(t, w.liveOn("prod", "prod-1", "a"), "e1")
	require.True(t, w.approveWaiting(w.stages["prod"]), "the gate names the plan to approve")
	w.passes()
	w.run(tick)
	require.Contains(t, w.liveOn("prod", "prod-1", "a"), "e1")
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "e1", "in waves")
	require.NotContains(t, w.liveOn("prod", "prod-1", "b"), "e1", "the first instance first")
	w.platform.Decisions = nil
	w.merge("the used Approval is deleted")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), w.late())
}
