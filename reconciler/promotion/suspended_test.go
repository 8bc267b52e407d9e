package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// published merges a version that every request takes, and that is bad in a way.
func (w *world) published(number string, bad fault) {
	w.publish(number)
	w.faults[number] = bad
	w.merge("%s is published, which %s", number, bad)
}

// TestWhatIsSuspendedIsNoFailureAndProvesNothing keeps R16.
func TestWhatIsSuspendedIsNoFailureAndProvesNothing(t *testing.T) {
	w := judged(t, "a")
	w.published("1.1.0", sleeps)
	w.settle(time.Hour)
	dev := w.stages["dev"].releases[key("a")]
	require.Equal(t, "1.1.0", dev.Version)
	require.Nil(t, dev.Promotion.Rollout, "it came as far as it comes by itself")
	require.Empty(t, dev.Promotion.Rejected)
	require.Equal(t, "1.0.0", w.version("staging", "a"), "and proves nothing")
	require.Equal(t, []string{"approval"}, w.gates("staging", "a"))
	gate := w.stages["staging"].last.admission.Standings[key("a")].Gates[0]
	require.Contains(t, gate.Reason, "dev proves nothing of")
	require.Contains(t, gate.Reason, "dev-1: Suspended")

	require.True(t, w.approveWaiting(w.stages["staging"]))
	w.passes()
	require.Equal(t, "1.1.0", w.version("staging", "a"), "a person lets it in")
	w.settle(10 * time.Minute)
	require.Equal(t, "1.0.0", w.version("prod", "a"))
}

// TestWhatWasSuspendedSoaksOnceItsPodsRun keeps R16 and R21.
func TestWhatWasSuspendedSoaksOnceItsPodsRun(t *testing.T) {
	w := judged(t, "a")
	w.published("1.1.0", sleeps)
	w.settle(time.Hour)
	w.wake("dev-1")
	w.settle(50 * time.Second)
	require.Equal(t, "1.0.0", w.version("staging", "a"), "the hour before was no soak")
	w.settle(30 * time.Second)
	require.Equal(t, "1.1.0", w.version("staging", "a"))
}

// TestWhatIsSuspendedMayBeReplacedAndItsNeighboursEnter keeps R29.
func TestWhatIsSuspendedMayBeReplacedAndItsNeighboursEnter(t *testing.T) {
	w := judged(t, "a", "b", "c")
	w.published("1.1.0", sleeps)
	w.settle(10 * time.Minute)
	for _, name := range []string{"a", "b", "c"} {
		require.Equal(t, "1.1.0", w.version("dev", name), "nobody waits for its turn behind what is suspended")
	}
	w.publish("1.2.0")
	w.merge("1.2.0 is published")
	w.settle(40 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestAWaveWaitsForWhatIsSuspendedInTheOneBefore keeps R55.
func TestAWaveWaitsForWhatIsSuspendedInTheOneBefore(t *testing.T) {
	w := judged(t, "a")
	w.publish("1.1.0")
	w.faults["1.1.0@prod"] = sleeps
	w.merge("1.1.0 is published, which sleeps in prod")
	w.settle(2 * time.Hour)
	r := w.stages["prod"].releases[key("a")]
	require.Equal(t, "1.1.0", r.Version)
	require.Equal(t, []string{"prod-2"}, r.Promotion.Rollout.Pending, "a canary that did not run proves nothing to the rest")
	require.Empty(t, r.Promotion.Rejected)
	gate := w.stages["prod"].last.admission.Standings[key("a")].Gates[0]
	require.Contains(t, gate.Opens, "pods of that revision that were ready")
	w.wake("prod-1")
	w.settle(3 * time.Minute)
	require.Nil(t, w.stages["prod"].releases[key("a")].Promotion.Rollout, "prod-2 is the last: nothing waits for it")
}

// TestAWaveSoaksBesideWhatIsSuspended: its gate opens by itself, so that somebody looks when the time has come.
// It keeps R55 and R101.
func TestAWaveSoaksBesideWhatIsSuspended(t *testing.T) {
	w := judged(t, "a")
	w.environmentOf("prod").Rollout.Waves = []platform.Wave{{Soak: 20 * time.Minute}}
	w.publish("1.1.0")
	w.faults["1.1.0@prod-2"] = sleeps
	w.merge("1.1.0 is published, which sleeps on prod-2")
	w.until(t, func() bool { return w.version("prod", "a") == "1.1.0" })
	w.settle(3 * time.Minute)
	gate := w.stages["prod"].last.admission.Standings[key("a")].Gates[0]
	require.Contains(t, gate.Reason, "wave of all clusters soaks, ")
	require.False(t, gate.At.IsZero())
	w.settle(20 * time.Minute)
	require.Nil(t, w.stages["prod"].releases[key("a")].Promotion.Rollout)
}

// TestAFixOfHealthAloneBeginsAtZero keeps R23 and R29.
func TestAFixOfHealthAloneBeginsAtZero(t *testing.T) {
	w := judged(t, "a")
	w.published("1.1.0", hangs)
	w.settle(4 * time.Minute)
	require.Equal(t, "1.1.0", w.version("dev", "a"))
	w.publish("1.2.0")
	w.fix("1.2.0", "1.1.0", false)
	w.faults["1.2.0"] = hangs
	w.passes()
	require.Equal(t, "1.2.0", w.version("dev", "a"), "it enters at once")
	w.settle(4 * time.Minute)
	require.Equal(t, "1.2.0", w.version("dev", "a"), "its deadline did not begin with that of 1.1.0")
	require.Equal(t, "1.2.0", w.stages["dev"].releases[key("a")].Clusters["dev-1"].Anew)
	delete(w.faults, "1.2.0")
	w.settle(40 * time.Second)
	require.Equal(t, "1.0.0", w.version("staging", "a"))
	w.settle(40 * time.Second)
	require.Equal(t, "1.2.0", w.version("staging", "a"), "after a soak of its own")
}

// TestASoakBeginsAnewWithAVersionOfTheSameBytes keeps R23 and R26.
func TestASoakBeginsAnewWithAVersionOfTheSameBytes(t *testing.T) {
	w := judged(t, "a")
	w.settle(time.Hour)
	w.publish("1.1.0")
	w.fix("1.1.0", "1.0.0", false)
	w.settle(50 * time.Second)
	require.Equal(t, "1.1.0", w.version("dev", "a"))
	require.Equal(t, "1.0.0", w.version("staging", "a"), "the hour of 1.0.0 is not its own")
	w.restart()
	w.settle(40 * time.Second)
	require.Equal(t, "1.1.0", w.version("staging", "a"), "and it survives a restart")
}

// TestAFixThatAsksLessProvesNothing keeps R17 and R20.
func TestAFixThatAsksLessProvesNothing(t *testing.T) {
	for name, begin := range map[string]func(w *world){
		"while what it fixes is there": func(w *world) { w.settle(time.Minute) },
		"after it was rolled back":     func(w *world) { w.settle(20 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			w := judged(t, "a")
			w.rules["1.1.0"] = []platform.Health{{Kind: "Thing", Healthy: "x"}}
			w.published("1.1.0", hangs)
			begin(w)
			w.publish("1.2.0")
			w.fix("1.2.0", "1.1.0", true)
			w.settle(time.Hour)
			r := w.stages["dev"].releases[key("a")]
			require.Equal(t, "1.2.0", r.Version, standing(w.stages["dev"], key("a")))
			require.Equal(t, "web@1.2.0 asks nothing of Thing but to be applied, unlike 1.1.0", r.Promotion.Unproven)
			require.Empty(t, r.Promotion.Proven[1:], "only 1.0.0 is proven")
			require.Equal(t, "1.0.0", w.version("staging", "a"))
			require.Contains(t, w.stages["staging"].last.admission.Standings[key("a")].Gates[0].Reason, "asks nothing of Thing")
			require.True(t, w.approveWaiting(w.stages["staging"]))
			w.passes()
			require.Equal(t, "1.2.0", w.version("staging", "a"))
		})
	}
}

// TestMeterOfWhatIsSuspended keeps R21.
func TestMeterOfWhatIsSuspended(t *testing.T) {
	var m promotion.Meter
	m.Observe("r", state.Progressing, 0, time.Minute)
	m.Observe("r", state.Suspended, time.Hour, time.Minute)
	soaked, ailing := m.Read("r", 2*time.Hour, time.Minute)
	require.Zero(t, soaked)
	require.Zero(t, ailing)
	m.Observe("r", state.Healthy, 3*time.Hour, time.Minute)
	soaked, _ = m.Read("r", 3*time.Hour+time.Second, time.Minute)
	require.Equal(t, time.Second, soaked)
}
