package promotion_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"transom.dev/reconciler/promotion"
	"transom.dev/render/platform"
)

// TestReleaseIsProvenInEveryUpstream of an environment that has two. It keeps R11 and R12.
func TestReleaseIsProvenInEveryUpstream(t *testing.T) {
	w := settled(t, "a", "narrow")
	w.environment("load", []string{"dev"}, func(*platform.Environment) {}, "load-1")
	w.order = []string{"dev", "staging", "load", "prod"}
	w.environmentOf("prod").PromotesFrom = []string{"load", "staging"}
	w.requests[key("a")].in = []string{"dev", "staging", "load", "prod"}
	w.merge("a is in load, too")
	w.settle(10 * time.Minute)
	require.True(t, w.arrived(), w.late())

	before := w.has("prod", "a")
	w.faults["p2/<nil>@load"] = hangs
	w.bump("a")
	w.bump("narrow")
	w.settle(10 * time.Minute)
	require.NotEqual(t, before, w.has("staging", "a"))
	require.Equal(t, before, w.has("prod", "a"), "staging alone does not do")
	require.Equal(t, []string{"health"}, w.gates("prod", "a"))
	require.Contains(t, w.has("prod", "narrow"), "p2", "load does not place it and dev before it is not asked for more than its health")
	require.Equal(t, []string{"dev", "staging"}, w.stages["prod"].releases[key("narrow")].Promotion.PromotedFrom)

	delete(w.faults, "p2/<nil>@load")
	w.requests[key("a")].p = 3
	w.merge("mended")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), w.late())
	require.Equal(t, []string{"load", "staging"}, w.stages["prod"].releases[key("a")].Promotion.PromotedFrom)
}

// TestUpstreamThatCannotBeReadPromotesNothing and is not taken for one that runs nothing. It keeps R15.
func TestUpstreamThatCannotBeReadPromotesNothing(t *testing.T) {
	w := settled(t, "a")
	w.order = []string{"dev", "staging"}
	w.bump("a")
	w.settle(10 * time.Minute)
	takes := func(v *promotion.View) string { return v.Choose().Instances.List()[0].Release }
	require.Contains(t, takes(w.view("prod")), "p2", "staging has proven it")
	unread := w.view("prod")
	delete(unread.Elsewhere, "staging")
	require.Equal(t, w.has("prod", "a"), takes(unread))
}

// TestRemovalSoaksForDownstreamThatCannotBeRead yet, as right after a start: a removal that was confirmed at once would
// prove nothing. It keeps R46.
func TestRemovalSoaksForDownstreamThatCannotBeRead(t *testing.T) {
	w := settled(t, "a")
	delete(w.requests, key("a"))
	w.merge("no a")
	w.passes()
	w.run(time.Minute)
	over := func(v *promotion.View) bool {
		p := v.Choose()
		p.Admit(nil)
		r := p.Records[key("a")]
		return r != nil && r.Promotion.Rollout == nil
	}
	require.False(t, over(w.view("dev")), "it soaks for staging")
	unread := w.view("dev")
	unread.Elsewhere = nil
	require.False(t, over(unread))
	w.run(10 * time.Minute)
	require.True(t, over(w.view("dev")))
}

// TestVersionThatAnEnvironmentChoosesIsProvenWhereThatPairRan keeps R6, R10 and R13.
func TestVersionThatAnEnvironmentChoosesIsProvenWhereThatPairRan(t *testing.T) {
	w := settled(t, "a")
	w.publish("1.1.0")
	w.requests[key("a")].pinned, w.requests[key("a")].at = "1.1", map[string]string{"prod": "1.0"}
	w.merge("prod stays at 1.0")
	w.settle(10 * time.Minute)
	require.Equal(t, "1.1.0", w.version("staging", "a"))
	require.Equal(t, "1.0.0", w.version("prod", "a"))
	require.True(t, w.arrived(), "the same bytes are taken at once: %s", w.late())

	w.publish("1.0.1")
	w.merge("a patch of 1.0")
	w.settle(10 * time.Minute)
	require.Equal(t, "1.0.0", w.version("prod", "a"), "no environment before prod can run that pair")
	require.Equal(t, []string{"approval"}, w.gates("prod", "a"))
	require.True(t, w.approveWaiting(w.stages["prod"]))
	w.settle(4 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestVersionThatBothEnvironmentsChooseIsPromoted keeps R10 and R13.
func TestVersionThatBothEnvironmentsChooseIsPromoted(t *testing.T) {
	w := settled(t, "a")
	w.requests[key("a")].at = map[string]string{"staging": "1.0", "prod": "1.0"}
	w.merge("1.0 from staging on")
	w.settle(10 * time.Minute)
	require.True(t, w.arrived(), w.late())

	w.publish("1.0.1")
	w.requests[key("a")].at["dev"] = "1.0.0"
	w.merge("a patch of 1.0, which dev does not take")
	w.settle(time.Minute)
	require.Equal(t, []string{"approval"}, w.gates("staging", "a"), "dev runs another pair")
	require.True(t, w.approveWaiting(w.stages["staging"]))
	w.settle(10 * time.Minute)
	require.Equal(t, "1.0.1", w.version("prod", "a"), "staging ran the pair, and proved it")
	require.Equal(t, []string{"staging"}, w.stages["prod"].releases[key("a")].Promotion.PromotedFrom)
}

// choosesInProd is a world in which prod asks for any version 1, and 1.1.0 was just published.
func choosesInProd(t *testing.T) *world {
	t.Helper()
	w := settled(t, "a")
	w.environmentOf("prod").Gates.Unproven = "allow"
	w.requests[key("a")].at = map[string]string{"prod": "1"}
	w.merge("prod chooses itself")
	w.publish("1.1.0")
	w.merge("1.1.0")
	return w
}

// TestChosenVersionIsOvertakenOnItsWay where an environment resolves the version itself: the version that it resolved before
// cannot be had any more, and must not keep out those that come after. It keeps R8 and R10.
func TestChosenVersionIsOvertakenOnItsWay(t *testing.T) {
	w := choosesInProd(t)
	w.until(t, func() bool { return w.version("prod", "a") == "1.1.0" })
	require.NotContains(t, w.liveOn("prod", "prod-2", "a"), "1.1.0")
	w.publish("1.1.1")
	w.merge("1.1.1 comes while prod-2 waits for 1.1.0")
	w.settle(10 * time.Minute)
	require.True(t, w.arrived(), w.late())
}

// TestCircleOfOtherEnvironmentsIsNoneOfOurs, though every decision asks who takes releases from here.
func TestCircleOfOtherEnvironmentsIsNoneOfOurs(t *testing.T) {
	w := settled(t, "a")
	for name, from := range map[string]string{"here": "there", "there": "here"} {
		w.platform.Environments[name] = &platform.Environment{Name: name, PromotesFrom: []string{from}, Broken: true}
	}
	w.bump("a")
	w.settle(12 * time.Minute)
	require.True(t, w.arrived(), w.late())
}
