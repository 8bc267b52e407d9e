package promotion_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/render/platform"
	"transom.dev/render/state"
)

// with counts the instances that an environment has at a version.
func (w *world) with(environment, version string) (n int) {
	for _, r := range w.stages[environment].releases {
		if !r.Absent && r.Version == version {
			n++
		}
	}
	return n
}

// TestManyInstancesEnterOnceTheFirstIsHealthy keeps R57, R58 and R60.
func TestManyInstancesEnterOnceTheFirstIsHealthy(t *testing.T) {
	w := settled(t, "a", "b", "c", "d", "e", "f", "g", "h")
	w.publish("1.1.0")
	w.merge("1.1.0")
	w.passes()
	require.Equal(t, 1, w.with("dev", "1.1.0"))
	w.settle(4 * tick)
	require.Equal(t, 5, w.with("dev", "1.1.0"), "one is healthy, and half of eight are under way")
	w.restart()
	w.passes()
	require.Equal(t, 5, w.with("dev", "1.1.0"), "a restart counts the same")
	w.bump("a")
	w.until(t, func() bool { return w.has("dev", "a") == "a:1.1.0:p2,dev,prod,staging" })
	require.Contains(t, w.stages["dev"].releases[key("a")].Promotion.Gates, state.PassedGate{Gate: "rollout", Figure: "version:web@1.1.0"},
		"and an instance that moves on still counts for the version")
}

// TestInstanceThatCannotBeginTakesNoPlaceInARollout keeps R39 and R61.
func TestInstanceThatCannotBeginTakesNoPlaceInARollout(t *testing.T) {
	for name, change := range map[string]func(*world){
		"a version":               func(w *world) { w.publish("1.1.0") },
		"a change of environment": func(w *world) { w.putIn["dev"] = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, "a")
			w.join("dev", "dev-2")
			w.only = map[string]string{"a": "dev-1", "b": "dev-2"}
			w.requests[key("b")] = everywhere(1)
			w.merge("a is on dev-1, and b on dev-2")
			w.settle(12 * time.Minute)
			before := w.liveOn("dev", "dev-2", "b")
			w.decide("dev", platform.Decision{Kind: "Hold", Cluster: "dev-1"})
			change(w)
			w.merge("something for both")
			w.settle(2 * time.Minute)
			require.NotEqual(t, before, w.liveOn("dev", "dev-2", "b"), "one that is held delays only itself")
			require.Contains(t, w.gates("dev", "a"), "hold")
		})
	}
}

// TestWithdrawnVersionGoesNoFurther keeps R9 and R29.
func TestWithdrawnVersionGoesNoFurther(t *testing.T) {
	w := settled(t, "a")
	v := w.publish("1.1.0")
	w.merge("1.1.0")
	w.until(t, func() bool { return w.version("prod", "a") == "1.1.0" })
	v.Lifecycle = platform.Withdrawn
	w.lost["staging-1"] = true
	w.bump("a")
	for range 60 {
		w.settle(tick)
		require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "1.1.0")
	}
	require.Contains(t, w.gates("prod", "a"), "rollout", "what comes instead is not proven yet, and prod-2 keeps what it has")
	w.lost["staging-1"] = false
	w.settle(10 * time.Minute)
	require.True(t, w.arrived(), "what the head yields instead does not wait for its end: %s", w.late())
}

// TestManyInstancesThatCannotBeRenderedStarveNoOthers though they are all before them by name, and only some are rendered in
// every pass. It keeps R61 and R62.
func TestManyInstancesThatCannotBeRenderedStarveNoOthers(t *testing.T) {
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprintf("r%02d", i))
	}
	w := settled(t, names...)
	w.wrong = map[string]bool{}
	for _, name := range names[:57] {
		w.wrong[name] = true
	}
	w.publish("1.1.0")
	w.merge("1.1.0")
	dev := w.stages["dev"]
	for range 4 {
		require.Zero(t, w.with("dev", "1.1.0"))
		w.passes()
		require.LessOrEqual(t, len(dev.last.admission.Unrendered), 17)
		require.Equal(t, w.with("dev", "1.1.0") == 0, dev.last.admission.Next.Equal(w.wall()), "the next are tried at once")
	}
	require.Equal(t, "1.1.0", w.version("dev", "r57"), "the first that can, once those before it have been tried")
	w.settle(5 * time.Minute)
	require.Equal(t, 3, w.with("dev", "1.1.0"))
	require.False(t, dev.last.admission.Next.Equal(w.wall()), "and nobody tries for ever")

	delete(w.wrong, "r03")
	w.settle(5 * time.Minute)
	require.Equal(t, "1.1.0", w.version("dev", "r03"), "who was tried in vain is tried again")
}

// TestAdmitAnswersTheSameWhenItIsAskedAgain as rendering does where bytes were built with outputs of a release that did not
// come about. It keeps R82.
func TestAdmitAnswersTheSameWhenItIsAskedAgain(t *testing.T) {
	for name, change := range map[string]func(*world){
		"a version":               func(w *world) { w.publish("1.1.0") },
		"a change of environment": func(w *world) { w.putIn["dev"] = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, "a", "b", "c")
			change(w)
			w.merge("something for all")
			p := w.view("dev").Choose()
			proposals := w.render(w.stages["dev"], p)
			once := p.Admit(proposals)
			require.NotEqual(t, proposals[0].Base, once.Records[0], "the first instance begins")
			again := p.Admit(proposals)
			require.Equal(t, once.Records, again.Records)
			require.Equal(t, once.Standings, again.Standings)
			require.Equal(t, once.Next, again.Next)
		})
	}
}

// TestInstanceThatCannotBeRenderedDelaysOnlyItself keeps R61.
func TestInstanceThatCannotBeRenderedDelaysOnlyItself(t *testing.T) {
	w := settled(t, "a", "b", "c", "d")
	w.wrong = map[string]bool{"a": true, "b": true}
	w.publish("1.1.0")
	w.merge("1.1.0")
	w.passes()
	require.Equal(t, 1, w.with("dev", "1.1.0"), "the first that can")
	w.settle(2 * time.Minute)
	require.Equal(t, 2, w.with("dev", "1.1.0"))
	require.Equal(t, "1.0.0", w.version("dev", "a"))
}

// TestAMemberThatCannotStartAndIsOvertakenHasFailed for the others of its group. It keeps R60.
func TestAMemberThatCannotStartAndIsOvertakenHasFailed(t *testing.T) {
	w := settled(t, "a", "b")
	w.publish("1.1.0")
	w.faults["1.1.0"] = stuck
	w.merge("1.1.0, whose pods cannot start")
	w.passes()
	require.Equal(t, "1.1.0", w.version("dev", "a"))
	w.settle(startup + tick)
	w.requests[key("a")].pinned = "1.2.0"
	w.publish("1.2.0")
	w.requests[key("b")].pinned = "1.1.0"
	w.merge("a goes on to 1.2.0, and b stays for 1.1.0")
	w.settle(2 * time.Minute)
	require.Equal(t, "1.2.0", w.version("dev", "a"))
	require.Equal(t, "version:web@1.1.0", w.stages["dev"].releases[key("a")].Promotion.Rejected[0].Group)
	require.Equal(t, "1.0.0", w.version("dev", "b"))
	require.Contains(t, w.gate("dev", "b", "rollout").Reason, "web@1.1.0 failed in 1 of the instances that it entered")
}
